/**
 * Where the callers of one key in this process share one computation: the first starts a flight, the others join it, and each
 * leaves it. When the last waiter leaves, the computation is interrupted, unless it runs in the background or is to `finish`.
 * `ReadThrough.ts` decides whether a caller joins; `Flights.ts` knows which flights it may join.
 */
import { Effect, Exit, Fiber, Option } from "effect"
import type { Snapshot } from "../../entries/EntryReader.js"
import { captureAsyncContext } from "../../runtime/asyncContext.js"
import type { CallingFiber } from "../../runtime/fiber.js"
import { withFiber } from "../../runtime/fiber.js"
import { Starter, type Surroundings, surroundings, withoutSpan } from "../../runtime/inherited.js"
import { linkSpans } from "../../telemetry/spans.js"
import { cycleOfJoin, cycleOfStart } from "../flights/cycles.js"
import { currentFlight, Flight, lost, type Outcome } from "../flights/Flight.js"
import type { Flights } from "../flights/Flights.js"
import type { MemoRequest } from "../request.js"
import type { Alone } from "./Alone.js"
import type { Computation, Mode } from "./Computation.js"

const hasFailed = (outcome: Outcome<unknown, unknown>): boolean =>
  outcome._tag === "Done" && Exit.isFailure(outcome.exit)

const noOutcome: Effect.Effect<undefined> = Effect.succeed(undefined)

export class SingleFlight {
  private readonly running = new Set<Flight>()

  constructor(
    private readonly computation: Computation,
    private readonly flights: Flights,
    private readonly alone: Alone,
    /** Whether the store is in this process: giving back a lease then waits for no server. */
    private readonly storeIsLocal: boolean
  ) {}

