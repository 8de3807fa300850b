/**
 * The computations that run in this process, and who waits for whom. One registry a layer: two layers share nothing.
 *
 * A caller may take part in a running computation only if it can't be older than the call itself allows. Two cases are
 * safe without asking the store again, and they are the two indices:
 * - the computation has not begun (`acquiring`): it begins after the call did;
 * - the caller has just read the flight's own lease in the store (`computing`, by lease id): nothing has invalidated
 *   it up to that read.
 * While the store can't be read there is no lease to look at; then callers share by key (`withoutLease`).
 */
import { randomBytes } from "node:crypto"
import { Deferred, Effect, type Exit, type Fiber, FiberId, FiberRef, GlobalValue } from "effect"

export type Outcome<A, E> =
  /** Another lease holder was faster: the caller reads again. */
  { readonly _tag: "Lost" } | { readonly _tag: "Done"; readonly exit: Exit.Exit<A, E> }

export const lost: Outcome<never, never> = { _tag: "Lost" }

/** Its types are those of the key: whoever waits for it knows them. */
export class Flight {
  phase: "acquiring" | "computing" | "landed" = "acquiring"
  waiters = 0
  /** A forced recalculation takes part: what it replaces must not outlive it. */
  forced = false
  /** The last one who wanted the value has left: what was leased for it is given back. */
  abandoned = false
  /** The flight's own fiber, and the one that computes. */
  fiber: Fiber.RuntimeFiber<void> | undefined
  computation: Fiber.RuntimeFiber<unknown, unknown> | undefined
  private outcome: Outcome<unknown, unknown> | undefined
  private starter: ((landed: Effect.Effect<Outcome<unknown, unknown>>) => void) | undefined
  private shared: Deferred.Deferred<Outcome<unknown, unknown>> | undefined
  /** The flights that fibers of this one's computation wait for, with how many fibers do. */
  private waitsFor: Map<Flight, number> | undefined

  constructor(
    readonly registry: Flights,
    readonly key: string,
    readonly printed: string,
    readonly id: string,
    readonly groups: ReadonlyArray<string>,
    /** Runs on without a waiter. */
    readonly background: boolean,
    /** The flight whose computation asked for this one. */
    public parent: Flight | undefined
  ) {}

  /** What those wait for who join. */
  get landing(): Effect.Effect<Outcome<unknown, unknown>> {
    if (this.outcome !== undefined) return Effect.succeed(this.outcome)
    this.shared ??= Deferred.unsafeMake(FiberId.none)
    return Deferred.await(this.shared)
  }

  /** The same for the one who started it, who mostly stays alone: a `Deferred` takes longer to make than to use. */
  get ownLanding(): Effect.Effect<Outcome<unknown, unknown>> {
    if (this.outcome !== undefined) return Effect.succeed(this.outcome)
    return Effect.async((resume) => {
      if (this.outcome === undefined) this.starter = resume
      else resume(Effect.succeed(this.outcome))
    })
  }

  get hasLanded(): boolean {
    return this.outcome !== undefined
  }

  land(outcome: Outcome<unknown, unknown>): void {
    this.phase = "landed"
    this.outcome = outcome
    const landed = Effect.succeed(outcome)
    this.starter?.(landed)
    if (this.shared !== undefined) Deferred.unsafeDone(this.shared, landed)
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

  reaches(target: Flight, seen: Set<Flight> = new Set()): boolean {
    if (this === target) return true
    for (const next of this.waitsFor?.keys() ?? []) {
      if (seen.has(next)) continue
      seen.add(next)
      if (next.reaches(target, seen)) return true
    }
    return false
  }
}

/** The flight on whose behalf the fiber computes; inherited by the fibers that it forks. */
export const currentFlight: FiberRef.FiberRef<Flight | undefined> = GlobalValue.globalValue(
  Symbol.for("effect-cached/currentFlight"),
  // A fiber that joins one forked by a computation computes nothing itself.
  () => FiberRef.unsafeMake<Flight | undefined>(undefined, { join: (own) => own })
)

/** So many given up leases are remembered: more than are on their way to the store at once. */
const rememberedLeases = 1_000

export class Flights {
  /** In no other layer of any process. */
  private readonly instance = randomBytes(9).toString("base64url")
  private count = 0
  private readonly acquiringByKey = new Map<string, Flight>()
  private readonly computingByLease = new Map<string, Flight>()
  private readonly withoutLeaseByKey = new Map<string, Flight>()
  private readonly givenUp = new Set<string>()

