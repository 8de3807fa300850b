/**
 * The plan of a run of the cluster, drawn from one seed: the operations of each fiber, and the faults of the processes and the
 * store meanwhile. The same seed gives the same plan; only the interleaving differs.
 */
import { Utils } from "effect"

export const operationKinds = [
  "call",
  "hurriedCall",
  "requireCache",
  "get",
  "getMany",
  "forceRecalc",
  "invalidate",
  "delete",
  "set",
  "add",
  "invalidateGroup"
] as const

export type OperationKind = (typeof operationKinds)[number]

export interface PlannedOperation {
  readonly kind: OperationKind
  /** A key of the plan; for `invalidateGroup` the name of a group. */
  readonly target: string
  /** Milliseconds that the fiber waits before it. */
  readonly pause: number
  /** Milliseconds after which a hurried caller is interrupted. */
  readonly patience: number
}

export type Fault =
  | { readonly _tag: "Kill"; readonly at: number; readonly process: number; readonly restartAfter: number }
  | { readonly _tag: "Freeze"; readonly at: number; readonly process: number; readonly lasting: number }
  | { readonly _tag: "Block"; readonly at: number; readonly process: number; readonly lasting: number }
  | { readonly _tag: "Clock"; readonly at: number; readonly process: number; readonly offset: number }
  | { readonly _tag: "Store"; readonly at: number; readonly lasting: number; readonly how: StoreFault }

/**
 * - `restart`: the server is killed and started again, empty if it is a memory.
 * - `partition`: what is sent is lost, the sockets stay open.
 * - `reset`: all connections end at once.
 * - `freeze`: the server's process is stopped, its sockets stay open.
 * - `slow`: every answer is late.
 * - `evict`: the store drops a random part of its records.
 */
export type StoreFault = "restart" | "freeze" | "partition" | "reset" | "slow" | "evict"

export interface Plan {
  readonly seed: number
  readonly processes: number
  readonly fibers: number
  /** The operations of each fiber; fewer if `duration` ends first. */
  readonly operations: number
  /** Milliseconds. */
  readonly duration: number
  /** So many operations of each fiber are made, even where the machine is too slow for them within `duration`. */
  readonly atLeast: number
  readonly keys: number
  readonly ttl: number
  readonly stale: number
  readonly lease: number
  readonly slowestCompute: number
  /** The share of computations that fail. */
  readonly failing: number
  readonly longestPause: number
  readonly weights: Readonly<Record<OperationKind, number>>
  readonly faults: ReadonlyArray<Fault>
}

/** Very many invalidations while values are computed: an invalidated value must not come back. */
export const stormy: Plan["weights"] = {
  call: 60,
  hurriedCall: 4,
  requireCache: 6,
  get: 6,
  getMany: 3,
  forceRecalc: 3,
  invalidate: 7,
  delete: 2,
  set: 3,
  add: 2,
  invalidateGroup: 4
}

/** Few invalidations, so that almost every computation can be judged. */
export const calm: Plan["weights"] = {
  ...stormy,
  call: 950,
  hurriedCall: 0,
  requireCache: 20,
  get: 20,
  getMany: 5,
  forceRecalc: 1,
  invalidate: 1,
  delete: 0,
  set: 0,
  add: 1,
  invalidateGroup: 1
}

const defaults: Omit<Plan, "seed"> = {
  processes: 3,
  fibers: 8,
  operations: 100,
  duration: 20_000,
  atLeast: 20,
  keys: 6,
  ttl: 1_500,
  stale: 500,
  lease: 1_000,
  slowestCompute: 25,
  failing: 0.05,
  longestPause: 6,
  weights: stormy,
  faults: []
}

export const makePlan = (seed: number, changes: Partial<Plan> = {}): Plan => ({ ...defaults, ...changes, seed })

/** Every second key belongs to groups. */
export const keysOf = (plan: Plan): ReadonlyArray<string> =>
  Array.from({ length: plan.keys }, (_, index) => (index % 2 === 0 ? `plain${index}` : `grouped${index}`))

export const isGrouped = (key: string): boolean => key.startsWith("grouped")

export const groupsOf = (key: string): ReadonlyArray<string> =>
  isGrouped(key) ? ["everyone", `part${Number(key.slice("grouped".length)) % 4}`] : []

const groupNames = ["everyone", "part1", "part3"]

const pick = <A>(random: Utils.PCGRandom, from: ReadonlyArray<A>): A => {
  const one = from[random.integer(from.length)]
  if (one === undefined) throw new Error("nothing to pick from")
  return one
}

const kindOf = (random: Utils.PCGRandom, weights: Plan["weights"]): OperationKind => {
  let left = random.number() * operationKinds.reduce((sum, kind) => sum + weights[kind], 0)
  for (const kind of operationKinds) {
    left -= weights[kind]
    if (left < 0) return kind
  }
  return "call"
}

/** Mixes the parts of a seed, so that similar seeds give different plans (the finalizer of MurmurHash3). */
export const mix = (...parts: ReadonlyArray<number>): number => {
  let hash = 0x9e3779b9
  for (const part of parts) {
    hash = Math.imul(hash ^ part, 0x85ebca6b)
    hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
    hash ^= hash >>> 16
  }
  return hash >>> 0
}

/** The operations of one fiber. A process that was killed and started again does others: `life` counts its starts. */
export function* operationsOf(plan: Plan, process: number, life: number, fiber: number): Generator<PlannedOperation> {
  const random = new Utils.PCGRandom(mix(plan.seed, process, life, fiber))
  const keys = keysOf(plan)
  for (let index = 0; index < plan.operations; index++) {
    const kind = kindOf(random, plan.weights)
    yield {
      kind,
      target: kind === "invalidateGroup" ? pick(random, groupNames) : pick(random, keys),
      pause: random.number() * plan.longestPause,
      patience: random.number() * plan.slowestCompute
    }
  }
}

/** Faults of every kind in `kinds`, at random moments of the run, one at a time. */
export const drawFaults = (
  seed: number,
  plan: Pick<Plan, "processes" | "duration" | "lease">,
  kinds: ReadonlyArray<Fault["_tag"] | StoreFault>,
  count: number
): ReadonlyArray<Fault> => {
  const random = new Utils.PCGRandom(mix(seed, 0xfa17))
  const slot = plan.duration / (count + 1)
  return Array.from({ length: count }, (_, index): Fault => {
    const at = slot * (index + 0.5 + random.number() * 0.4)
    const process = random.integer(plan.processes)
    const kind = kinds[index % kinds.length] ?? "Kill"
    switch (kind) {
      case "Kill":
        return { _tag: "Kill", at, process, restartAfter: 50 + random.number() * 200 }
      case "Freeze":
        return { _tag: "Freeze", at, process, lasting: plan.lease * (0.5 + random.number() * 1.5) }
      case "Block":
        return { _tag: "Block", at, process, lasting: Math.min(2_000, slot * 0.95) }
      case "Clock":
        return { _tag: "Clock", at, process, offset: random.number() < 0.5 ? -5_000 : 5_000 }
      case "Store":
        return { _tag: "Store", at, lasting: slot * 0.4, how: "slow" }
      default:
        return { _tag: "Store", at, lasting: kind === "evict" ? 0 : slot * 0.4, how: kind }
    }
  })
}
