/** What a statement does while another connection holds SQLite's lock. */
import { type Duration, Effect, Schedule } from "effect"
import type { CacheError } from "../../../CacheError.js"
import { codeOf, isBusy, timedOut } from "../sql/errors.js"
import { wallClock } from "../sql/wallClock.js"

/** What a transaction has read is out of date: its first write fails for good, whether it is repeated or not. */
const isOutdated = (error: CacheError): boolean => codeOf(error.cause) === "SQLITE_BUSY_SNAPSHOT"

const isLocked = (error: CacheError): boolean => isBusy(error.cause) && !isOutdated(error)

const waits = Schedule.exponential("1 millis", 1.5).pipe(
  Schedule.union(Schedule.spaced("20 millis")),
  Schedule.jittered
)

/**
 * Tries again while the lock is held, for `timeout` at most. Only one caller at a time tries, and who comes later joins the
 * queue, so that waiting costs little.
 */
export const waitForLock = (timeout: Duration.Duration) => {
  const turn = Effect.unsafeMakeSemaphore(1)
  let waiting = 0

  const inTurn = <A>(attempt: Effect.Effect<A, CacheError>): Effect.Effect<A, CacheError> =>
    Effect.acquireUseRelease(
      Effect.sync(() => {
        waiting++
      }),
      () =>
        turn
          .withPermits(1)(Effect.retry(attempt, { while: isLocked, schedule: waits }))
          .pipe(Effect.timeoutFail({ duration: timeout, onTimeout: timedOut }), Effect.withClock(wallClock)),
      () =>
        Effect.sync(() => {
          waiting--
        })
    )

  return <A>(attempt: Effect.Effect<A, CacheError>): Effect.Effect<A, CacheError> =>
    Effect.suspend(() => (waiting > 0 ? inTurn(attempt) : Effect.catchIf(attempt, isLocked, () => inTurn(attempt))))
}
