import { describe, expect, it } from "vitest"
import {
  everyCallerIsAnswered,
  nobodyWaitsLonger,
  nothingOutlivesItsInvalidation,
  oneComputationPerWindow
} from "./checkers.js"
import { type Computation, emptyHistory, type History, type Operation, type Outcome, type Pause } from "./history.js"
import { makePlan, type OperationKind } from "./plan.js"

const plan = makePlan(1, { ttl: 1_000, stale: 500, lease: 400, slowestCompute: 50 })

const done: Outcome = { _tag: "Done" }
const value = (id: string, of = "plain0"): Outcome => ({ _tag: "Value", id, of })

const operation = (
  kind: OperationKind,
  begin: number,
  end: number | undefined,
  outcome: Outcome | undefined,
  target = "plain0",
  writes?: string
): Operation => ({ process: "0.1", kind, target, begin, end, outcome, writes })

const computation = (
  id: string,
  begin: number,
  end: number | undefined,
  changes: Partial<Computation> = {}
): Computation => ({
  id,
  process: "0.1",
  key: "plain0",
  forced: false,
  asked: begin,
  begin,
  end,
  how: "value",
  ...changes
})

const history = (changes: Partial<History>): History => ({ ...emptyHistory, ...changes })
const killed: Pause = { process: "0.1", begin: 10_030, end: 10_040, cause: "kill" }

describe("nothing outlives its invalidation", () => {
  const old = computation("old", 100, 150)
  const check = (operations: ReadonlyArray<Operation>, more: Partial<History> = {}) =>
    nothingOutlivesItsInvalidation(history({ computations: [old], operations, ...more })).violations.length

  it("finds a value that was computed before an invalidation that had returned", () => {
    expect(check([operation("invalidate", 200, 210, done), operation("call", 211, 220, value("old"))])).toBe(1)
  })
  it("finds one that was invalidated during its computation", () => {
    expect(check([operation("invalidate", 120, 130, done), operation("call", 160, 170, value("old"))])).toBe(1)
  })
  it("finds it behind later invalidations that prove nothing", () => {
    expect(
      check([
        operation("invalidate", 200, 205, done),
        operation("invalidate", 90, 206, done),
        operation("get", 300, 301, value("old"))
      ])
    ).toBe(1)
  })
  it("does not judge a read that began before the invalidation returned", () => {
    expect(check([operation("invalidate", 200, 210, done), operation("call", 209, 250, value("old"))])).toBe(0)
  })
  it("accepts a computation that began while the invalidation ran", () => {
    expect(check([operation("invalidate", 90, 110, done), operation("call", 200, 210, value("old"))])).toBe(0)
  })
  it("does not count an invalidation that failed or was not answered", () => {
    const read = operation("call", 300, 310, value("old"))
    expect(check([operation("invalidate", 200, 210, { _tag: "CacheError", reason: "Timeout" }), read])).toBe(0)
    expect(check([operation("invalidate", 200, undefined, undefined), read])).toBe(0)
    expect(check([operation("add", 200, 210, { _tag: "Done", changed: false }), read])).toBe(0)
  })
  it("knows the groups of a key, and no others", () => {
    const grouped = { computations: [computation("old", 100, 150, { key: "grouped1" })] }
    const read = operation("call", 300, 310, value("old", "grouped1"), "grouped1")
    expect(check([operation("invalidateGroup", 200, 210, done, "part1"), read], grouped)).toBe(1)
    expect(check([operation("invalidateGroup", 200, 210, done, "part3"), read], grouped)).toBe(0)
  })
  it("counts a set from its end and as a replacement", () => {
    const set = operation("set", 200, 210, done, "plain0", "set")
    expect(check([set, operation("get", 220, 221, value("set"))])).toBe(0)
    expect(check([set, operation("get", 220, 221, value("old"))])).toBe(1)
    expect(check([set, operation("invalidate", 205, 215, done), operation("get", 220, 221, value("set"))])).toBe(0)
    expect(check([set, operation("invalidate", 211, 215, done), operation("get", 220, 221, value("set"))])).toBe(1)
  })
  it("accepts an older value only from a computation shared in a process that is cut off", () => {
    const operations = [operation("invalidate", 110, 120, done), operation("call", 130, 160, value("old"))]
    const outage = { disturbances: [{ begin: 0, end: 140, how: "partition" }] }
    expect(check(operations)).toBe(1)
    expect(check(operations, outage)).toBe(0)
    expect(check(operations, { ...outage, computations: [{ ...old, process: "1.1" }] })).toBe(1)
    expect(check(operations, { ...outage, computations: [{ ...old, end: 125 }] })).toBe(1)
  })
  it("allows a tier of another process as much as maxStaleness, and the own process nothing", () => {
    const invalidation = operation("invalidate", 200, 210, done)
    const judged = (process: string, begin: number, maxStaleness: number) =>
      nothingOutlivesItsInvalidation(
        history({
          computations: [old],
          operations: [invalidation, { ...operation("call", begin, begin + 1, value("old")), process }]
        }),
        maxStaleness
      ).violations.length
    expect(judged("1.1", 309, 100)).toBe(0)
    expect(judged("1.1", 311, 100)).toBe(1)
    expect(judged("0.1", 211, 100)).toBe(1)
    expect(judged("1.1", 211, 0)).toBe(1)
  })
  it("does not count a forced recalculation that could not reach the store", () => {
    const operations = [operation("forceRecalc", 200, 260, value("new")), operation("call", 300, 310, value("old"))]
    const computations = [old, computation("new", 210, 250, { forced: true })]
    expect(check(operations, { computations })).toBe(1)
    expect(check(operations, { computations, disturbances: [{ begin: 190, end: 205, how: "reset" }] })).toBe(0)
  })
})

