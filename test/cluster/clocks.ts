/** Clocks for tests: one that is wrong, and one that does not move by itself. Timers run as usual on both. */
import { Clock, Effect } from "effect"

const telling = (unsafeCurrentTimeMillis: () => number): Clock.Clock => {
  const right = Clock.make()
  return {
    [Clock.ClockTypeId]: Clock.ClockTypeId,
    unsafeCurrentTimeMillis,
    currentTimeMillis: Effect.sync(unsafeCurrentTimeMillis),
    unsafeCurrentTimeNanos: () => right.unsafeCurrentTimeNanos(),
    currentTimeNanos: right.currentTimeNanos,
    sleep: (duration) => right.sleep(duration)
  }
}

export interface SteppedClock {
  readonly clock: Clock.Clock
  /** Milliseconds by which the time of day is ahead from now on. */
  readonly step: (offset: number) => void
}

/** Runs the effect as in a process whose time of day is wrong. */
export const steppedClock = (): SteppedClock => {
  let ahead = 0
  return {
    clock: telling(() => Date.now() + ahead),
    step: (offset) => {
      ahead = offset
    }
  }
}

export interface HandClock {
  readonly clock: Clock.Clock
  readonly advance: (millis: number) => void
}

/** Like `TestClock`, but that one takes milliseconds to advance, and would stop the timers of a store's driver too. */
export const handClock = (): HandClock => {
  let now = Date.now()
  return {
    clock: telling(() => now),
    advance: (millis) => {
      now += millis
    }
  }
}
