/**
 * When a table is purged: every now and then, and whenever enough was written. Writers that are ahead of the purge wait
 * for it, or no bound would hold on a busy machine.
 */
import { Duration, Effect, Random, type Scope } from "effect"
import type { CacheError } from "../../../CacheError.js"
import { wallClock } from "./connection.js"

export interface PurgeRhythmOptions {
  readonly maxEntries: number | undefined
  readonly purgeEvery: Duration.Duration
  /** Removes what has expired or is too much. */
  readonly sweep: Effect.Effect<void, CacheError>
  /** What is to be done besides, for which no writer waits. */
  readonly tidy: Effect.Effect<void, CacheError>
}

/** Makes a write of so many records wait while too much was written that no purge has seen yet. */
export type Admit = <A>(records: number, write: Effect.Effect<A, CacheError>) => Effect.Effect<A, CacheError>

/** No write waits longer for room: a table over its bound harms less than a program that stands. */
const patience = Duration.seconds(1)

const told = <A>(effect: Effect.Effect<A, CacheError>) =>
  Effect.tapError(effect, (error) => Effect.logDebug("Cache PURGE failed", error))

export const purgeRhythm = (options: PurgeRhythmOptions): Effect.Effect<Admit, never, Scope.Scope> =>
  Effect.gen(function* () {
    const { maxEntries, purgeEvery, sweep, tidy } = options
    const wake = yield* Effect.makeLatch(false)
    const passed = yield* Effect.makeLatch(false)
    // records that no pass has seen, and those of them that are in the table already
    let unseen = 0
    let landed = 0
    // each process may be so far ahead of its purge: some of them together stay within 10 %
    const lookAfter = maxEntries === undefined ? Number.POSITIVE_INFINITY : Math.ceil(maxEntries / 100)
    const holdAfter = 2 * lookAfter

    const pass = Effect.gen(function* () {
      const seen = landed
      landed = 0
      yield* wake.close
      const swept = yield* Effect.isSuccess(told(sweep))
      // where the purge can't work, writers need not wait for it
      unseen = swept ? Math.max(0, unseen - seen) : 0
      yield* passed.release
      yield* Effect.ignore(told(tidy))
      if (unseen >= lookAfter) yield* wake.open
    }).pipe(Effect.withSpan("effect-cached.purge"))

    // processes that were started together would otherwise purge together for ever
    const untilDue = Effect.flatMap(Random.nextRange(0.75, 1.25), (factor) =>
      Effect.race(Effect.sleep(Duration.times(purgeEvery, factor)), wake.await)
    )
    yield* Effect.forkScoped(Effect.withClock(Effect.forever(Effect.zipRight(untilDue, pass)), wallClock))

    const room: Effect.Effect<void> = Effect.suspend(() =>
      unseen < holdAfter ? Effect.void : Effect.zipRight(passed.await, room)
    )
    const waitForRoom = room.pipe(Effect.timeoutOption(patience), Effect.withClock(wallClock))

    return (records, write) => {
      if (maxEntries === undefined) return write
      const counted = Effect.suspend(() => {
        unseen += records
        if (unseen >= lookAfter) wake.unsafeOpen()
        return Effect.ensuring(
          write,
          Effect.sync(() => {
            landed += records
          })
        )
      })
      return Effect.suspend(() => (unseen < holdAfter ? counted : Effect.zipRight(waitForRoom, counted)))
    }
  })