  newId(): string {
    return `${this.instance}.${++this.count}`
  }

  /** Whether the lease is one of this layer's that nobody holds any more, whatever the store still says. */
  hasEnded(leaseId: string): boolean {
    return leaseId.startsWith(`${this.instance}.`) && !this.computingByLease.has(leaseId)
  }

  acquiring(key: string): Flight | undefined {
    return this.acquiringByKey.get(key)
  }

  computing(leaseId: string): Flight | undefined {
    return this.computingByLease.get(leaseId)
  }

  /** Whether the lease is one of a computation that runs here, or of one that was given up; else `undefined`. */
  holds(leaseId: string): boolean | undefined {
    if (this.computingByLease.has(leaseId)) return true
    return this.givenUp.has(leaseId) ? false : undefined
  }

  withoutLease(key: string): Flight | undefined {
    return this.withoutLeaseByKey.get(key)
  }

  register(flight: Flight): void {
    this.acquiringByKey.set(flight.key, flight)
  }

  /** The lease is held: the computation begins. What was begun without one is older: nobody joins that any more. */
  leased(flight: Flight): void {
    this.remove(flight)
    this.withoutLeaseByKey.delete(flight.key)
    flight.phase = "computing"
    this.computingByLease.set(flight.id, flight)
  }

  /**
   * The store can't be reached: the computation begins without a lease. If only the answer was lost, the lease stands:
   * then those who read it join.
   */
  unreachable(flight: Flight): void {
    this.remove(flight)
    flight.phase = "computing"
    this.withoutLeaseByKey.set(flight.key, flight)
    this.computingByLease.set(flight.id, flight)
  }

  /** Nobody wants it any more. Its lease counts for nothing here, even before the store has heard of it. */
  abandon(flight: Flight): void {
    flight.abandoned = true
    this.remove(flight)
    if (this.givenUp.size >= rememberedLeases) {
      const [oldest = ""] = this.givenUp
      this.givenUp.delete(oldest)
    }
    this.givenUp.add(flight.id)
  }

  /** By identity: a later flight under the same key stays. */
  remove(flight: Flight): void {
    if (this.acquiringByKey.get(flight.key) === flight) this.acquiringByKey.delete(flight.key)
    if (this.withoutLeaseByKey.get(flight.key) === flight) this.withoutLeaseByKey.delete(flight.key)
    this.computingByLease.delete(flight.id)
  }

  land(flight: Flight, outcome: Outcome<unknown, unknown>): void {
    this.remove(flight)
    flight.land(outcome)
  }

  /** After an invalidation nobody joins what runs without a lease; leased flights are detached by their lease. */
  detach(keys: ReadonlyArray<string>): void {
    for (const key of keys) this.withoutLeaseByKey.delete(key)
  }

  detachGroup(group: string): void {
    for (const [key, flight] of this.withoutLeaseByKey) {
      if (flight.groups.includes(group)) this.withoutLeaseByKey.delete(key)
    }
  }

  detachAll(): void {
    this.withoutLeaseByKey.clear()
  }

  get size(): number {
    return this.acquiringByKey.size + this.computingByLease.size
  }
}

/** The keys from the flight up to the one that computes `key` already, when there is one: a computation needs itself. */
export const ancestry = (
  flight: Flight | undefined,
  registry: Flights,
  key: string
): ReadonlyArray<string> | undefined => {
  const path: Array<string> = []
  for (let at = flight; at !== undefined; at = at.parent) {
    // A computation may start the next for ever: what has landed is not kept for those that come after it.
    while (at.parent?.phase === "landed") at.parent = at.parent.parent
    path.unshift(at.printed)
    if (at.registry === registry && at.key === key && at.phase !== "landed") return path
  }
  return undefined
}
