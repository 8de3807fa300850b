/**
 * Keeps the table small, in the background: removes what has expired and what is over `maxEntries`, and folds changes. Several
 * processes may do so at once. It also notices when the table has outgrown the plans of the prepared statements.
 */
import { Duration, Effect, Metric, Option, type Scope } from "effect"
import type { CacheError } from "../../../CacheError.js"
import { evictedFrom } from "../../runtime/metrics.js"
import { type Purge, schedulePurge } from "../sql/purgeSchedule.js"
import type { Run } from "./connection.js"
import { foldAll } from "./fold.js"
import type { PreparedStatements } from "./PreparedStatements.js"
import type { Statement } from "./statements/named.js"
import type { Statements } from "./statements/statements.js"

export interface PurgeOptions {
  readonly run: Run
  readonly statements: Statements
  readonly prepared: PreparedStatements
  readonly maxEntries: number | undefined
  readonly purgeEvery: Duration.Duration
}

const atOnce = 1_000
/** What expires sooner is as good as gone, or a lease, without which everyone would compute. */
const spared = Duration.seconds(60)
/** While another process evicts. */
const whileBusy = Duration.millis(5)
const evicted = evictedFrom("postgresql")

export const purge = (options: PurgeOptions): Effect.Effect<Purge, never, Scope.Scope> =>
  Effect.gen(function* () {
    const { maxEntries, prepared, run, statements } = options
    let evictions = 0

    const untilDone = (statement: Statement): Effect.Effect<void, CacheError> =>
      Effect.flatMap(run<{ readonly rows: string }>(statement, [atOnce]), ([done]) =>
        Number(done?.rows) === atOnce ? untilDone(statement) : Effect.void
      )

    const evict = (most: number): Effect.Effect<void, CacheError> => {
      const atOnce = Math.min(10_000, Math.max(100, Math.ceil(most / 20)))
      const once = (sparing: Duration.Duration) =>
        Effect.map(
          run<{ readonly removed: string; readonly excess: string | null }>(statements.evict, [
            most,
            atOnce,
            Duration.toSeconds(sparing)
          ]),
          ([row]) => ({
            removed: Number(row?.removed ?? 0),
            excess: row === undefined ? 0 : row.excess === null ? null : Number(row.excess)
          })
        )
      return Effect.gen(function* () {
        let { excess, removed } = yield* once(spared)
        if (excess === null) return yield* Effect.delay(evict(most), whileBusy)
        if (removed < excess) removed += (yield* once(Duration.zero)).removed
        evictions += removed
        yield* Metric.incrementBy(evicted, removed)
        if (excess === atOnce && removed > 0) yield* evict(most)
      })
    }

    const noteTableSize = Effect.map(run<{ readonly bytes: string }>(statements.tableSize, []), ([row]) => {
      if (row !== undefined) prepared.tableSize(Number(row.bytes))
    })

    const throttle = yield* schedulePurge({
      maxEntries,
      purgeEvery: options.purgeEvery,
      sweep: Effect.zipRight(
        untilDone(statements.removeExpired),
        maxEntries === undefined ? Effect.void : evict(maxEntries)
      ),
      maintenance: Effect.all([noteTableSize, untilDone(statements.fillMissingPurgeTimes), foldAll(run, statements)], {
        discard: true
      })
    })

    return {
      throttle,
      size: Effect.map(run<{ readonly entries: string; readonly bytes: string }>(statements.size, []), ([row]) => ({
        entries: Option.some(Number(row?.entries ?? 0)),
        bytes: Option.some(Number(row?.bytes ?? 0)),
        evictions: Option.some(evictions)
      }))
    }
  })
