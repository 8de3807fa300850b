/**
 * Keeps the table small, in the background: removes what has expired and what is over `maxEntries`, and folds the changes
 * that transactions left into the records beside them. Several processes may do so at once.
 */
import { Duration, Effect, Metric, MetricKey, MetricLabel, Option, Random, type Scope } from "effect"
import type { CacheError } from "../CacheError.js"
import type { StoreSize } from "../CacheStore.js"
import type { Run } from "./connection.js"
import type { Outside } from "./outside.js"
import { purgeStatements } from "./purgeStatements.js"
import type { Table } from "./table.js"

export interface PurgeOptions {
  readonly table: Table
  readonly run: Run
  readonly own: Outside
  readonly maxEntries: number | undefined
  readonly purgeEvery: Duration.Duration
}

export interface Purge {
  /** So many records were written since the last call. */
  readonly grown: (records: number) => void
  readonly size: Effect.Effect<StoreSize, CacheError>
}

const batch = 1_000
/** What expires sooner is as good as gone, or a lease, without which everyone would compute. */
const spare = Duration.seconds(60)

const evicted = Metric.fromMetricKey(
  MetricKey.taggedWithLabels(
    MetricKey.counter("effect_cached_evicted_total", {
      description: "records dropped for want of room",
      incremental: true
    }),
    [MetricLabel.make("store", "postgresql")]
  )
)

export const purge = (options: PurgeOptions): Effect.Effect<Purge, never, Scope.Scope> =>
  Effect.gen(function* () {
    const { maxEntries, own, run } = options
    const texts = purgeStatements(options.table)
    const wake = yield* Effect.makeLatch(false)
    let evictions = 0
    let written = 0

    const expired: Effect.Effect<void, CacheError> = Effect.flatMap(
      run<{ readonly removed: number }>(texts.expired, [batch]),
      (rows) => (rows[0]?.removed === batch ? expired : Effect.void)
    )

    const settleKey = (key: string) =>
      Effect.gen(function* () {
        const [state] = yield* own.readAlone([key])
        if (state === undefined || state.token.changes.length === 0) return
        if (state.value === undefined || state.change === undefined) return yield* own.settleAbsent(key, state.token)
        const [row] = yield* run<{ readonly lifetime: number | null }>(texts.lifetime, [key, state.change])
        if (row === undefined) return
        const lifetime = Math.max(1, row.lifetime ?? Number.POSITIVE_INFINITY)
        yield* own.over(key, state.token, { bytes: state.value, lifetime })
      })

    const settleShared = (sharedKey: string) =>
      Effect.gen(function* () {
        const namespace = sharedKey.slice(sharedKey.indexOf(" ") + 1)
        for (const { change } of yield* own.changesOf(sharedKey)) {
          const after = (last: string): Effect.Effect<void, CacheError> =>
            Effect.flatMap(run<{ readonly key: string }>(texts.unseen, [namespace, last, change, batch]), (rows) => {
              const next = rows.at(-1)
              return next === undefined ? Effect.void : Effect.suspend(() => after(next.key))
            })
          yield* after("")
          yield* run(texts.forgetShared, [namespace, sharedKey, change])
        }
      })

    const settle = Effect.gen(function* () {
      const keys = (yield* run<{ readonly key: string }>(texts.changedKeys, [batch])).map((row) => row.key)
      const isShared = (key: string) => key.includes(" ")
      yield* Effect.forEach(
        keys.filter((key) => !isShared(key)),
        settleKey,
        { discard: true }
      )
      yield* Effect.forEach(keys.filter(isShared), settleShared, { discard: true })
    })

    const evict = (most: number): Effect.Effect<void, CacheError> => {
      const atOnce = Math.min(10_000, Math.max(100, Math.ceil(most / 20)))
      const once = (spared: Duration.Duration) =>
        Effect.map(
          run<{ readonly removed: number; readonly excess: number }>(texts.excess, [
            most,
            atOnce,
            Duration.toSeconds(spared)
          ]),
          (rows) => rows[0] ?? { removed: 0, excess: 0 }
        )
      return Effect.gen(function* () {
        let { excess, removed } = yield* once(spare)
        if (removed < excess) {
          const rest = yield* once(Duration.zero)
          removed += rest.removed
        }
        evictions += removed
        yield* Metric.incrementBy(evicted, removed)
        if (excess === atOnce && removed > 0) yield* evict(most)
      })
    }

    const pass = Effect.gen(function* () {
      written = 0
      yield* wake.close
      yield* expired
      yield* settle
      if (maxEntries !== undefined) yield* evict(maxEntries)
    }).pipe(
      Effect.catchAll((error) => Effect.logDebug("Cache PURGE failed", error)),
      Effect.withSpan("effect-cached.purge")
    )

    // processes that were started together would otherwise purge together for ever
    const pause = Effect.flatMap(Random.nextRange(0.75, 1.25), (factor) =>
      Effect.race(Effect.sleep(Duration.times(options.purgeEvery, factor)), wake.await)
    )
    yield* Effect.forkScoped(Effect.forever(Effect.zipRight(pause, pass)))

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
      size: Effect.map(own.size, ({ bytes, entries }) => ({
        entries: Option.some(entries),
        bytes: Option.some(bytes),
        evictions: Option.some(evictions)
      }))
    }
  })