describe("one computation per window", () => {
  const check = (computations: ReadonlyArray<Computation>, more: Partial<History> = {}) => {
    const { judged, violations } = oneComputationPerWindow(history({ computations, ...more }), plan)
    return { judged, violations: violations.length }
  }

  it("lets each process compute once whose callers waited for a computation that failed in another one", () => {
    const failed = computation("failed", 100, 150, { how: "error" })
    const told = operation("call", 90, 150.5, { _tag: "ComputeError", id: "failed", of: "plain0" })
    const next = computation("next", 152, 180, { process: "1.1", asked: 120 })
    const third = computation("third", 153, 185, { process: "2.1", asked: 130 })
    expect(check([failed, next, third], { operations: [told] }).violations).toBe(0)
    // it acquired the lease, beside one that has none
    expect(check([failed, next, { ...third, asked: 151 }], { operations: [told] }).violations).toBe(0)
    expect(check([failed, { ...next, asked: 151 }, { ...third, asked: 151 }], { operations: [told] }).violations).toBe(
      1
    )
    // what has no lease is not stored, and a later caller computes
    expect(
      check([failed, next, { ...third, process: "1.1", asked: 181, begin: 182 }], { operations: [told] }).violations
    ).toBe(0)
    expect(
      check([failed, { ...next, asked: 151 }, { ...third, process: "1.1" }], { operations: [told] }).violations
    ).toBe(1)
    // its lease stands until its callers are told, and is read until then
    const late = { ...told, end: 160 }
    const both = [failed, { ...next, asked: 151 }, { ...third, asked: 151 }]
    expect(check(both, { operations: [late] }).violations).toBe(0)
    expect(check([{ ...failed, how: "value" }, next, third], { operations: [told] }).violations).toBeGreaterThan(0)
  })
  const first = computation("a", 10_000, 10_050)

  it("finds two at once, and one while the value is fresh", () => {
    expect(check([first, computation("b", 10_020, 10_070)]).violations).toBe(1)
    expect(check([first, computation("b", 10_900, 10_950)]).violations).toBe(1)
    expect(check([first, computation("b", 11_051, 11_100)])).toEqual({ judged: 1, violations: 0 })
  })
  it("accepts a computation after a failed one, but not during it", () => {
    const failed = computation("a", 10_000, 10_050, { how: "error" })
    expect(check([failed, computation("b", 10_051, 10_100)]).violations).toBe(0)
    expect(check([failed, computation("b", 10_049, 10_100)]).violations).toBe(1)
  })
  it("does not judge computations that were forced, replaced or killed, or ran during an outage", () => {
    const second = computation("b", 10_060, 10_100)
    expect(check([first, { ...second, forced: true }]).judged).toBe(0)
    expect(check([first, second], { operations: [operation("invalidate", 10_010, 10_020, done)] }).judged).toBe(0)
    expect(check([{ ...first, end: undefined, how: undefined }, second], { pauses: [killed] }).judged).toBe(0)
    expect(check([first, second], { disturbances: [{ begin: 10_055, end: 10_056, how: "slow" }] }).judged).toBe(0)
    expect(
      check([{ ...first, asked: 8_990 }, second], { operations: [operation("invalidate", 9_000, 9_010, done)] }).judged
    ).toBe(0)
    expect(check([first, second], { operations: [operation("invalidate", 9_000, 9_010, done)] }).violations).toBe(1)
    expect(check([first, second], { pauses: [{ ...killed, process: "7.1" }] }).violations).toBe(1)
    const slowRead = { process: second.process, begin: 10_055, end: 10_056 }
    expect(check([first, second], { slowReads: [slowRead] }).judged).toBe(0)
    expect(check([first, second], { slowReads: [{ ...slowRead, process: "7.1" }] }).violations).toBe(1)
  })
})

