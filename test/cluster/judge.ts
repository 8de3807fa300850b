/** Runs all checkers over one run, and sums up their verdicts. */
import {
  everyCallerIsAnswered,
  nobodyWaitsLonger,
  nothingOutlivesItsInvalidation,
  oneComputationPerWindow,
  type Verdict
} from "./checkers.js"
import type { Plan } from "./plan.js"
import type { Run } from "./runner.js"

/** Milliseconds that a busy machine may add to a wait. */
const usualSlack = 2_500

/** @param maxStaleness of the tiers, in milliseconds */
export const judge = (run: Run, plan: Plan, { maxStaleness = 0, slack = usualSlack } = {}): ReadonlyArray<Verdict> => [
  oneComputationPerWindow(run.history, plan),
  nothingOutlivesItsInvalidation(run.history, maxStaleness),
  everyCallerIsAnswered(run.history),
  nobodyWaitsLonger(run.history, plan, slack),
  { promise: "nothing is left behind", judged: run.drained, violations: run.leftBehind }
]

const shown = 5

const tell = ({ judged, promise, violations }: Verdict): string =>
  [
    `${violations.length === 0 ? "kept  " : "BROKEN"} ${promise}: ${violations.length} violations in ${judged} cases`,
    ...violations.slice(0, shown).map((violation) => `       ${violation}`)
  ].join("\n")

export const isKept = (verdicts: ReadonlyArray<Verdict>): boolean =>
  verdicts.every(({ violations }) => violations.length === 0)

/** The verdicts in words, with the seed that repeats the run. */
export const summary = (store: string, run: Run, plan: Plan, verdicts: ReadonlyArray<Verdict>): string => {
  const { computations, disturbances, operations, pauses, slowReads, troubles } = run.history
  return [
    `${store}, SEED=${plan.seed}: ${operations.length} operations and ${computations.length} computations in ${(run.took / 1_000).toFixed(1)} s, ` +
      `${pauses.length} pauses, ${slowReads.length} slow reads, ${disturbances.length} outages, ${troubles.length} warnings`,
    ...verdicts.map(tell)
  ].join("\n")
}
