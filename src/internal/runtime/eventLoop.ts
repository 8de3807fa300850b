/**
 * What work in the background asks of Node's event loop: turns for others while it is long, and no hold on a process that
 * would otherwise end.
 */
import { Clock, Context, DefaultServices, Duration, Effect } from "effect"

/** Lets timers and sockets have their turn. `Effect.yieldNow` only lets other fibers run. */
export const eventLoopTurn: Effect.Effect<void> = Effect.async((resume) => {
  const immediate = setImmediate(() => resume(Effect.void))
  return Effect.sync(() => clearImmediate(immediate))
})

const liveClock = Context.get(DefaultServices.liveServices, Clock.Clock)
/** Node fires a longer timer at once; Effect's live Clock never fires it. */
const longestTimer = 2 ** 31 - 1

const unreferencedTimer = (millis: number): Effect.Effect<void> =>
  Effect.async((resume) => {
    if (millis > longestTimer) return
    const timer = setTimeout(() => resume(Effect.void), millis).unref()
    return Effect.sync(() => clearTimeout(timer))
  })

/**
 * `Effect.sleep` for loops in the background: a process that has nothing else to do ends during it. A clock other than
 * the live one (`TestClock`) sleeps as it always does.
 */
export const backgroundSleep = (duration: Duration.DurationInput): Effect.Effect<void> =>
  Effect.clockWith((clock) =>
    clock === liveClock ? unreferencedTimer(Duration.toMillis(duration)) : clock.sleep(Duration.decode(duration))
  )
