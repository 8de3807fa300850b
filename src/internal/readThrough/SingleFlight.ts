/**
 * Starts computations, joins them and leaves them. Waiters come and go; with the last one a computation ends, unless it runs in
 * the background.
 */
import { Effect, Exit, Fiber } from "effect"
import type { Snapshot } from "../entries/EntryReader.js"
import type { CallingFiber } from "../runtime/fiber.js"
import { withFiber } from "../runtime/fiber.js"
import { type Surroundings, surroundings } from "../runtime/inherited.js"
import { computeSpan } from "../runtime/spans.js"
import type { Computation, Mode } from "./computation.js"
import { ancestry, currentFlight, Flight, lost, type Outcome } from "./Flight.js"
import type { Flights } from "./Flights.js"
import type { MemoRequest } from "./request.js"

const cyclic = (path: ReadonlyArray<string>): Effect.Effect<never> =>
  Effect.dieMessage(`Cached computation needs its own result: ${path.join(" → ")}`)

export class SingleFlight {
  private readonly running = new Set<Flight>()
  private closed = false

  constructor(
    private readonly computation: Computation,
    private readonly flights: Flights,
    /** Whether giving a lease back takes no server's answer. */
    private readonly storeIsHere: boolean
  ) {}

  /** Ends what runs, when the layer does. (A finalizer in its scope for each would cost a third of a computation.) */
  get shutdown(): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.closed = true
      const fibers = Array.from(this.running, (flight) => flight.fiber).filter((fiber) => fiber !== undefined)
      return Fiber.interruptAll(fibers)
    })
  }

  /** Starts a flight and waits for it. */
  start<A, E, R>(
    fiber: CallingFiber,
    request: MemoRequest<A, E, R>,
    mode: Mode,
    seen?: Snapshot
  ): Effect.Effect<Outcome<A, E>, never, R> {
    return Effect.uninterruptibleMask((restore) => {
      const asking = currentFlight.of(fiber)
      const flight = this.prepare(request, mode, asking, false)
      if (!(flight instanceof Flight)) return flight
      // The fibers that are ready now may ask for the same, and join it. After their turn the computation runs within this
      // one's: what does not suspend has landed then, and took one turn of the scheduler, not three.
      return Effect.flatMap(Effect.zipRight(Effect.yieldNow(), surroundings<R>()), (found) => {
        this.launch(fiber, found, request, flight, mode, seen, !this.closed)
        return this.await<A, E>(flight, asking, flight.hasLanded ? flight.landing : restore(flight.landing))
      })
    })
  }

  /** Starts a flight that nobody needs to wait for. */
  startBehind<A, E, R>(
    fiber: CallingFiber,
    request: MemoRequest<A, E, R>,
    mode: Mode,
    seen: Snapshot
  ): Effect.Effect<void, never, R> {
    return Effect.uninterruptible(
      Effect.flatMap(surroundings<R>(), (found) => {
        const flight = this.prepare(request, mode, currentFlight.of(fiber), true)
        if (!(flight instanceof Flight)) return flight
        this.launch(fiber, found, request, flight, mode, seen, false)
        return Effect.void
      })
    )
  }

  /** Waits for a flight that another caller started. */
  join<A, E, R>(request: MemoRequest<A, E, R>, flight: Flight): Effect.Effect<Outcome<A, E>> {
    return Effect.uninterruptibleMask((restore) =>
      withFiber((fiber) => {
        const asking = currentFlight.of(fiber)
        if (asking !== undefined && flight.reaches(asking)) {
          return cyclic([asking.printed, flight.printed, asking.printed])
        }
        // It ended for want of a waiter between being found and being joined: its end is not this caller's.
        if (flight.abandoned) return Effect.succeed(lost)
        // In one step with the question above: two flights that ask for each other at once must not both be told no.
        asking?.wait(flight)
        flight.waiters++
        return Effect.tap(this.await<A, E>(flight, asking, restore(flight.landing)), (outcome) =>
          outcome._tag === "Done" ? request.counters.count("joined") : Effect.void
        )
      })
    )
  }

  /** Computes for this caller alone, in its own fiber, and stores nothing. */
  alone<A, E, R>(request: MemoRequest<A, E, R>): Effect.Effect<A, E, R> {
    return Effect.uninterruptibleMask((restore) =>
      withFiber((fiber) => {
        const asking = currentFlight.of(fiber)
        const path = ancestry(asking, this.flights, request.key)
        if (path !== undefined) return cyclic([...path, request.printed])
        const flight = this.flight(request, asking, false)
        asking?.wait(flight)
        return Effect.onExit(
          restore(currentFlight.within(computeSpan(fiber, request.printed, request.compute), flight)),
          (exit) => {
            asking?.unwait(flight)
            // Fibers that it has forked may outlive it.
            flight.phase = "landed"
            return request.counters.count(Exit.isSuccess(exit) ? "computed" : "failed")
          }
        )
      })
    )
  }

  private flight<A, E, R>(request: MemoRequest<A, E, R>, parent: Flight | undefined, background: boolean): Flight {
    const { flights } = this
    return new Flight(flights, request.key, request.printed, flights.newId(), request.groups, background, parent)
  }

  /** A flight that others can find, and that is sure to be launched; or why there can be none. */
  private prepare<A, E, R>(
    request: MemoRequest<A, E, R>,
    mode: Mode,
    asking: Flight | undefined,
    background: boolean
  ): Flight | Effect.Effect<never> {
    const path = ancestry(asking, this.flights, request.key)
    if (path !== undefined) return cyclic([...path, request.printed])
    const flight = this.flight(request, asking, background)
    flight.forced = mode === "force"
    if (!background) {
      flight.waiters = 1
      asking?.wait(flight)
    }
    if (mode === "withoutStore") this.flights.beginsWithoutLease(flight)
    else this.flights.register(flight)
    this.running.add(flight)
    return flight
  }

  /** @param found around the caller, in an uninterruptible region */
  private launch<A, E, R>(
    caller: CallingFiber,
    found: Surroundings<R>,
    request: MemoRequest<A, E, R>,
    flight: Flight,
    mode: Mode,
    seen: Snapshot | undefined,
    immediate: boolean
  ): void {
    const life = this.computation.run(request, flight, mode, seen, (outcome) => {
      this.running.delete(flight)
      this.flights.land(flight, outcome)
    })
    flight.fiber = currentFlight.fork(caller, found, flight, life, immediate)
    if (this.closed) flight.fiber.unsafeInterruptAsFork(flight.fiber.id())
  }

  /** For a caller that is counted, and known to `asking`, already. */
  private await<A, E>(
    flight: Flight,
    asking: Flight | undefined,
    landing: Effect.Effect<Outcome<unknown, unknown>>
  ): Effect.Effect<Outcome<A, E>> {
    // In an uninterruptible region this is all that `ensuring` does.
    return Effect.matchCauseEffect(landing, {
      onSuccess: (landed) => {
        // One key has one type: whoever flies for it computes what this caller would.
        const outcome = landed as Outcome<A, E>
        const ending = this.leave(flight, asking)
        return ending === undefined ? Effect.succeed(outcome) : Effect.as(ending, outcome)
      },
      onFailure: (cause) => Effect.zipRight(this.leave(flight, asking) ?? Effect.void, Effect.failCause(cause))
    })
  }

  /** What ends the flight, if this was the last one who waited for it. */
  private leave(flight: Flight, asking: Flight | undefined): Effect.Effect<void> | undefined {
    asking?.unwait(flight)
    flight.waiters--
    if (flight.waiters > 0 || flight.background || flight.phase === "landed") return undefined
    this.flights.abandon(flight)
    return this.end(flight)
  }

  /**
   * Ends a flight that nobody waits for any more. As without a cache, the last one to leave waits until the computation
   * has ended, but not for a server to be told: a caller's own time-out must not hang on one that does not answer.
   */
  private end(flight: Flight): Effect.Effect<void> {
    if (flight.fiber === undefined) return Effect.void
    if (this.storeIsHere) return Effect.asVoid(Fiber.interrupt(flight.fiber))
    return Effect.zipRight(
      Fiber.interruptFork(flight.fiber),
      flight.computation === undefined ? Effect.void : Effect.asVoid(Fiber.interrupt(flight.computation))
    )
  }
}
