/** Runs random operations of the cluster under the checkers, up to a number. */
import { Effect } from "effect"
import { judge } from "../cluster/judge.js"
import { planFor } from "../cluster/profiles.js"
import { runCluster } from "../cluster/runner.js"
import { count, type Row, type Scenario, storeTitles } from "./scenario.js"

export const operations =
  (wanted: number, seed: number): Scenario =>
  ({ clusterWorker, server, store }) =>
    Effect.gen(function* () {
      let made = 0
      let judged = 0
      const violations: Array<string> = []
      const others: Array<string> = []
      for (let round = 0; made < wanted && violations.length === 0; round++) {
        const plan = planFor("stormy", seed + round, 0, {
          processes: 4,
          fibers: 16,
          duration: 30_000,
          longestPause: 2,
          operations: Math.ceil((wanted - made) / 64)
        })
        const run = yield* Effect.flatMap(server({ faulty: false }), (one) =>
          runCluster(plan, one, clusterWorker)
        ).pipe(Effect.scoped)
        for (const verdict of judge(run, plan)) {
          if (verdict.promise.startsWith("nothing outlives")) {
            judged += verdict.judged
            violations.push(...verdict.violations)
          } else others.push(...verdict.violations)
        }
        made += run.history.operations.length
      }
      const row: Row = {
        what: `${count(made)} random operations of 4 processes × 16 fibers (SEED=${seed}): reads that saw what was invalidated before`,
        store: storeTitles[store],
        measured: `${violations.length} of ${count(judged)}; ${others.length} violations of the other promises${[
          ...violations,
          ...others
        ]
          .slice(0, 3)
          .map((one) => ` [${one}]`)
          .join("")}`,
        kept: violations.length === 0 && others.length === 0
      }
      return [row]
    })
