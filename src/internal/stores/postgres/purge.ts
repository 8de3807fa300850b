/**
 * Keeps the table small, in the background: removes what has expired and what is over `maxEntries`, and folds the changes
 * that transactions left into the records beside them. Several processes may do so at once. It also looks whether the table
 * has become another one than plans were made for.
 */
import { Duration, Effect, Metric, Option, type Scope } from "effect"
import type { CacheError } from "../../../CacheError.js"
import type { StoreSize } from "../../../CacheStore.js"
import { evictedFrom } from "../../runtime/metrics.js"
import type { Preparation, Run } from "../sql/connection.js"
import { type Admit, purgeRhythm } from "../sql/purgeSchedule.js"
import type { Outside } from "./outsideTransaction.js"
import { purgeStatements } from "./purgeStatements.js"
import type { Table } from "./table.js"

export interface PurgeOptions {
  readonly table: Table
  readonly run: Run
  readonly own: Outside
  readonly preparation: Preparation
  readonly maxEntries: number | undefined
  readonly purgeEvery: Duration.Duration
}

export interface Purge {
  readonly admit: Admit
  readonly size: Effect.Effect<StoreSize, CacheError>
}

const batch = 1_000
/** What expires sooner is as good as gone, or a lease, without which everyone would compute. */
const spare = Duration.seconds(60)
/** While another process removes the excess. */
const whileBusy = Duration.millis(5)
const evicted = evictedFrom("postgresql")

export const purge = (options: PurgeOptions): Effect.Effect<Purge, never, Scope.Scope> =>
  Effect.gen(function* () {
    const { maxEntries, own, preparation, run } = options
    const texts = purgeStatements(options.table)
    let evictions = 0

    const expired: Effect.Effect<void, CacheError> = Effect.flatMap(
      run<{ readonly removed: number }>(texts.expired, [batch]),
      (rows) => (rows[0]?.removed === batch ? expired : Effect.void)
    )

    const adopt: Effect.Effect<void, CacheError> = Effect.flatMap(
      run<{ readonly adopted: number }>(texts.adopt, [batch]),
      (rows) => (rows[0]?.adopted === batch ? adopt : Effect.void)
    )

    const replan: Effect.Effect<void, CacheError> = Effect.map(
      run<{ readonly bytes: number }>(texts.extent, []),
      ([row]) => {
        if (row !== undefined) preparation.sized(row.bytes)
      }
    )

    const settleKey = (key: string) =>
      Effect.gen(function* () {
        const [state] = yield* own.readAlone([key])
        if (state === undefined || state.token.changes.length === 0) return
        if (!state.isAlive() || state.change === undefined) return yield* own.settleAbsent(key, state.token)
        const [row] = yield* run<{ readonly lifetime: number | null }>(texts.lifetime, [key, state.change])
        if (row === undefined) return
        const lifetime = Math.max(1, row.lifetime ?? Number.POSITIVE_INFINITY)
        yield* own.over(key, state.token, { bytes: state.bytes, lifetime })
      })

    const settleShared = (sharedKey: string) =>
      Effect.gen(function* () {
        const namespace = sharedKey.slice(sharedKey.indexOf(" ") + 1)
        for (const { change } of yield* own.sharedChanges(sharedKey)) {
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
          run<{ readonly removed: number; readonly excess: number | null }>(texts.excess, [
            most,
            atOnce,
            Duration.toSeconds(spared)
          ]),
          (rows) => rows[0] ?? { removed: 0, excess: 0 }
        )
      return Effect.gen(function* () {
        let { excess, removed } = yield* once(spare)
        if (excess === null) return yield* Effect.delay(evict(most), whileBusy)
        if (removed < excess) {
          const rest = yield* once(Duration.zero)
          removed += rest.removed
        }
        evictions += removed
        yield* Metric.incrementBy(evicted, removed)
        if (excess === atOnce && removed > 0) yield* evict(most)
      })
    }

    const admit = yield* purgeRhythm({
      maxEntries,
      purgeEvery: options.purgeEvery,
      sweep: Effect.zipRight(expired, maxEntries === undefined ? Effect.void : evict(maxEntries)),
      tidy: Effect.all([replan, adopt, settle], { discard: true })
    })

    return {
      admit,
      size: Effect.map(own.size, ({ bytes, entries }) => ({
        entries: Option.some(entries),
        bytes: Option.some(bytes),
        evictions: Option.some(evictions)
      }))
    }
  })