describe("every caller is answered", () => {
  const check = (operations: ReadonlyArray<Operation>, more: Partial<History> = {}) =>
    everyCallerIsAnswered(history({ computations: [computation("a", 1, 2)], operations, ...more })).violations.length

  it("accepts values and typed errors of the key, and nothing else", () => {
    expect(check([operation("call", 0, 3, value("a"))])).toBe(0)
    expect(check([operation("call", 0, 3, { _tag: "ComputeError", id: "a", of: "plain0" })])).toBe(0)
    expect(check([operation("call", 0, 3, value("a", "plain2"))])).toBe(1)
    expect(check([operation("call", 0, 3, value("a"), "plain2")])).toBe(1)
    expect(check([operation("call", 0, 3, value("nobody's"))])).toBe(1)
    expect(check([operation("call", 0, 3, { _tag: "Defect", text: "TypeError" })])).toBe(1)
    expect(check([operation("call", 0, 3, { _tag: "Interrupted" })])).toBe(1)
    expect(check([operation("hurriedCall", 0, 3, { _tag: "Interrupted" })])).toBe(0)
  })
  it("accepts a CacheError from no memoized call, and from others only during an outage", () => {
    const error: Outcome = { _tag: "CacheError", reason: "Unavailable" }
    const outage = { disturbances: [{ begin: 0, end: 9, how: "partition" }] }
    expect(check([operation("call", 0, 3, error)], outage)).toBe(1)
    expect(check([operation("invalidate", 0, 3, error)], outage)).toBe(0)
    expect(check([operation("invalidate", 0, 3, error)])).toBe(1)
  })
  it("finds a caller that was never answered, unless its process was killed", () => {
    const hanging = operation("call", 0, undefined, undefined)
    expect(check([hanging])).toBe(1)
    expect(check([hanging], { pauses: [killed] })).toBe(0)
  })
})

describe("nobody waits longer", () => {
  const check = (end: number, more: Partial<History> = {}) =>
    nobodyWaitsLonger(
      history({ ...more, operations: [operation("call", 10_000, end, value("a")), ...(more.operations ?? [])] }),
      plan,
      100
    ).violations.length

  it("adds up lease, computation, slack, and the faults meanwhile", () => {
    expect(check(10_549)).toBe(0)
    expect(check(10_551)).toBe(1)
    expect(check(10_551, { operations: [operation("invalidate", 10_100, 10_101, done)] })).toBe(0)
    expect(check(10_950, { pauses: [killed] })).toBe(0)
    expect(check(10_961, { pauses: [killed] })).toBe(1)
  })
})
