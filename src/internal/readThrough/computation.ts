/**
 * The life of one computation: leased in the store, run in a fiber of the layer (it is nobody's child), renewed while
 * it lasts, and its value published only if the lease still stands. Waiters come and go; with the last one it ends.
 */
import { Effect, Exit, Fiber, FiberRefs, Option, Runtime } from "effect"
import { now, type Snapshot } from "../entries/EntryReader.js"
import { computeSpan, nowMillis } from "../runtime/instruments.js"
import { ancestry, currentFlight, Flight, type Flights, lost, type Outcome } from "./Flights.js"
import type { Acquired, Hold, Leases } from "./Lease.js"
import type { MemoRequest } from "./request.js"

/**
 * - `miss`: nothing was there.
 * - `refresh`: what is there is served on meanwhile.
 * - `force`: whatever is there, and whoever leases it.
 * - `apart`: without the store.
 */
export type Mode = "miss" | "refresh" | "force" | "apart"

type AnyFiber = Fiber.RuntimeFiber<unknown, unknown>

/** Renewed this many times before a lease would run out, so that a late renewal or a skewed clock does no harm. */
const renewalsPerLease = 3

const cyclic = (path: ReadonlyArray<string>): Effect.Effect<never> =>
  Effect.dieMessage(`Cached computation needs its own result: ${path.join(" → ")}`)

export class Computations {
  private readonly running = new Set<Flight>()
  private closed = false

