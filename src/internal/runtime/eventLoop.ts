/**
 * Work in the background must not block Node's event loop while it runs, nor keep a process alive while it sleeps.
 */
import { Array as Arr, Clock, Context, DefaultServices, Duration, Effect } from "effect"

/** Gives timers and sockets their turn. `Effect.yieldNow` gives only other fibers theirs. */
export const eventLoopTurn: Effect.Effect<void> = Effect.async((resume) => {
  const immediate = setImmediate(() => resume(Effect.void))
  return Effect.sync(() => clearImmediate(immediate))
})

/** Works on so many at a time, and gives timers and sockets their turn in between. */
export const inTurns = <A>(
  all: ReadonlyArray<A>,
  atOnce: number,
  work: (some: ReadonlyArray<A>) => void
): Effect.Effect<void> =>
  all.length <= atOnce
    ? Effect.sync(() => work(all))
    : Effect.forEach(
        Arr.chunksOf(all, atOnce),
        (some, index) =>
          Effect.map(index === 0 ? Effect.void : eventLoopTurn, () => {
            work(some)
          }),
        { discard: true }
      )

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
 * The time that servers take, for a loop that sleeps until the earliest time limit. Time in which this process keeps its event loop
 * busy does not count: it has the answers in its sockets then, unread. `Watchdog` is the same for callbacks.
 */
export class ServerTime {
  private slept = 0
  /** The sleep that is under way. */
  private begunAt = 0
  private length = 0

  constructor(private readonly clock: Clock.Clock) {}

  /** Milliseconds. */
  now(): number {
    const current = Math.max(0, this.clock.unsafeCurrentTimeMillis() - this.begunAt)
    return this.slept + Math.min(current, this.length)
  }

  /** However late it wakes, it counts for no more than it was to last. Long sleeps are cut, so that it is noticed between them. */
  sleep(millis: number): Effect.Effect<void> {
    return Effect.suspend(() => {
      const length = Math.min(millis, longestSleep)
      this.begunAt = this.clock.unsafeCurrentTimeMillis()
      this.length = length
      return Effect.map(this.clock.sleep(Duration.millis(length)), () => {
        this.slept += length
        this.length = 0
      })
    })
  }
}

/** Milliseconds. */
const longestSleep = 250
