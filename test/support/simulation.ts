/**
 * A world in which every step of every fiber is chosen: a scheduler that runs one operation of one fiber at a time, a
 * clock that moves only when nothing else can, and processes that can freeze or die. A run is a function of its choices.
 */
import { Clock, Duration, Effect, type Fiber, FiberRef, HashSet, type Logger, type Scheduler } from "effect"

/** Which of so many ready fibers has its turn. */
export type Choose = (ready: number) => number

/** The fiber that has waited longest. */
export const inTurn: Choose = () => 0

/** Xorshift32: the same choices for the same seed. */
export const seeded = (seed: number): Choose => {
  let state = (seed ^ 0x9e3779b9) | 1
  return (ready) => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) % ready
  }
}

interface Ready {
  readonly process: Process
  readonly task: () => void
}

interface Timer {
  readonly at: number
  readonly order: number
  readonly process: Process
  readonly fire: () => void
}

/** Fibers that stand still and end together. */
export class Process implements Scheduler.Scheduler {
  /** Nothing of it runs: a stopped event loop, or, for ever, a killed process. */
  frozen = false

  constructor(private readonly simulation: Simulation) {}

  shouldYield(fiber: Fiber.RuntimeFiber<unknown, unknown>): number | false {
    // A public field of the runtime's fibers that their type does not show; Effect's own schedulers use it so. The first
    // operation after a yield is the coming back, the second the one before which it yielded.
    const { currentOpCount } = fiber as unknown as { readonly currentOpCount: number }
    if (currentOpCount <= (this.simulation.everyOperation ? 2 : 2_048)) return false
    // To yield with a priority takes the runtime more operations than are let through here; without one it takes none.
    return undefined as unknown as number
  }

  scheduleTask(task: () => void): void {
    this.simulation.enqueue(this, task)
  }

  fork<A, E>(effect: Effect.Effect<A, E>): Fiber.RuntimeFiber<A, E> {
    return Effect.runFork(
      effect.pipe(
        Effect.withClock(this.simulation.clockOf(this)),
        Effect.locally(FiberRef.currentLoggers, HashSet.empty<Logger.Logger<unknown, unknown>>())
      ),
      { scheduler: this }
    )
  }
}

export class Simulation {
  private readonly ready: Array<Ready> = []
  private timers: Array<Timer> = []
  private order = 0
  /** Virtual milliseconds. */
  time = 0
  steps = 0
  /** Whether fibers take turns after each operation, or only where they wait. */
  everyOperation = false

  constructor(private readonly choose: Choose = inTurn) {}

  readonly process = (): Process => new Process(this)

  enqueue(process: Process, task: () => void): void {
    this.ready.push({ process, task })
  }

  clockOf(process: Process): Clock.Clock {
    const at = () => this.time
    return {
      [Clock.ClockTypeId]: Clock.ClockTypeId,
      unsafeCurrentTimeMillis: at,
      unsafeCurrentTimeNanos: () => BigInt(Math.round(this.time * 1e6)),
      currentTimeMillis: Effect.sync(at),
      currentTimeNanos: Effect.sync(() => BigInt(Math.round(this.time * 1e6))),
      sleep: (duration) =>
        Effect.async<void>((resume) => {
          const timer: Timer = {
            at: this.time + Duration.toMillis(duration),
            order: this.order++,
            process,
            fire: () => resume(Effect.void)
          }
          this.timers.push(timer)
          return Effect.sync(() => {
            this.timers = this.timers.filter((other) => other !== timer)
          })
        })
    }
  }

  /** One operation of one fiber, or else the next timer. `false`: nothing can ever happen again. */
  step(): boolean {
    this.steps++
    const awake = this.ready.filter(({ process }) => !process.frozen)
    if (awake.length > 0) {
      const chosen = awake[awake.length === 1 ? 0 : this.choose(awake.length)]
      if (chosen === undefined) throw new Error("the choice is out of range")
      this.ready.splice(this.ready.indexOf(chosen), 1)
      chosen.task()
      return true
    }
    const due = this.timers
      .filter(({ process }) => !process.frozen)
      .reduce<Timer | undefined>(
        (first, timer) =>
          first === undefined || timer.at < first.at || (timer.at === first.at && timer.order < first.order)
            ? timer
            : first,
        undefined
      )
    if (due === undefined) return false
    this.timers = this.timers.filter((timer) => timer !== due)
    this.time = Math.max(this.time, due.at)
    due.fire()
    return true
  }

  /** Until it holds; throws where it can't come true before the virtual time is up. */
  until(holds: () => boolean, what: string, within = 60_000): void {
    const end = this.time + within
    let steps = 0
    while (!holds()) {
      if (!this.step()) throw new Error(`stuck for ever: ${what}`)
      if (this.time > end) throw new Error(`not within ${within} ms: ${what}`)
      if (++steps > 2_000_000) throw new Error(`a loop without end: ${what}`)
    }
  }

  /** Lets so much virtual time go by. */
  pass(millis: number): void {
    let over = false
    const process = this.process()
    process.fork(
      Effect.zipRight(
        Effect.sleep(millis),
        Effect.sync(() => {
          over = true
        })
      )
    )
    this.until(() => over, "time passes", millis + 1)
  }
}
