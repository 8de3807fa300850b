/** Effect's clock in a process whose idea of the time of day is wrong. Its timers run as ever. */
import { Clock, Effect } from "effect"

export interface SteppedClock {
  readonly clock: Clock.Clock
  /** Milliseconds by which the time of day is ahead from now on. */
  readonly step: (offset: number) => void
}

export const steppedClock = (): SteppedClock => {
  const right = Clock.make()
  let ahead = 0
  const unsafeCurrentTimeMillis = () => right.unsafeCurrentTimeMillis() + ahead
  return {
    clock: {
      [Clock.ClockTypeId]: Clock.ClockTypeId,
      unsafeCurrentTimeMillis,
      currentTimeMillis: Effect.sync(unsafeCurrentTimeMillis),
      unsafeCurrentTimeNanos: () => right.unsafeCurrentTimeNanos(),
      currentTimeNanos: right.currentTimeNanos,
      sleep: (duration) => right.sleep(duration)
    },
    step: (offset) => {
      ahead = offset
    }
  }
}
