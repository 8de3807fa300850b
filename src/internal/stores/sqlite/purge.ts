/**
 * Keeps the table small, in the background: removes what has expired and what is over `maxEntries`. It does so in small
 * batches with a pause between them, because one writer keeps out all others. Several processes may do so at once.
 */
import { type Duration, Effect, Metric, Option, type Scope } from "effect"
import type { CacheError } from "../../../CacheError.js"
import { evictedFrom } from "../../telemetry/metrics.js"
import { type Purge, schedulePurge, untilFewer } from "../sql/purgeSchedule.js"
import type { Runner } from "./runner.js"
import type { SqliteStatements } from "./statements.js"

export interface PurgeOptions {
  readonly own: Runner
  readonly texts: SqliteStatements
  readonly maxEntries: number | undefined
  readonly purgeEvery: Duration.Duration
}

const atOnce = 1_000

const evicted = evictedFrom("sqlite")

export const purge = ({ maxEntries, own, purgeEvery, texts }: PurgeOptions): Effect.Effect<Purge, never, Scope.Scope> =>
  Effect.gen(function* () {
    let entries = Option.none<number>()
    let evictions = 0

    const untilNone = (
      atOnce: number,
      text: string,
      removed: (rows: number) => Effect.Effect<void> = () => Effect.void
    ) => untilFewer(atOnce, Effect.tap(own.change(text), removed), own.pause)

    const evict = (most: number): Effect.Effect<void, CacheError> => {
      const together = Math.min(atOnce, Math.max(100, Math.ceil(most / 20)))
      const values = untilNone(together, texts.evict(most, together), (removed) => {
        evictions += removed
        return Metric.incrementBy(evicted, removed)
      })
      // the versions of groups, apart from the values: a lost one costs misses only
      return Effect.zipRight(values, untilNone(together, texts.evictGroups(most, together)))
    }

    const count = Effect.map(own.rows<{ readonly n: unknown }>(texts.count, []), ([row]) => {
      entries = Option.some(Number(row?.n))
    })

    const throttle = yield* schedulePurge({
      maxEntries,
      purgeEvery,
      sweep: Effect.zipRight(
        untilNone(atOnce, texts.purge(atOnce)),
        maxEntries === undefined ? Effect.void : evict(maxEntries)
      ),
      maintenance: count
    })

    return {
      throttle,
      // as the last purge left it: SQLite has to walk through a table to count its rows, and knows no size of a table
      size: Effect.sync(() => ({ entries, bytes: Option.none(), evictions: Option.some(evictions) }))
    }
  })
