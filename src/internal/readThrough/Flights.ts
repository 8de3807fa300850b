/**
 * Who may join a flight? The computations that run in this process, one registry a layer: two layers share nothing.
 *
 * A caller may join a running computation only if its value can't be older than the call itself allows. Two cases are safe
 * without asking the store again, and they are the two indices:
 * - The computation has not begun (`acquiring`, by key): it begins after the call did.
 * - The caller has just read the flight's own lease in the store (`computing`, by lease id): nothing has invalidated it up to
 *   that read.
 * While the store can't be read there is no lease to look at; then callers share by key (`withoutLease`).
 */
import { randomBytes } from "node:crypto"
import type { Flight, Outcome } from "./Flight.js"

/** More than can be on their way to the store at once. */
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

  withoutLease(key: string): Flight | undefined {
    return this.withoutLeaseByKey.get(key)
  }

  /** `true` for the lease of a computation that runs here, `false` for one that was given up here, else `undefined`. */
  holds(leaseId: string): boolean | undefined {
    if (this.computingByLease.has(leaseId)) return true
    return this.givenUp.has(leaseId) ? false : undefined
  }

  register(flight: Flight): void {
    this.acquiringByKey.set(flight.key, flight)
  }

  /** It has the lease: its computation begins. Nobody joins a flight that began without a lease any more; that one is older. */
  beginsWithLease(flight: Flight): void {
    this.remove(flight)
    this.withoutLeaseByKey.delete(flight.key)
    flight.phase = "computing"
    this.computingByLease.set(flight.id, flight)
  }

  /**
   * The store can't be reached: its computation begins without a lease. If only the answer was lost, the lease stands: then
   * those who read it join.
   */
  beginsWithoutLease(flight: Flight): void {
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

  land(flight: Flight, outcome: Outcome<unknown, unknown>): void {
    this.remove(flight)
    flight.land(outcome)
  }

  /** After an invalidation nobody joins what runs without a lease; a flight with a lease loses it in the store. */
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

  /** By identity: a later flight under the same key stays. */
  private remove(flight: Flight): void {
    if (this.acquiringByKey.get(flight.key) === flight) this.acquiringByKey.delete(flight.key)
    if (this.withoutLeaseByKey.get(flight.key) === flight) this.withoutLeaseByKey.delete(flight.key)
    this.computingByLease.delete(flight.id)
  }
}
