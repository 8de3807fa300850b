/**
 * Keeps the table small, in the background: removes what has expired and what is over `maxEntries`, in small batches with
 * a pause between them, for whoever writes keeps all others from writing. Several processes may do so at once.
 */
import { type Duration, Effect, Metric, Option, type Scope } from "effect"
import type { CacheError } from "../../../CacheError.js"
import type { StoreSize } from "../../../CacheStore.js"
import { evictedFrom } from "../../runtime/metrics.js"
import { type Admit, purgeRhythm } from "../sql/purgeSchedule.js"
import type { Statements } from "./connection.js"
import type { SqliteStatements } from "./statements.js"

export interface PurgeOptions {
  readonly own: Statements
  readonly texts: SqliteStatements
  readonly maxEntries: number | undefined
  readonly purgeEvery: Duration.Duration
}

export interface Purge {
  readonly admit: Admit
  /** As the last pass left it: SQLite can tell how many rows a table has only by walking through it. */
  readonly size: Effect.Effect<StoreSize>
}

const batch = 1_000
/** What expires sooner is as good as gone, or a lease, without which everyone would compute. */
const spared = 60_000

const evicted = evictedFrom("sqlite")

export const purge = ({ maxEntries, own, purgeEvery, texts }: PurgeOptions): Effect.Effect<Purge, never, Scope.Scope> =>
  Effect.gen(function* () {
    let entries = Option.none<number>()
    let evictions = 0

    const expired: Effect.Effect<void, CacheError> = Effect.flatMap(own.change(texts.purge(batch)), (removed) =>
      removed < batch ? Effect.void : Effect.zipRight(own.pause, expired)
    )

    const evict = (most: number): Effect.Effect<void, CacheError> => {
      const atOnce = Math.min(batch, Math.max(100, Math.ceil(most / 20)))
      return Effect.gen(function* () {
        const removed = yield* own.change(texts.evict(most, atOnce, spared))
        evictions += removed
        yield* Metric.incrementBy(evicted, removed)
        if (removed === atOnce) yield* Effect.zipRight(own.pause, evict(most))
      })
    }

    const count = Effect.map(own.rows<{ readonly n: unknown }>(texts.count, []), ([row]) => {
      entries = Option.some(Number(row?.n))
    })

    const admit = yield* purgeRhythm({
      maxEntries,
      purgeEvery,
      sweep: Effect.zipRight(expired, maxEntries === undefined ? Effect.void : evict(maxEntries)),
      tidy: count
    })

    return {
      admit,
      // the file has a size, the table has none
      size: Effect.sync(() => ({ entries, bytes: Option.none(), evictions: Option.some(evictions) }))
    }
  })
