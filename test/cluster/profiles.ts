/** The kinds of runs of the tests and the soak. */
import { calm, drawFaults, type Fault, makePlan, type Plan, type StoreFault } from "./plan.js"

export type Profile = "calm" | "stormy" | "processes" | "store" | "clocks"

export const profiles: ReadonlyArray<Profile> = ["calm", "stormy", "processes", "store", "clocks"]

const faultKinds: Readonly<Record<Profile, ReadonlyArray<Fault["_tag"] | StoreFault>>> = {
  calm: [],
  stormy: [],
  processes: ["Kill", "Freeze", "Block"],
  store: ["partition", "reset", "restart", "slow", "evict", "freeze"],
  clocks: ["Clock"]
}

/** Whether the profile needs a relay in front of the store. */
export const isFaulty = (profile: Profile): boolean => profile === "store"

/** Many keys with a short ttl: many windows in which computations are counted. */
const many = { keys: 24, fibers: 16, ttl: 400, stale: 300, longestPause: 15 }

/** @param count of the faults */
export const planFor = (profile: Profile, seed: number, count: number, changes: Partial<Plan> = {}): Plan => {
  const plan = makePlan(seed, {
    // As many as there is time for.
    operations: 1_000_000,
    ...(profile === "calm" ? { ...many, weights: calm } : {}),
    ...(profile === "processes" ? { ...many, weights: { ...calm, invalidate: 10, invalidateGroup: 3 } } : {}),
    ...changes
  })
  return { ...plan, faults: drawFaults(seed, plan, faultKinds[profile], faultKinds[profile].length === 0 ? 0 : count) }
}
