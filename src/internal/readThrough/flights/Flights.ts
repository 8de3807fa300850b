/**
 * Who may join a flight? This is the registry of the flights of one layer in this process; two layers share nothing.
 *
 * A caller may join a running computation only if its value can't be older than the call itself allows. Two cases are safe
 * without asking the store again, and they are the two indices:
 * - The computation has not begun (`acquiring`, by key): it begins after the call.
 * - The caller has just read the flight's own lease in the store (`computing`, by lease id): nothing invalidated the key up to
 *   that read.
 * While the store can't be read, or takes no lease, there is none to look for. Then callers share by key (`withoutLease`). Callers
 * who waited for a lease that ended without a value share the flight that begins then (`after`): all their calls are older than it.
 */
import { randomBytes } from "node:crypto"
import type { MemoRequest } from "../request.js"
import { Flight, type Outcome } from "./Flight.js"
import { leaseId } from "./leaseId.js"

/** More leases than can be given back at the same time. */
const rememberedLeases = 1_000
/** A key that is forgotten is refreshed in the background once more. */
const rememberedFailures = 1_000

/** Adds the text; a set that is full drops its oldest one. */
const remember = (texts: Set<string>, text: string, most: number): void => {
  const [oldest] = texts
  if (texts.size >= most && oldest !== undefined) texts.delete(oldest)
  texts.add(text)
}

export class Flights {
  /** The layer has ended, or is ending: whoever computes from now on computes alone. */
  closed = false
  /** Unique to this layer among all processes. */
  private readonly instance = randomBytes(9).toString("base64url")
  private count = 0
  private readonly acquiringByKey = new Map<string, Flight>()
  private readonly computingByLease = new Map<string, Flight>()
  private readonly withoutLeaseByKey = new Map<string, Flight>()
  private readonly afterLease = new Map<string, Flight>()
  private readonly abandonedLeases = new Set<string>()
  /** How many flights of each key run, those of callers who compute alone included. */
  private readonly runningByKey = new Map<string, number>()
  private readonly runningFlights = new Set<Flight>()
  /** Keys whose refresh in the background failed after its starter had left. */
  private readonly refreshedByCallers = new Set<string>()

  /**
   * A new flight, which nobody knows yet.
   *
   * @param after the lease that ended without a value before
   */
  make<A, E, R>(
    { groups, key, printed }: MemoRequest<A, E, R>,
    parent: Flight | undefined,
    goesOn: boolean,
    after?: string
  ): Flight {
    return new Flight(this, key, printed, leaseId(this.instance, ++this.count, after), groups, goesOn, parent)
  }

  /** Whether the lease is one of this layer's whose computation has ended, whatever the store still says. */
  hasEnded(leaseId: string): boolean {
    return leaseId.startsWith(`${this.instance}.`) && !this.computingByLease.has(leaseId)
  }

  acquiring(key: string): Flight | undefined {
    return this.acquiringByKey.get(key)
  }

  computing(leaseId: string): Flight | undefined {
    return this.computingByLease.get(leaseId)
  }

  /** The flight of this key that runs without a lease, if callers may still join it. */
  withoutLease(key: string): Flight | undefined {
    return this.withoutLeaseByKey.get(key)
  }

  /** The flight without a lease that began after this lease had ended. Whoever waited for the lease may join it. */
  after(leaseId: string): Flight | undefined {
    return this.afterLease.get(leaseId)
  }

  /** `true` if the lease's computation runs here, `false` if it counts no more here, `undefined` if neither is known. */
  runsHere(leaseId: string): boolean | undefined {
    if (this.computingByLease.has(leaseId)) return true
    return this.abandonedLeases.has(leaseId) ? false : undefined
  }

  register(flight: Flight): void {
    this.acquiringByKey.set(flight.key, flight)
  }

  /** The flight has its lease, and computes. A flight of this key that runs without a lease is older: nobody joins it any more. */
  beginsWithLease(flight: Flight): void {
    this.remove(flight)
    this.withoutLeaseByKey.delete(flight.key)
    flight.phase = "computing"
    this.computingByLease.set(flight.id, flight)
  }

  /**
   * The store can't be reached: the flight computes without a lease. If only the store's answer was lost, the lease is there:
   * callers who read it may join.
   */
  beginsWithoutLease(flight: Flight): void {
    this.remove(flight)
    flight.phase = "computing"
    this.withoutLeaseByKey.set(flight.key, flight)
    this.computingByLease.set(flight.id, flight)
  }

  /** Another process has the lease: the flight computes without one, for callers who waited for the lease `ended`. */
  beginsAfter(flight: Flight, ended: string): void {
    flight.phase = "computing"
    flight.follows = ended
    this.afterLease.set(ended, flight)
  }

  /** Its last waiter has left. Its lease counts no more in this process, even before it is given back in the store. */
  abandon(flight: Flight): void {
    flight.abandoned = true
    this.endLease(flight)
  }

  /** It has computed for `maxLease`: nobody joins it any more, and those who did read again. Its starter goes on waiting. */
  expire(flight: Flight): void {
    this.endLease(flight)
    flight.expire()
  }

  private endLease(flight: Flight): void {
    this.remove(flight)
    this.disown(flight.id)
  }

  /** Nobody joins the lease's computation any more, whatever the store says of the lease. */
  disown(leaseId: string): void {
    this.computingByLease.delete(leaseId)
    remember(this.abandonedLeases, leaseId, rememberedLeases)
  }

  land(flight: Flight, outcome: Outcome<unknown, unknown>): void {
    this.remove(flight)
    this.ends(flight)
    flight.land(outcome)
  }

  /** The flight runs from now on, whether others may join it or not. `ends` must follow. */
  begins(flight: Flight): void {
    this.runningFlights.add(flight)
    this.runningByKey.set(flight.key, (this.runningByKey.get(flight.key) ?? 0) + 1)
  }

  ends(flight: Flight): void {
    this.runningFlights.delete(flight)
    const count = this.runningByKey.get(flight.key) ?? 0
    if (count > 1) this.runningByKey.set(flight.key, count - 1)
    else this.runningByKey.delete(flight.key)
  }

  /** Whether a flight of this key runs. If none does, no chain of flights leads back to it. */
  isRunning(key: string): boolean {
    return this.runningByKey.has(key)
  }

  /** All flights that run, those of callers who compute alone included; the oldest first. */
  get running(): ReadonlySet<Flight> {
    return this.runningFlights
  }

  /** A refresh in the background failed after its starter had left: callers refresh the key, with their own services. */
  callersRefresh(key: string): void {
    remember(this.refreshedByCallers, key, rememberedFailures)
  }

  /** A computation succeeded, or failed whatever the services: the next refresh is in the background again. */
  layerRefreshes(key: string): void {
    this.refreshedByCallers.delete(key)
  }

  doCallersRefresh(key: string): boolean {
    return this.refreshedByCallers.has(key)
  }

  /**
   * Nobody may join the keys' flights without a lease any more: an invalidation came. Flights with a lease lose it in the store.
   */
  detach(key: string): void {
    this.withoutLeaseByKey.delete(key)
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

  /** By identity: a later flight under the same key stays. */
  private remove(flight: Flight): void {
    if (this.acquiringByKey.get(flight.key) === flight) this.acquiringByKey.delete(flight.key)
    if (this.withoutLeaseByKey.get(flight.key) === flight) this.withoutLeaseByKey.delete(flight.key)
    if (flight.follows !== undefined && this.afterLease.get(flight.follows) === flight) {
      this.afterLease.delete(flight.follows)
    }
    this.computingByLease.delete(flight.id)
  }
}
