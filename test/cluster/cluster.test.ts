/**
 * The short version of the soak: a little of each profile on each store. A failing run prints its seed;
 * `SEED=… npm run test:unit -- test/cluster` makes the same plan again.
 */
import { Effect } from "effect"
import { describe, expect, inject, it } from "vitest"
import { bundled } from "../support/program.js"
import { sized, thorough, whole } from "../support/size.js"
import { isKept, judge, summary } from "./judge.js"
import type { Plan } from "./plan.js"
import { isFaulty, type Profile, planFor } from "./profiles.js"
import { runCluster, workerEntry } from "./runner.js"
import { memcachedServer, memoryServer, redisServer, sqlServer, tiered } from "./servers.js"
import { maxStalenessOf } from "./stores.js"

const given = process.env["SEED"]
const seed = given === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(given)
const file = bundled(workerEntry)

/** How many runs go on at once: they wait most of the time. */
const lanes = Effect.runSync(Effect.makeSemaphore(3))
/** Other test files run at the same time, on a machine that may do other things too. */
const slack = 20_000
const patience = 20_000

const shared = {
  sql: (faulty: boolean) => sqlServer({ faulty, patience }, inject("postgresUrl")),
  memcached: (faulty: boolean) => memcachedServer({ faulty, patience }),
  redis: (faulty: boolean) => redisServer({ faulty, patience })
}
/** Less than a time to live, so that what is too old would be seen. */
const maxStaleness = 250
const inTier = (store: keyof typeof shared) => (faulty: boolean) =>
  Effect.map(shared[store](faulty), (server) => tiered(server, maxStaleness))

const servers = {
  ...shared,
  "a tier over sql": inTier("sql"),
  "a tier over memcached": inTier("memcached"),
  "a tier over redis": inTier("redis"),
  memory: () => Effect.succeed(memoryServer()),
  /** Room for a part of the keys and the versions of their groups. */
  "tight memory": () => Effect.succeed(memoryServer(4))
}

/** Runs go on for their duration, and longer where a machine is too slow for so many operations. */
const short: Partial<Plan> = { ttl: 600, stale: 300, atLeast: 25, longestPause: 15 }
const undisturbed: Partial<Plan> = { duration: sized(1_500, 10_000) }
const disturbed: Partial<Plan> = { duration: sized(3_500, 15_000) }

const verify = (store: keyof typeof servers, profile: Profile, faults: number, changes: Partial<Plan>) =>
  Effect.gen(function* () {
    const plan = planFor(profile, seed, faults, { ...short, ...changes })
    const server = yield* servers[store](isFaulty(profile))
    const run = yield* runCluster(plan, server, file())
    const maxStaleness = maxStalenessOf(server.store)
    // What was evicted is computed again.
    const verdicts = judge(run, plan, { maxStaleness, slack }).slice(store === "tight memory" ? 1 : 0)
    expect(isKept(verdicts), summary(store, run, plan, verdicts)).toBe(true)
    // A verdict over no case says nothing. (If half the run is outages, there may be no case to judge.)
    const seen = verdicts.filter(({ promise }) => profile === "stormy" || !promise.startsWith("nothing outlives"))
    expect(
      seen.filter(({ promise }) => !promise.startsWith("one computation")).every(({ judged }) => judged > 0),
      summary(store, run, plan, verdicts)
    ).toBe(true)
    expect(run.history.computations.length).toBeGreaterThan(10)
  }).pipe(Effect.scoped, lanes.withPermits(1), Effect.runPromise)

describe.concurrent("the cluster", { timeout: 300_000 }, () => {
  const alone = { ...undisturbed, processes: 1, fibers: 24 }
  it("memory: invalidations by the dozen, in one process", () => verify("memory", "stormy", 0, alone))
  it("memory under pressure", () => verify("tight memory", "stormy", 0, alone))
  it("memcached: a clock that is 5 s wrong", () => verify("memcached", "clocks", 1, { duration: 1_000 }))
  const all = ["stormy", "processes", "store"] as const
  const runs: ReadonlyArray<readonly [keyof typeof servers, ReadonlyArray<Profile>]> = [
    // Each of them on two stores at least.
    ["sql", all],
    ["memcached", whole ? all : ["store"]],
    ["redis", whole ? all : ["stormy", "processes"]],
    // In `whole` each of them on one tier at least: what is below it, has its own runs.
    ["a tier over redis", thorough ? all : whole ? ["processes"] : []],
    ["a tier over sql", thorough ? all : whole ? ["stormy", "store"] : ["store"]],
    ["a tier over memcached", thorough ? all : whole ? ["stormy"] : []]
  ]
  for (const [store, profiles] of runs) {
    const run = (profile: Profile, what: string, faults: number, changes: Partial<Plan>) => {
      if (profiles.includes(profile)) it(`${store}: ${what}`, () => verify(store, profile, faults, changes))
    }
    run("stormy", "invalidations by the dozen", 0, undisturbed)
    run("processes", "processes killed, frozen and blocked", 3, disturbed)
    run("store", "the store partitioned, restarted, slow, frozen and evicting", 6, disturbed)
  }
})
