/** One running computation in this process, with the `Deferred` that its callers wait on. */
import { Deferred, Effect, type Exit, type Fiber, FiberId, type Tracer } from "effect"
import { Inherited, type Starter } from "../../runtime/inherited.js"

export type Outcome<A, E> =
  /** Another caller got the lease first: the waiting callers read again. */
  | { readonly _tag: "Lost" }
  /** The store takes no lease, and a flight of this key runs without one already: the waiting callers join that one. */
  | { readonly _tag: "RunsWithoutLease" }
  | { readonly _tag: "Done"; readonly exit: Exit.Exit<A, E> }

export const lost: Outcome<never, never> = { _tag: "Lost" }
export const runsWithoutLease: Outcome<never, never> = { _tag: "RunsWithoutLease" }

/** The types of the value and the error are those of the key. Only the callers know them. */
export class Flight {
  phase: "acquiring" | "computing" | "landed" = "acquiring"
  waiters = 0
  /** When its computation began, in milliseconds on the Clock. */
  begun: number | undefined
  /** One of its callers forced a recalculation: the old value must not outlive it. */
  forced = false
  /**
   * The arguments of the caller who started it were changed meanwhile: the outcome is that of another key, and for that caller
   * only.
   */
  misnamed = false
  /** Its last waiter has left: it is interrupted, and its lease is given back. */
  abandoned = false
  /** The flight of this layer, or of another one, whose computation asked for this one. */
  parent: Flight | undefined
  /** Its starter has left, or its layer closes. */
  deserted = false
  /** `isDeserted` when it ended. */
  private wasDeserted: boolean | undefined
  /** Who started it, if it goes on in the background. */
  startedBy: Starter | undefined
  /** The span of the computation, if there is a tracer. */
  span: Tracer.AnySpan | undefined
  /** The flight's own fiber, and the one that computes. */
  fiber: Fiber.RuntimeFiber<void> | undefined
  computation: Fiber.RuntimeFiber<unknown, unknown> | undefined
  /** It has computed for `maxLease`: nobody joins it any more. */
  private expired = false
  private outcome: Outcome<unknown, unknown> | undefined
  private shared: Deferred.Deferred<Outcome<unknown, unknown>> | undefined
  private joined: Deferred.Deferred<Outcome<unknown, unknown>> | undefined
  /** The lease, now ended, that its callers waited for before. */
  follows: string | undefined
  /** The flights that this computation waits for, each with the number of its fibers that do. */
  private waitsFor: Map<Flight, number> | undefined

  constructor(
    /** The `Flights` of its layer: flights of two layers may have the same key. */
    readonly registry: object,
    readonly key: string,
    readonly printed: string,
    /** The id of its lease. */
    readonly id: string,
    readonly groups: ReadonlyArray<string>,
    /** Goes on without a waiter. */
    readonly goesOn: boolean,
    parent: Flight | undefined
  ) {
    this.parent = stillRunning(parent)
    // A computation may start the next one without end: the flights that have ended are dropped from the chain.
    if (this.parent !== undefined) this.parent.parent = stillRunning(this.parent.parent)
  }

  /**
   * It computes with the services of its starter. Once the starter has left they may be closed: a failure then says nothing to
   * the other callers, who compute anew with their own services. A flight that was started from a deserted one has the same
   * services.
   */
  get isDeserted(): boolean {
    if (this.wasDeserted !== undefined) return this.wasDeserted
    for (let at: Flight | undefined = this; at !== undefined; at = at.parent) {
      if (at.deserted || at.startedBy?.hasLeft() === true) return true
    }
    return false
  }

  /** The outcome, once the flight has ended. */
  get landing(): Effect.Effect<Outcome<unknown, unknown>> {
    if (this.outcome !== undefined) return Effect.succeed(this.outcome)
    this.shared ??= Deferred.unsafeMake(FiberId.none)
    return Deferred.await(this.shared)
  }

  /** The same for callers that joined it: they do not wait longer than until nobody may join any more. */
  get joinedLanding(): Effect.Effect<Outcome<unknown, unknown>> {
    if (this.outcome !== undefined) return Effect.succeed(this.outcome)
    // A caller may have found it just before.
    if (this.expired) return Effect.succeed(lost)
    this.joined ??= Deferred.unsafeMake(FiberId.none)
    return Deferred.await(this.joined)
  }

  get hasLanded(): boolean {
    return this.outcome !== undefined
  }

  land(outcome: Outcome<unknown, unknown>): void {
    this.phase = "landed"
    this.outcome = outcome
    // The fiber of the starter must not stay in memory for as long as somebody knows this flight.
    this.wasDeserted = this.isDeserted
    this.startedBy = undefined
    if (this.shared !== undefined) Deferred.unsafeDone(this.shared, Effect.succeed(outcome))
    if (this.joined !== undefined) Deferred.unsafeDone(this.joined, Effect.succeed(outcome))
  }

  /** Those who joined it read again. */
  expire(): void {
    this.expired = true
    if (this.joined !== undefined) Deferred.unsafeDone(this.joined, Effect.succeed(lost))
    this.joined = undefined
  }

  wait(target: Flight): void {
    this.waitsFor ??= new Map()
    this.waitsFor.set(target, (this.waitsFor.get(target) ?? 0) + 1)
  }

  unwait(target: Flight): void {
    const count = this.waitsFor?.get(target) ?? 0
    if (count > 1) this.waitsFor?.set(target, count - 1)
    else this.waitsFor?.delete(target)
  }

  /** Whether it computes this key of this layer. */
  computes(registry: object, key: string): boolean {
    return registry === this.registry && key === this.key
  }

  /** Whether this flight waits for the target, through whatever chain of flights. */
  reaches(target: Flight): boolean {
    // A Set is walked in the order of insertion, and what is added during the walk is walked as well.
    const reached = new Set<Flight>([this])
    for (const flight of reached) {
      if (flight === target) return true
      for (const next of flight.waitsFor?.keys() ?? []) reached.add(next)
    }
    return false
  }
}

/** The flight, or else the nearest one it was started from that has not ended. */
export const stillRunning = (flight: Flight | undefined): Flight | undefined => {
  let at = flight
  while (at?.phase === "landed") at = at.parent
  return at
}

/** The flight whose computation the fiber is part of. The fibers that it forks inherit it. */
export const currentFlight = new Inherited<Flight | undefined>("effect-cached/currentFlight", undefined)