  constructor(
    private readonly leases: Leases,
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
  fly<A, E, R>(
    fiber: AnyFiber,
    request: MemoRequest<A, E, R>,
    mode: Mode,
    seen?: Snapshot
  ): Effect.Effect<Outcome<A, E>, never, R> {
    return Effect.uninterruptibleMask((restore) => {
      const asking = fiber.getFiberRef(currentFlight)
      const flight = this.prepare(request, mode, asking, false)
      if (!(flight instanceof Flight)) return flight
      // The fibers that are ready now may ask for the same, and join it. After their turn the computation runs within this
      // one's: what does not suspend has landed then, and took one turn of the scheduler, not three.
      return Effect.flatMap(Effect.zipRight(Effect.yieldNow(), Effect.runtime<R>()), (runtime) => {
        this.launch(fiber, runtime, request, flight, mode, seen, !this.closed)
        return this.await<A, E>(flight, asking, flight.hasLanded ? flight.ownLanding : restore(flight.ownLanding))
      })
    })
  }

  /** Starts a flight that nobody needs to wait for. */
  flyBehind<A, E, R>(
    fiber: AnyFiber,
    request: MemoRequest<A, E, R>,
    mode: Mode,
    seen: Snapshot
  ): Effect.Effect<void, never, R> {
    return Effect.uninterruptible(
      Effect.flatMap(Effect.runtime<R>(), (runtime) => {
        const flight = this.prepare(request, mode, fiber.getFiberRef(currentFlight), true)
        if (!(flight instanceof Flight)) return flight
        this.launch(fiber, runtime, request, flight, mode, seen, false)
        return Effect.void
      })
    )
  }

  /** Waits for a flight that another caller started. */
  join<A, E, R>(request: MemoRequest<A, E, R>, flight: Flight): Effect.Effect<Outcome<A, E>> {
    return Effect.uninterruptibleMask((restore) =>
      Effect.withFiberRuntime((fiber) => {
        const asking = fiber.getFiberRef(currentFlight)
        if (asking !== undefined && flight.reaches(asking)) {
          return cyclic([asking.printed, flight.printed, asking.printed])
        }
        // It ended for want of a waiter between being found and being joined: its end is not this caller's.
        if (flight.abandoned) return Effect.succeed(lost)
        // In one step with the question above: two flights that ask for each other at once must not both be told no.
        asking?.wait(flight)
        flight.waiters++
        return Effect.tap(this.await<A, E>(flight, asking, restore(flight.landing)), (outcome) =>
          outcome._tag === "Done" ? request.meters.count("joined") : Effect.void
        )
      })
    )
  }

  /** Computes for this caller alone, in its own fiber, and stores nothing. */
  alone<A, E, R>(request: MemoRequest<A, E, R>): Effect.Effect<A, E, R> {
    return Effect.uninterruptibleMask((restore) =>
      Effect.withFiberRuntime((fiber) => {
        const asking = fiber.getFiberRef(currentFlight)
        const path = ancestry(asking, this.flights, request.key)
        if (path !== undefined) return cyclic([...path, request.printed])
        const flight = this.flight(request, asking, false)
        asking?.wait(flight)
        return Effect.onExit(
          restore(Effect.locally(computeSpan(fiber, request.printed, request.compute), currentFlight, flight)),
          (exit) => {
            asking?.unwait(flight)
            // Fibers that it has forked may outlive it.
            flight.phase = "landed"
            return request.meters.count(Exit.isSuccess(exit) ? "computed" : "failed")
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
    if (mode === "apart") this.flights.unreachable(flight)
    else this.flights.register(flight)
    this.running.add(flight)
    return flight
  }

  /** @param runtime of the caller, in an uninterruptible region */
  private launch<A, E, R>(
    caller: AnyFiber,
    runtime: Runtime.Runtime<R>,
    request: MemoRequest<A, E, R>,
    flight: Flight,
    mode: Mode,
    seen: Snapshot | undefined,
    immediate: boolean
  ): void {
    const course =
      mode === "apart" ? this.courseWithoutLease(request, flight) : this.course(request, flight, mode, seen)
    // Set before there is a fiber: one that sets it itself takes longer for that than for all else here.
    const fiberRefs = FiberRefs.updateAs(runtime.fiberRefs, {
      fiberId: caller.id(),
      fiberRef: currentFlight,
      value: flight
    })
    const own = Runtime.make({ ...runtime, fiberRefs })
    flight.fiber = Runtime.runFork(own)(course, { immediate })
    if (this.closed) flight.fiber.unsafeInterruptAsFork(flight.fiber.id())
  }

  /** For a caller that is counted, and known to `asking`, already. */
  private await<A, E>(
    flight: Flight,
    asking: Flight | undefined,
    landing: Effect.Effect<Outcome<unknown, unknown>>
  ): Effect.Effect<Outcome<A, E>> {
    const leave = (): Effect.Effect<void> | undefined => {
      asking?.unwait(flight)
      flight.waiters--
      if (flight.waiters > 0 || flight.background || flight.phase === "landed") return undefined
      this.flights.abandon(flight)
      return this.end(flight)
    }
    // In an uninterruptible region this is all that `ensuring` does.
    return Effect.matchCauseEffect(landing, {
      onSuccess: (landed) => {
        // One key has one type: whoever flies for it computes what this caller would.
        const outcome = landed as Outcome<A, E>
        const left = leave()
        return left === undefined ? Effect.succeed(outcome) : Effect.as(left, outcome)
      },
      onFailure: (cause) => {
        const left = leave()
        return left === undefined ? Effect.failCause(cause) : Effect.zipRight(left, Effect.failCause(cause))
      }
    })
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

  /**
   * The flight's own fiber. It can be interrupted only while it waits for the computation, so that no lease is
   * forgotten; whatever happens, those who wait hear of it.
   */
  private course<A, E, R>(
    request: MemoRequest<A, E, R>,
    flight: Flight,
    mode: Exclude<Mode, "apart">,
    seen: Snapshot | undefined
  ): Effect.Effect<void, never, R> {
    const acquiring = this.leases.take(request, flight, mode !== "miss", mode === "force", seen)
    const flown = Effect.flatMap(acquiring, (lease: Acquired): Effect.Effect<Outcome<A, E>, never, R> => {
      if (lease._tag === "Lost") return Effect.succeed(lost)
      const hold = lease._tag === "Held" ? lease.hold : undefined
      if (flight.abandoned) return Effect.zipRight(this.leases.giveBack(request, hold), Effect.interrupt)
      if (hold === undefined) this.flights.unreachable(flight)
      else this.flights.leased(flight)
      const computing = Effect.interruptible(this.boarding(request, flight))
      // Without a lease there is nothing to renew and nothing to give back: no second fiber is needed.
      const computed = hold === undefined ? Effect.exit(computing) : this.supervised(request, hold, computing)
      return Effect.flatMap(now, (begun) =>
        Effect.flatMap(computed, (exit) =>
          Effect.as(
            Effect.flatMap(now, (ended) => this.settle(request, flight, hold, exit, ended - begun)),
            { _tag: "Done", exit } as const
          )
        )
      )
    })
    // All of it is uninterruptible, so neither end can be missed.
    return Effect.matchCause(flown, {
      onSuccess: (outcome) => this.land(flight, outcome),
      onFailure: (cause) => this.land(flight, { _tag: "Done", exit: Exit.failCause(cause) })
    })
  }

  /** The same where the store is away from the beginning, so that an outage costs its callers as little as can be. */
  private courseWithoutLease<A, E, R>(request: MemoRequest<A, E, R>, flight: Flight): Effect.Effect<void, never, R> {
    return Effect.withFiberRuntime<void, never, R>((fiber) => {
      const begun = nowMillis(fiber)
      const landed = (exit: Exit.Exit<A, E>) => {
        if (Exit.isSuccess(exit)) request.meters.unsafeComputed(fiber, nowMillis(fiber) - begun)
        else if (!flight.abandoned) request.meters.unsafeCount(fiber, "failed")
        this.land(flight, { _tag: "Done", exit })
      }
      return Effect.matchCause(Effect.interruptible(this.board(fiber, request, flight)), {
        onSuccess: (value) => landed(Exit.succeed(value)),
        onFailure: (cause) => landed(Exit.failCause(cause))
      })
    })
  }

  private land(flight: Flight, outcome: Outcome<unknown, unknown>): void {
    this.running.delete(flight)
    this.flights.land(flight, outcome)
  }

  private boarding<A, E, R>(request: MemoRequest<A, E, R>, flight: Flight): Effect.Effect<A, E, R> {
    return Effect.withFiberRuntime<A, E, R>((fiber) => this.board(fiber, request, flight))
  }

  /** In one step: a computation that runs is known to whoever abandons its flight, and none begins after that. */
  private board<A, E, R>(fiber: AnyFiber, request: MemoRequest<A, E, R>, flight: Flight): Effect.Effect<A, E, R> {
    if (flight.abandoned) return Effect.interrupt
    flight.computation = fiber
    return computeSpan(fiber, request.printed, request.compute)
  }

  /** Runs the computation in a fiber of its own, so that an interruption can give the lease back before it has ended. */
  private supervised<A, E, R>(
    request: MemoRequest<A, E, R>,
    hold: Hold,
    computing: Effect.Effect<A, E, R>
  ): Effect.Effect<Exit.Exit<A, E>, never, R> {
    return Effect.flatMap(Effect.fork(computing), (child) =>
      Effect.onInterrupt(this.supervise(request, child, hold), () =>
        Effect.zipRight(this.leases.giveBack(request, hold), Fiber.interrupt(child))
      )
    )
  }

  /** Waits for the computation and renews the lease meanwhile. */
  private supervise<A, E, R>(
    request: MemoRequest<A, E, R>,
    child: Fiber.Fiber<A, E>,
    hold: Hold
  ): Effect.Effect<Exit.Exit<A, E>> {
    if (hold.token === undefined) return Effect.interruptible(Fiber.await(child))
    return Effect.flatMap(
      Effect.interruptible(Effect.timeoutOption(Fiber.await(child), request.policy.lease / renewalsPerLease)),
      Option.match({
        onSome: (exit) => Effect.succeed(exit),
        onNone: () => Effect.zipRight(this.leases.renew(request, hold), this.supervise(request, child, hold))
      })
    )
  }

  private settle<A, E, R>(
    request: MemoRequest<A, E, R>,
    flight: Flight,
    hold: Hold | undefined,
    exit: Exit.Exit<A, E>,
    computeMillis: number
  ): Effect.Effect<void> {
    if (flight.abandoned && Exit.isFailure(exit)) return this.leases.giveBack(request, hold)
    if (Exit.isFailure(exit)) {
      return Effect.zipRight(request.meters.count("failed"), this.leases.bear(request, flight, hold, exit.cause))
    }
    const counted = request.meters.computed(computeMillis)
    const replaced =
      hold === undefined ? Effect.succeed(false) : this.leases.publish(request, hold, exit.value, computeMillis)
    return Effect.zipRight(
      counted,
      // What a forced recalculation was to replace must not outlive it, whoever leases or has written it.
      Effect.flatMap(replaced, (done) => (done || !flight.forced ? Effect.void : this.leases.removeQuietly(request)))
    )
  }
}
