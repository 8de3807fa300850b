/**
 * Keeps the table small, in the background: removes what has expired and what is over `maxEntries`, and folds the changes
 * that transactions left into the records beside them. Several processes may do so at once. Writers faster than that wait
 * for it, or no bound would hold.
 */
import { Duration, Effect, Metric, Option, Random, type Scope } from "effect"
import type { CacheError } from "../CacheError.js"
import type { StoreSize } from "../CacheStore.js"
import { evictedFrom } from "../store/evicted.js"
import { type Run, wallClock } from "./connection.js"
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
  /** Makes a write wait while too much was written that no purge has seen yet. */
  readonly admit: <A>(records: number, write: Effect.Effect<A, CacheError>) => Effect.Effect<A, CacheError>
  readonly size: Effect.Effect<StoreSize, CacheError>
}

const batch = 1_000
/** What expires sooner is as good as gone, or a lease, without which everyone would compute. */
const spare = Duration.seconds(60)
/** While another process removes the excess. */
const whileBusy = Duration.millis(5)
/** No write waits longer for room: a table over its bound harms less than a program that stands. */
const patience = Duration.seconds(1)

const evicted = evictedFrom("postgresql")

export const purge = (options: PurgeOptions): Effect.Effect<Purge, never, Scope.Scope> =>
  Effect.gen(function* () {
    const { maxEntries, own, run } = options
    const texts = purgeStatements(options.table)
    const wake = yield* Effect.makeLatch(false)
    const passed = yield* Effect.makeLatch(false)
    let evictions = 0
    // records that no pass has seen, and those of them that are in the table already
    let unseen = 0
    let landed = 0
    // each process may be so far ahead of its purge: some of them together stay within 10 %
    const lookAfter = maxEntries === undefined ? Number.POSITIVE_INFINITY : Math.ceil(maxEntries / 100)
    const holdAfter = 2 * lookAfter

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

    const pass = Effect.gen(function* () {
      const seen = landed
      landed = 0
      yield* wake.close
      const swept = yield* Effect.isSuccess(
        Effect.tapError(Effect.zipRight(expired, maxEntries === undefined ? Effect.void : evict(maxEntries)), (error) =>
          Effect.logDebug("Cache PURGE failed", error)
        )
      )
      // where the purge can't work, writers need not wait for it
      unseen = swept ? Math.max(0, unseen - seen) : 0
      yield* passed.release
      yield* Effect.catchAll(settle, (error) => Effect.logDebug("Cache PURGE failed", error))
      if (unseen >= lookAfter) yield* wake.open
    }).pipe(Effect.withSpan("effect-cached.purge"))

    // processes that were started together would otherwise purge together for ever
    const pause = Effect.flatMap(Random.nextRange(0.75, 1.25), (factor) =>
      Effect.race(Effect.sleep(Duration.times(options.purgeEvery, factor)), wake.await)
    )
    yield* Effect.forkScoped(Effect.forever(Effect.zipRight(pause, pass)))

    const room: Effect.Effect<void> = Effect.suspend(() =>
      unseen < holdAfter ? Effect.void : Effect.zipRight(passed.await, room)
    )
    const waitForRoom = room.pipe(Effect.timeoutOption(patience), Effect.withClock(wallClock))

    const counted = <A>(records: number, write: Effect.Effect<A, CacheError>): Effect.Effect<A, CacheError> =>
      Effect.suspend(() => {
        unseen += records
        if (unseen >= lookAfter) wake.unsafeOpen()
        return Effect.ensuring(
          write,
          Effect.sync(() => {
            landed += records
          })
        )
      })

    return {
      admit: (records, write) => {
        if (maxEntries === undefined) return write
        return Effect.suspend(() =>
          unseen < holdAfter ? counted(records, write) : Effect.zipRight(waitForRoom, counted(records, write))
        )
      },
      size: Effect.map(own.size, ({ bytes, entries }) => ({
        entries: Option.some(entries),
        bytes: Option.some(bytes),
        evictions: Option.some(evictions)
      }))
    }
  })
