/**
 * `npm run soak -- --minutes 30 [--store sql|memcached] [--profile …]`: one run after the other, each of another seed, profile
 * and store, until the time is up or a promise is broken. `SEED=…` begins with that seed, so that it makes the same plan
 * again.
 */
import { rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { Console, Effect } from "effect"
import { bundle, workerEntry } from "../support/bundle.js"
import { isKept, judge, summary } from "./judge.js"
import { isFaulty, type Profile, planFor, profiles } from "./profiles.js"
import { runCluster } from "./runner.js"
import { memcachedServer, sqlServer } from "./servers.js"

const { values } = parseArgs({
  options: { minutes: { type: "string" }, store: { type: "string" }, profile: { type: "string" } }
})
const minutes = Number(values.minutes ?? 30)
const stores = (["sql", "memcached"] as const).filter((store) => values.store === undefined || values.store === store)
const chosen: ReadonlyArray<Profile> = profiles.filter((one) => values.profile === undefined || values.profile === one)
const first = Number(process.env["SEED"] ?? Math.floor(Math.random() * 2 ** 31))

/** Of one run. */
const duration = 15_000
const faults = 6

const oneRun = (round: number, file: string) =>
  Effect.gen(function* () {
    // Told by the round alone, so that a seed stands for the same profile when it is given again.
    const profile = chosen[round % chosen.length] ?? "stormy"
    const store = stores[Math.floor(round / chosen.length) % stores.length] ?? "sql"
    const seed = first + round
    const plan = planFor(profile, seed, faults, { duration, processes: 4 })
    const server = yield* (store === "sql" ? sqlServer : memcachedServer)({ faulty: isFaulty(profile) })
    const run = yield* runCluster(plan, server, file)
    const verdicts = judge(run, plan)
    yield* Console.log(`\n${profile} on ${summary(store, run, plan, verdicts)}`)
    if (isKept(verdicts)) return
    yield* Console.log(`\nagain: SEED=${seed} npm run soak -- --minutes 1 --store ${store} --profile ${profile}`)
    return yield* Effect.fail("a promise is broken" as const)
  }).pipe(Effect.scoped)

const main = Effect.gen(function* () {
  if (stores.length === 0 || chosen.length === 0 || !(minutes > 0)) {
    return yield* Effect.fail(`--minutes N, --store sql|memcached, --profile ${profiles.join("|")}` as const)
  }
  const file = yield* Effect.acquireRelease(
    bundle(workerEntry, join(tmpdir(), `effect-cached-soak-${process.pid}.cjs`)),
    (path) => Effect.sync(() => rmSync(path, { force: true }))
  )
  const until = Date.now() + minutes * 60_000
  for (let round = 0; round === 0 || Date.now() < until; round++) yield* oneRun(round, file)
  yield* Console.log("\nall promises kept")
}).pipe(Effect.scoped)

Effect.runPromise(main).catch((error: unknown) => {
  process.stderr.write(`${String(error)}\n`)
  process.exitCode = 1
})
