/**
 * Work in the background must not block Node's event loop while it runs, nor keep a process alive while it sleeps.
 */
import { Clock, Context, DefaultServices, Duration, Effect } from "effect"

/** Gives timers and sockets their turn. `Effect.yieldNow` gives only other fibers theirs. */
export const eventLoopTurn: Effect.Effect<void> = Effect.async((resume) => {
  const immediate = setImmediate(() => resume(Effect.void))
  return Effect.sync(() => clearImmediate(immediate))
})

const liveClock = Context.get(DefaultServices.liveServices, Clock.Clock)
/** Node fires a longer timer at once. Effect's live Clock never fires it, and neither does `unreferencedTimer`. */
const longestTimer = 2 ** 31 - 1

const unreferencedTimer = (millis: number): Effect.Effect<void> =>
  Effect.async((resume) => {
    if (millis > longestTimer) return
    const timer = setTimeout(() => resume(Effect.void), millis).unref()
    return Effect.sync(() => clearTimeout(timer))
  })

/**
 * `Effect.sleep` for loops in the background: it does not keep a process alive that has nothing else to do. On another Clock than
 * the live one (`TestClock`) it is that Clock's sleep.
 */
export const backgroundSleep = (duration: Duration.DurationInput): Effect.Effect<void> =>
  Effect.clockWith((clock) =>
    clock === liveClock ? unreferencedTimer(Duration.toMillis(duration)) : clock.sleep(Duration.decode(duration))
  )

/**
 * Sleeps on the clock, and then lets this process read its sockets. Returns how many milliseconds it was too busy to look at them:
 * by so much a time limit on a server must be longer. `Watchdog` is the same for callbacks.
 */
export const sleepThenRead = (clock: Clock.Clock, millis: number): Effect.Effect<number> =>
  Effect.suspend(() => {
    const [begunAt, begunBy] = [performance.now(), clock.unsafeCurrentTimeMillis()]
    return Effect.map(Effect.zipRight(clock.sleep(Duration.millis(millis)), eventLoopTurn), () => {
      // The smaller of both: a test moves its Clock by hours, and the system may set the time.
      const slept = Math.min(performance.now() - begunAt, clock.unsafeCurrentTimeMillis() - begunBy)
      return Math.max(0, slept - millis)
    })
  })
