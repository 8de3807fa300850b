/**
 * When is an entry fresh, stale, leased or gone? Decided from nothing but the entry, the group versions, the time and what this
 * process knows of the lease. MintCache (Django) and leases (Nishtala et al., "Scaling Memcache at Facebook", NSDI 2013) in one
 * entry.
 */
import type { CachedValue, Entry, GroupVersion, Lease } from "../../CacheStore.js"

/**
 * - `Fresh`: before its time to live.
 * - `Stale`: after it, and still good enough while one caller recomputes.
 * - `Leased`: no value yet, and someone is computing it.
 * - `Gone`: nothing that counts; whoever gets the lease first computes.
 *
 * `lease` is set while somebody holds one.
 */
export type EntryState = Servable | Unservable

export interface Servable {
  readonly _tag: "Fresh" | "Stale"
  readonly value: CachedValue
  readonly lease: Lease | undefined
}

export type Unservable = { readonly _tag: "Leased"; readonly lease: Lease } | { readonly _tag: "Gone" }

const gone: Unservable = { _tag: "Gone" }

/** The state of an entry without a value that counts. */
export const withoutValue = (lease: Lease | undefined): Unservable =>
  lease === undefined ? gone : { _tag: "Leased", lease }

/**
 * Whether the entry was made under exactly these group versions. Another set of groups counts as a difference: an entry
 * without one of today's groups would outlive that group's invalidation. Both lists are sorted by key.
 */
export const madeUnder = (entry: Entry, current: ReadonlyArray<GroupVersion>): boolean => {
  const own = entry.groups
  if (own.length !== current.length) return false
  for (let index = 0; index < own.length; index++) {
    const left = own[index]
    const right = current[index]
    if (left?.key !== right?.key || left?.version !== right?.version) return false
  }
  return true
}

export const isFresh = (value: CachedValue, now: number): boolean => now < value.freshUntil

/**
 * @param current the versions now of all groups that the reader asks for; `undefined` when one of them is missing, so
 * that nothing made before can count
 * @param heldHere what this process knows of a lease: `true` while its computation runs here, so that it counts although
 * its renewal is late (a blocked event loop); `false` when it was given up here, whatever the store still says
 */
export const stateOf = (
  entry: Entry | undefined,
  current: ReadonlyArray<GroupVersion> | undefined,
  now: number,
  heldHere: (leaseId: string) => boolean | undefined = () => undefined
): EntryState => {
  if (entry === undefined || current === undefined || !madeUnder(entry, current)) return gone
  const lease =
    entry.lease !== undefined && (heldHere(entry.lease.id) ?? now < entry.lease.until) ? entry.lease : undefined
  const value = entry.value
  if (value !== undefined) {
    if (isFresh(value, now)) return { _tag: "Fresh", value, lease }
    if (now < value.staleUntil) return { _tag: "Stale", value, lease }
  }
  return withoutValue(lease)
}

/**
 * XFetch (Vattani, Chierichetti, Lowenstein, "Optimal Probabilistic Cache Stampede Prevention", VLDB 2015): a fresh
 * value is recomputed early with a probability that rises towards its end, the sooner the longer it took to compute.
 *
 * @param random uniform in [0, 1)
 */
export const refreshesEarly = (value: CachedValue, now: number, beta: number, random: number): boolean =>
  beta > 0 && now - value.computeMillis * beta * Math.log(1 - random) >= value.freshUntil

/** An entry with a lease. Beside a value, that value is served while it is recomputed. */
export const leasedEntry = (
  value: CachedValue | undefined,
  lease: Lease,
  groups: ReadonlyArray<GroupVersion>
): Entry => ({ value, lease, groups })

/** A lease that has run out: nobody holds the key any more, and it counts as absent. */
export const tombstone = (id: string, now: number): Entry => ({
  value: undefined,
  lease: { id, until: now },
  groups: []
})

/** An entry with a value and no lease. */
export const valueEntry = (value: CachedValue, groups: ReadonlyArray<GroupVersion>): Entry => ({
  value,
  lease: undefined,
  groups
})

/**
 * The times of a value that was computed just now.
 *
 * @param ttl milliseconds, more than 0; `Infinity` is for ever
 * @param jitter the share of the ttl, 0 to 1, that may be taken off
 * @param random uniform in [0, 1)
 */
export const lifespan = (
  now: number,
  ttl: number,
  stale: number,
  jitter = 0,
  random = 0
): Pick<CachedValue, "freshUntil" | "staleUntil"> => {
  const freshUntil = now + ttl * (1 - jitter * random)
  return { freshUntil, staleUntil: freshUntil + stale }
}
