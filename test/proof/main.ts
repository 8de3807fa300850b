/**
 * `npm run proof`: prints the table of the README. `--only stampede,outage` takes a part of it, `--store sql|memcached|redis`
 * one store; `--operations N`, `--seconds N` (of the hour, the transactions and the hostile writer) and `--minutes N` (of the soak)
 * more or less of it, `--profile` one kind of the soak's runs; `SEED=…` repeats the random operations and the soak's plans. The
 * rows of each scenario are written to `measured/proof.<scenario>.<store>.json`, too. `--mutations` shows instead that the
 * checkers go red when a promise is broken in a copy of the sources.
 */
import { parseArgs } from "node:util"
import { Console, Effect } from "effect"
import { watchdog } from "../cluster/children.js"
import { proveMutations } from "../cluster/mutations.js"
import { profiles } from "../cluster/profiles.js"
import { workerEntry } from "../cluster/runner.js"
import { memcachedServer, redisServer, sqlServer } from "../cluster/servers.js"
import { postgres } from "../servers/postgres.js"
import { bundle, projectRoot } from "../support/bundle.js"
import { keepMeasured } from "../support/measured.js"
import { proofWorker } from "./fleet.js"
import { hostile } from "./hostile.js"
import { hour } from "./hour.js"
import { frozenHolder, killedHolder } from "./leaseHolders.js"
import { operations } from "./operations.js"
import { outage } from "./outage.js"
import { requestScoped } from "./requests.js"
import { type Row, type Scenario, type StoreName, type Surroundings, storeNames } from "./scenario.js"
import { serializable } from "./serializable.js"
import { soak } from "./soak.js"
import { rivals, stampede, tieredStampede } from "./stampede.js"
import { commits } from "./tiers/commits.js"
import { race } from "./tiers/race.js"
import { savings } from "./tiers/savings.js"
import { spreading } from "./tiers/spreading.js"
import { staleness } from "./tiers/staleness.js"
import { transactions } from "./transactions.js"

const { values } = parseArgs({
  options: {
    only: { type: "string" },
    store: { type: "string" },
    operations: { type: "string" },
    seconds: { type: "string" },
    minutes: { type: "string" },
    profile: { type: "string" },
    mutations: { type: "boolean" }
  }
})
const seed = Number(process.env["SEED"] ?? Math.floor(Math.random() * 2 ** 31))
const seconds = Number(values.seconds ?? 60)
const minutes = Number(values.minutes ?? 2)
/** As they were given, to measure the same again. */
const amounts = (["operations", "seconds", "minutes"] as const)
  .flatMap((name) => (values[name] === undefined ? [] : [` --${name} ${values[name]}`]))
  .join("")
const stores = storeNames.filter((store) => values.store === undefined || values.store === store)
const chosen = profiles.filter((one) => values.profile === undefined || values.profile === one)

const scenarios: Readonly<Record<string, Scenario>> = {
  stampede,
  rivals,
  operations: operations(Number(values.operations ?? 100_000), seed),
  killed: killedHolder,
  frozen: frozenHolder,
  outage,
  hour: hour(seconds),
  transactions: transactions(seconds),
  serializable,
  requests: requestScoped,
  hostile: hostile(seconds),
  tiers: tieredStampede,
  staleness: staleness(Number(values.operations ?? 100_000)),
  spreading,
  race,
  commits,
  savings,
  // the time is for all stores together
  soak: soak({ minutes: minutes / stores.length, seed, profiles: chosen })
}

const names = values.only === undefined ? Object.keys(scenarios) : values.only.split(",")

const tell = ({ kept, measured, store, what }: Row): string =>
  `| ${what} | ${store} | ${measured}${kept === false ? " **BROKEN**" : ""} |`

const table = Effect.gen(function* () {
  const unknown = names.filter((name) => scenarios[name] === undefined)
  if (unknown.length > 0 || stores.length === 0 || chosen.length === 0 || !(minutes > 0)) {
    const takes = `--only takes ${Object.keys(scenarios).join(",")}; --store ${storeNames.join(" or ")}`
    return yield* Effect.fail(new Error(`${takes}; --profile ${profiles.join(" or ")}; --minutes more than 0`))
  }
  const surroundings = {
    watching: yield* watchdog,
    proofWorker: yield* proofWorker,
    clusterWorker: yield* bundle(workerEntry)
  }
  // One server for all scenarios that do it no harm; the others start their own.
  const shared = stores.includes("sql") ? yield* postgres : undefined
  const servers: Readonly<Record<StoreName, Surroundings["server"]>> = {
    sql: (options) => sqlServer(options, options.faulty ? undefined : shared?.url),
    memcached: memcachedServer,
    redis: redisServer
  }
  yield* Console.log("| | store | measured |\n| --- | --- | --- |")
  let broken = 0
  for (const name of names) {
    for (const store of stores) {
      const scenario = scenarios[name]
      if (scenario === undefined) continue
      const rows = yield* Effect.scoped(scenario({ ...surroundings, store, server: servers[store] }))
      const command = `npm run proof -- --only ${name} --store ${store}${amounts}`
      yield* keepMeasured(projectRoot, `proof.${name}.${store}`, command, rows)
      for (const row of rows) {
        yield* Console.log(tell(row))
        if (row.kept === false) broken++
      }
    }
  }
  if (broken > 0) return yield* Effect.fail(new Error(`${broken} promises were not kept`))
})

Effect.runPromise(Effect.scoped(values.mutations === true ? proveMutations : table)).then(
  () => process.exit(0),
  (error: unknown) => {
    process.stderr.write(`${String(error)}\n`)
    process.exit(1)
  }
)
