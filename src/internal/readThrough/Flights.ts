/**
 * Who may join a flight? This is the registry of the flights of one layer in this process; two layers share nothing.
 *
 * A caller may join a running computation only if its value can't be older than the call itself allows. Two cases are safe
 * without asking the store again, and they are the two indices:
 * - The computation has not begun (`acquiring`, by key): it begins after the call.
 * - The caller has just read the flight's own lease in the store (`computing`, by lease id): nothing invalidated the key up to
 *   that read.
 * While the store can't be read there is no lease to look for. Then callers share by key (`withoutLease`). Callers who waited for
 * a lease that ended without a value share the flight that begins then (`after`): all their calls are older than it.
 */
import { randomBytes } from "node:crypto"
import type { Flight, Outcome } from "./Flight.js"
import { leaseId } from "./leaseId.js"

/** More leases than can be given back at the same time. */
const rememberedLeases = 1_000

export class Flights {
  /** Unique to this layer among all processes. */
  private readonly instance = randomBytes(9).toString("base64url")
  private count = 0
  private readonly acquiringByKey = new Map<string, Flight>()
  private readonly computingByLease = new Map<string, Flight>()
  private readonly withoutLeaseByKey = new Map<string, Flight>()
  private readonly afterLease = new Map<string, Flight>()
  private readonly abandonedLeases = new Set<string>()

  /** @param after the lease that ended without a value before */
  newId(after?: string): string {
    return leaseId(this.instance, ++this.count, after)
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
    if (this.abandonedLeases.size >= rememberedLeases) {
      const [oldest = ""] = this.abandonedLeases
      this.abandonedLeases.delete(oldest)
    }
    this.abandonedLeases.add(flight.id)
  }

  land(flight: Flight, outcome: Outcome<unknown, unknown>): void {
    this.remove(flight)
    flight.land(outcome)
  }

  /** Nobody may join the keys' flights without a lease any more: an invalidation came. Flights with a lease lose it in the store. */
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