  /**
   * Ends all flights; for the end of the layer. Their callers, and those who come later, compute alone. (A finalizer in the layer's
   * scope for each flight costs a third of a computation.)
   */
  get shutdown(): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.flights.closed = true
      for (const flight of this.running) flight.deserted = true
      const fibers = Array.from(this.running, (flight) => flight.fiber).filter((fiber) => fiber !== undefined)
      return Fiber.interruptAll(fibers)
    })
  }

  /**
   * Starts a flight and waits for it.
   *
   * @param ended the lease that has ended without a value, as the caller has just read
   */
  start<A, E, R>(
    fiber: CallingFiber,
    request: MemoRequest<A, E, R>,
    mode: Mode,
    snapshot?: Snapshot,
    ended?: string
  ): Effect.Effect<Outcome<A, E>, never, R> {
    return Effect.uninterruptibleMask((restore) => {
      if (this.flights.closed) return restore(this.computeAlone(request))
      const callerFlight = currentFlight.of(fiber)
      const flight = this.prepare(request, mode, callerFlight, false, ended)
      if (!(flight instanceof Flight)) return flight
      request.asyncContext ??= captureAsyncContext()
      // First, all other ready fibers have their turn: those that call the same key join this flight. Then the computation runs
      // at once, within this fiber's turn. If it does not suspend it has ended when `launch` returns, after one turn of the
      // scheduler instead of three.
      return Effect.flatMap(Effect.zipRight(Effect.yieldNow(), surroundings<R>()), (context) => {
        this.launch(fiber, context, request, flight, mode, snapshot, !this.flights.closed)
        return this.await<A, E>(flight, callerFlight, true, flight.hasLanded ? flight.landing : restore(flight.landing))
      })
    })
  }

  /**
   * Starts a flight that goes on without waiters.
   *
   * @param patience how many milliseconds this caller waits for it all the same
   * @returns `undefined` if it has not ended by then
   */
  startInBackground<A, E, R>(
    fiber: CallingFiber,
    request: MemoRequest<A, E, R>,
    mode: Mode,
    snapshot: Snapshot,
    patience: number
  ): Effect.Effect<Outcome<A, E> | undefined, never, R> {
    return Effect.uninterruptibleMask((restore) =>
      Effect.flatMap(surroundings<R>(), (context) => {
        if (this.flights.closed) return noOutcome
        const flight = this.prepare(request, mode, currentFlight.of(fiber), true)
        if (!(flight instanceof Flight)) return flight
        request.asyncContext ??= captureAsyncContext()
        flight.startedBy = new Starter(fiber, context.context)
        this.launch(fiber, withoutSpan(context), request, flight, mode, snapshot, false)
        return patience < 1 ? noOutcome : restore(this.told<A, E>(flight, patience))
      })
    )
  }

  /** Waits for a flight that another caller started. */
  join<A, E, R>(request: MemoRequest<A, E, R>, flight: Flight): Effect.Effect<Outcome<A, E>, never, R> {
    return Effect.uninterruptibleMask((restore) =>
      withFiber((fiber) => {
        const callerFlight = currentFlight.of(fiber)
        const cycle = cycleOfJoin(callerFlight, flight)
        if (cycle !== undefined) return cycle
        // Its last waiter has left since this caller found it: it is being interrupted, and this caller must not be.
        if (flight.abandoned) return Effect.succeed(lost)
        // In the same synchronous step as the check above: of two flights that wait for each other, one sees the cycle.
        callerFlight?.wait(flight)
        flight.waiters++
        request.companion?.joins()
        // This caller may have to compute after all.
        request.asyncContext ??= captureAsyncContext()
        return Effect.flatMap(
          this.await<A, E>(flight, callerFlight, false, restore(flight.joinedLanding)),
          (outcome): Effect.Effect<Outcome<A, E>, never, R> => {
            if (outcome._tag !== "Done") return Effect.succeed(outcome)
            if (!flight.misnamed) {
              linkSpans(fiber.currentSpan, flight.span)
              return Effect.as(request.counters.count("joined", request), outcome)
            }
            // Where this caller's arguments were changed too, another flight would be misnamed again.
            return request.hasOtherKeyNow() ? restore(this.computeAlone(request)) : Effect.succeed(lost)
          }
        )
      })
    )
  }

  /** The outcome for the starter of a flight in the background, while it waits. */
  private told<A, E>(flight: Flight, patience: number): Effect.Effect<Outcome<A, E> | undefined> {
    return Effect.map(Effect.timeoutOption(flight.landing, patience), (landed) => {
      if (Option.isNone(landed)) return undefined
      // The outcome has the type of the key: the flight computes what its starter asked for.
      return flight.deserted && hasFailed(landed.value) ? lost : (landed.value as Outcome<A, E>)
    })
  }

  private computeAlone<A, E, R>(request: MemoRequest<A, E, R>): Effect.Effect<Outcome<A, E>, never, R> {
    return Effect.map(Effect.exit(this.alone.compute(request)), (exit) => ({ _tag: "Done", exit }))
  }

  /** A new flight, registered, so the caller must launch it; or the error that the computation needs its own result. */
  private prepare<A, E, R>(
    request: MemoRequest<A, E, R>,
    mode: Mode,
    callerFlight: Flight | undefined,
    background: boolean,
    ended?: string
  ): Flight | Effect.Effect<never> {
    const cycle = cycleOfStart(this.flights, callerFlight, request)
    if (cycle !== undefined) return cycle
    // A value that can't be stored is of no use to anybody once all callers have left.
    const finishes = request.policy.finish && mode !== "withoutStore"
    const flight = this.flights.make(request, callerFlight, background || finishes, ended)
    flight.forced = mode === "force"
    if (!background) {
      flight.waiters = 1
      callerFlight?.wait(flight)
    }
    if (mode === "withoutStore") this.flights.beginsWithoutLease(flight)
    else if (mode === "withoutLease") this.flights.beginsAfter(flight, ended ?? "")
    else this.flights.register(flight)
    this.flights.begins(flight)
    this.running.add(flight)
    request.companion?.flightStarts()
    return flight
  }

  /**
   * Runs the flight in a fiber of its own.
   *
   * @param context of the caller, taken in an uninterruptible region
   * @param immediate whether the flight starts within the caller's turn of the scheduler
   */
  private launch<A, E, R>(
    caller: CallingFiber,
    context: Surroundings<R>,
    request: MemoRequest<A, E, R>,
    flight: Flight,
    mode: Mode,
    snapshot: Snapshot | undefined,
    immediate: boolean
  ): void {
    const life = this.computation.run(request, flight, mode, snapshot, (outcome) => {
      this.running.delete(flight)
      this.flights.land(flight, outcome)
      request.companion?.flightEnds()
    })
    flight.fiber = currentFlight.fork(caller, context, flight, life, immediate)
    if (!this.flights.closed) return
    flight.deserted = true
    flight.fiber.unsafeInterruptAsFork(flight.fiber.id())
  }

  /** Waits for the outcome, then leaves. The caller is counted as a waiter already. */
  private await<A, E>(
    flight: Flight,
    callerFlight: Flight | undefined,
    isStarter: boolean,
    landing: Effect.Effect<Outcome<unknown, unknown>>
  ): Effect.Effect<Outcome<A, E>> {
    // The region is uninterruptible, so this does what `ensuring` would do.
    return Effect.matchCauseEffect(landing, {
      onSuccess: (landed) => {
        // The outcome has the type of the key: the flight computes what this caller would compute.
        const outcome = landed as Outcome<A, E>
        const ending = this.leave(flight, callerFlight, isStarter)
        // The starter has its own services: only the end of the layer makes it compute anew.
        const isForeign = isStarter ? flight.deserted : flight.isDeserted
        const told = Effect.succeed(isForeign && hasFailed(outcome) ? lost : outcome)
        // It has computed for `maxLease` and its starter has left. It may never end, so nobody waits for that.
        return ending === undefined ? told : Effect.zipRight(Effect.forkDaemon(ending), told)
      },
      onFailure: (cause) =>
        Effect.zipRight(this.leave(flight, callerFlight, isStarter) ?? Effect.void, Effect.failCause(cause))
    })
  }

  /** The caller waits no more. Returns what ends the flight if this was its last waiter. */
  private leave(flight: Flight, callerFlight: Flight | undefined, isStarter: boolean): Effect.Effect<void> | undefined {
    callerFlight?.unwait(flight)
    flight.waiters--
    if (flight.phase === "landed") return undefined
    if (isStarter) flight.deserted = true
    if (flight.waiters > 0 || flight.goesOn) return undefined
    this.flights.abandon(flight)
    return this.end(flight)
  }

  /**
   * Interrupts a flight without waiters. Like a caller without a cache, the last waiter waits until the computation has ended.
   * It does not wait until a server has the lease back: the caller's own time-out must not depend on a server's answer.
   */
  private end(flight: Flight): Effect.Effect<void> {
    if (flight.fiber === undefined) return Effect.void
    if (this.storeIsLocal) return Effect.asVoid(Fiber.interrupt(flight.fiber))
    return Effect.zipRight(
      Fiber.interruptFork(flight.fiber),
      flight.computation === undefined ? Effect.void : Effect.asVoid(Fiber.interrupt(flight.computation))
    )
  }
}
