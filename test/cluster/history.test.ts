import { expect, it } from "vitest"
import { type Line, parseRecord } from "./history.js"
import { drawFaults, makePlan, operationKinds, operationsOf } from "./plan.js"

const written = (...lines: ReadonlyArray<Line>) => lines.map((line) => `${JSON.stringify(line)}\n`).join("")

it("reads the lines of a killed process, with half a line at the end", () => {
  const record = written(
    { _tag: "Begin", operation: 0, kind: "call", target: "plain0", at: 1 },
    { _tag: "Compute", id: "a", key: "plain0", forced: false, asked: 1, at: 2 },
    { _tag: "Begin", operation: 1, kind: "set", target: "plain2", at: 3, writes: "w" },
    { _tag: "Computed", id: "a", at: 4, how: "value" },
    { _tag: "End", operation: 0, at: 5, outcome: { _tag: "Value", id: "a", of: "plain0" } }
  )
  const { computations, operations } = parseRecord("0.1", `${record}{"_tag":"End","oper`)
  expect(computations).toEqual([
    { id: "a", process: "0.1", key: "plain0", forced: false, asked: 1, begin: 2, end: 4, how: "value" }
  ])
  expect(operations.map(({ begin, end, writes }) => ({ begin, end, writes }))).toEqual([
    { begin: 1, end: 5, writes: undefined },
    { begin: 3, end: undefined, writes: "w" }
  ])
})

it("makes the same plan from the same seed, and another plan from another", () => {
  const plan = makePlan(7, { operations: 2_000 })
  const all = (seed: number, process = 0, life = 1, fiber = 0) => [
    ...operationsOf({ ...plan, seed }, process, life, fiber)
  ]
  expect(all(7)).toEqual(all(7))
  for (const other of [all(8), all(7, 1), all(7, 0, 2), all(7, 0, 1, 1)]) expect(other).not.toEqual(all(7))
  expect(new Set(all(7).map(({ kind }) => kind))).toEqual(new Set(operationKinds))
  const faults = (seed: number) => drawFaults(seed, plan, ["Kill", "Freeze", "slow"], 6)
  expect(faults(7)).toEqual(faults(7))
  expect(faults(8)).not.toEqual(faults(7))
})
