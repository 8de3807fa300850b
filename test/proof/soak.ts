/** One run of the cluster after the other, each of another seed and profile, until the time is up or a promise is broken. */
import { Console, Effect } from "effect"
import { isKept, judge, summary } from "../cluster/judge.js"
import { isFaulty, type Profile, planFor } from "../cluster/profiles.js"
import { runCluster } from "../cluster/runner.js"
import { maxStalenessOf } from "../cluster/stores.js"
import { count, type Scenario, storeTitles } from "./scenario.js"

/** Of one run. */
const duration = 15_000
const faults = 6

interface SoakOptions {
  readonly minutes: number
  /** Of the first run; the next ones count on. */
  readonly seed: number
  readonly profiles: ReadonlyArray<Profile>
}

export const soak =
  ({ minutes, profiles, seed: first }: SoakOptions): Scenario =>
  ({ clusterWorker, server, store }) =>
    Effect.gen(function* () {
      const until = Date.now() + minutes * 60_000
      let runs = 0
      let operations = 0
      let broken: string | undefined
      while (broken === undefined && (runs === 0 || Date.now() < until)) {
        // chosen by the round alone, so that a repeated seed has the same profile
        const profile = profiles[runs % profiles.length] ?? "stormy"
        const seed = first + runs++
        const plan = planFor(profile, seed, faults, { duration, processes: 4 })
        const verdicts = yield* Effect.scoped(
          Effect.gen(function* () {
            const one = yield* server({ faulty: isFaulty(profile) })
            const run = yield* runCluster(plan, one, clusterWorker)
            operations += run.history.operations.length
            const verdicts = judge(run, plan, { maxStaleness: maxStalenessOf(one.store) })
            if (!isKept(verdicts)) yield* Console.error(`\n${profile} on ${summary(store, run, plan, verdicts)}\n`)
            return verdicts
          })
        )
        if (!isKept(verdicts))
          broken = `SEED=${seed} npm run proof -- --only soak --store ${store} --profile ${profile}`
      }
      return [
        {
          what: `a soak of ${Number(minutes.toFixed(1))} minutes: 4 processes, ${profiles.join(", ")}`,
          store: storeTitles[store],
          measured: `${count(operations)} operations in ${runs} runs; ${broken === undefined ? "all promises kept" : `again: ${broken}`}`,
          kept: broken === undefined
        }
      ]
    })
