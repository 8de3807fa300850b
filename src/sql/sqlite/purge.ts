/**
 * Keeps the table small, in the background: removes what has expired and what is over `maxEntries`, in small batches with
 * a pause between them, for whoever writes keeps all others from writing. Several processes may do so at once.
 */
import { Duration, Effect, Metric, Option, Random, type Scope } from "effect"
import type { CacheError } from "../../CacheError.js"
import type { StoreSize } from "../../CacheStore.js"
import { evictedFrom } from "../../store/evicted.js"
import { wallClock } from "../connection.js"
import type { Statements } from "./connection.js"
import type { SqliteStatements } from "./statements.js"

export interface PurgeOptions {
  readonly own: Statements
  readonly texts: SqliteStatements
  readonly maxEntries: number | undefined
  readonly purgeEvery: Duration.Duration
}

export interface Purge {
  /** So many records were written since the last call. */
  readonly grown: (records: number) => void
  /** As the last pass left it: SQLite can tell how many rows a table has only by walking through it. */
  readonly size: Effect.Effect<StoreSize>
}

const batch = 1_000
/** What expires sooner is as good as gone, or a lease, without which everyone would compute. */
const spared = 60_000

const evicted = evictedFrom("sqlite")

export const purge = ({ maxEntries, own, purgeEvery, texts }: PurgeOptions): Effect.Effect<Purge, never, Scope.Scope> =>
  Effect.gen(function* () {
    const wake = yield* Effect.makeLatch(false)
    let entries = Option.none<number>()
    let evictions = 0
    let written = 0

    const expired: Effect.Effect<void, CacheError> = Effect.flatMap(own.change(texts.purge(batch)), (removed) =>
      removed < batch ? Effect.void : Effect.zipRight(own.pause, expired)
    )

    const evict = (most: number): Effect.Effect<void, CacheError> => {
      const atOnce = Math.min(batch, Math.max(100, Math.ceil(most / 20)))
      return Effect.gen(function* () {
        const later = yield* own.change(texts.evict(most, atOnce, spared))
        const sooner = later < atOnce ? yield* own.change(texts.evict(most, atOnce - later, 0)) : 0
        const removed = later + sooner
        evictions += removed
        yield* Metric.incrementBy(evicted, removed)
        if (removed === atOnce) yield* Effect.zipRight(own.pause, evict(most))
      })
    }

    const pass = Effect.gen(function* () {
      written = 0
      yield* wake.close
      yield* expired
      if (maxEntries !== undefined) yield* evict(maxEntries)
      const [row] = yield* own.rows<{ readonly n: unknown }>(texts.count, [])
      entries = Option.some(Number(row?.n))
    }).pipe(
      Effect.catchAll((error) => Effect.logDebug("Cache PURGE failed", error)),
      Effect.withSpan("effect-cached.purge")
    )

    // processes that were started together would otherwise purge together for ever
    const untilDue = Effect.flatMap(Random.nextRange(0.75, 1.25), (factor) =>
      Effect.race(Effect.sleep(Duration.times(purgeEvery, factor)), wake.await)
    )
    yield* Effect.forkScoped(Effect.withClock(Effect.forever(Effect.zipRight(untilDue, pass)), wallClock))

    // each process looks after 1 % of growth of its own, so that some of them together stay within 10 %
    const lookAfter = maxEntries === undefined ? Number.POSITIVE_INFINITY : Math.max(10, Math.ceil(maxEntries / 100))

    return {
      grown: (records) => {
        written += records
        if (written >= lookAfter) {
          written = 0
          wake.unsafeOpen()
        }
      },
      // the file has a size, the table has none
      size: Effect.sync(() => ({ entries, bytes: Option.none(), evictions: Option.some(evictions) }))
    }
  })
