/** Time that nobody can set back. */
import { Clock, Context, DefaultServices, Effect } from "effect"

const liveClock = Context.get(DefaultServices.liveServices, Clock.Clock)

/** A function that reads the Clock of this Effect's fiber as monotonic milliseconds; with a `TestClock` they are that Clock's. */
export const monotonicMillis: Effect.Effect<() => number> = Effect.map(Effect.clock, (clock) =>
  // The same time: the Clock's own way makes a BigInt at each call, which takes as long as the rest of a hit.
  clock === liveClock ? () => performance.now() : () => Number(clock.unsafeCurrentTimeNanos()) / 1e6
)
