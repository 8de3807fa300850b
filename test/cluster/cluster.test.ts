/**
 * The short version of the soak: a few seconds of each profile on each store. A failing run prints its seed;
 * `SEED=… npm run test:unit -- test/cluster` makes the same plan again.
 */

import { rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect } from "effect"
import { afterAll, beforeAll, expect, inject, it } from "vitest"
import { bundle, workerEntry } from "../support/bundle.js"
import { isKept, judge, summary } from "./judge.js"
import type { Plan } from "./plan.js"
import { isFaulty, type Profile, planFor } from "./profiles.js"
import { runCluster } from "./runner.js"
import { memcachedServer, memoryServer, sqlServer } from "./servers.js"

const given = process.env["SEED"]
const seed = given === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(given)
const file = join(tmpdir(), `effect-cached-worker-${process.pid}.cjs`)

/** So many runs at once: most of their time they wait. */
const lanes = Effect.runSync(Effect.makeSemaphore(3))
/** Other test files run at the same time. */
const slack = 6_000

beforeAll(() => Effect.runPromise(bundle(workerEntry, file)))
afterAll(() => rmSync(file, { force: true }))

const servers = {
  sql: (faulty: boolean) => sqlServer({ faulty }, inject("postgresUrl")),
  memcached: (faulty: boolean) => memcachedServer({ faulty }),
  memory: () => Effect.succeed(memoryServer()),
  /** Room for a part of the keys and the versions of their groups. */
  "tight memory": () => Effect.succeed(memoryServer(4))
}

const verify = (store: keyof typeof servers, profile: Profile, faults: number, changes: Partial<Plan> = {}) =>
  Effect.gen(function* () {
    const plan = planFor(profile, seed, faults, { ttl: 600, stale: 300, duration: 2_500, ...changes })
    const run = yield* runCluster(plan, yield* servers[store](isFaulty(profile)), file)
    // What was evicted is computed again.
    const verdicts = judge(run, plan, slack).slice(store === "tight memory" ? 1 : 0)
    expect(isKept(verdicts), summary(store, run, plan, verdicts)).toBe(true)
    // A verdict over nothing is none. (Where half the run is outages, a busy machine may leave no case to judge.)
    const seen = verdicts.filter(({ promise }) => profile === "stormy" || !promise.startsWith("nothing outlives"))
    expect(
      seen.filter(({ promise }) => !promise.startsWith("one computation")).every(({ judged }) => judged > 0),
      summary(store, run, plan, verdicts)
    ).toBe(true)
    expect(run.history.computations.length).toBeGreaterThan(10)
  }).pipe(Effect.scoped, lanes.withPermits(1), Effect.runPromise)

it.concurrent("memory: invalidations by the dozen, in one process", { timeout: 60_000 }, () =>
  verify("memory", "stormy", 0, { processes: 1, fibers: 24 })
)
it.concurrent("memory under pressure", { timeout: 60_000 }, () =>
  verify("tight memory", "stormy", 0, { processes: 1, fibers: 24 })
)
it.concurrent("memcached: a clock that is 5 s wrong", { timeout: 90_000 }, () => verify("memcached", "clocks", 1))
for (const store of ["sql", "memcached"] as const) {
  it.concurrent(`${store}: invalidations by the dozen`, { timeout: 90_000 }, () => verify(store, "stormy", 0))
  it.concurrent(`${store}: processes killed, frozen and blocked`, { timeout: 90_000 }, () =>
    verify(store, "processes", 3, { duration: 5_000 })
  )
  it.concurrent(`${store}: the store partitioned, restarted, slow and evicting`, { timeout: 90_000 }, () =>
    verify(store, "store", 5, { duration: 5_000 })
  )
}
