/**
 * Eight processes ask for what is not kept: an unknown id, an error, a value too large for the store. Who waited for another
 * process's computation that ended without a value computes at once.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Option } from "effect"
import { cached } from "effect-cached"
import { asyncStore } from "../support/asyncStore.js"
import { endOf, rigIn, runIn } from "../support/backend.js"
import { byteServer } from "../support/byteServer.js"
import { Simulation } from "../support/simulation.js"

const processes = 8
const computing = 1_000
const lease = 10_000
/** One poll and some round trips. */
const slack = 200

const fruitless: Record<string, Effect.Effect<unknown, string>> = {
  None: Effect.succeed(Option.none()),
  null: Effect.succeed(null),
  "a typed error": Effect.fail("unknown"),
  "a defect": Effect.die("broken"),
  "a value too large for the store": Effect.succeed("x".repeat(2_000))
}

const world = (result: Effect.Effect<unknown, string>, groups: ReadonlyArray<string> = []) => {
  const simulation = new Simulation()
  const server = byteServer(1_000)
  const state = { begun: 0, running: 0, most: 0 }
  const sides = Array.from({ length: processes }, () => {
    const process = simulation.process()
    const own = { begun: 0 }
    const rig = rigIn(
      simulation,
      process,
      asyncStore(server.store, () => ({ there: 1, back: 1 }))
    )
    const value = cached(
      Effect.suspend(() => {
        own.begun++
        state.begun++
        state.most = Math.max(state.most, ++state.running)
        return Effect.ensuring(
          Effect.delay(result, computing),
          Effect.sync(() => state.running--)
        )
      }),
      { key: "value", lease, groups }
    )
    return { process, own, rig, value, lookup: rig.provide(value) }
  })
  return { simulation, server, sides, state }
}

type World = ReturnType<typeof world>

/** All processes call, the first of them a little earlier. */
const callAll = ({ sides, simulation, state }: World, callers: number) => {
  const [first] = sides
  if (first === undefined) throw new Error("no process")
  const leader = first.process.fork(first.lookup)
  simulation.until(() => state.begun === 1, "the first computes")
  const asked = simulation.time
  const others = sides
    .slice(1)
    .flatMap(({ lookup, process }) => Array.from({ length: callers }, () => process.fork(lookup)))
  return { asked, first, leader, others }
}

describe("what is not kept", () => {
  for (const [name, result] of Object.entries(fruitless)) {
    for (const groups of [[], ["group"]]) {
      it(`${name}${groups.length === 0 ? "" : ", with a group"}: all are told after two computations, and each process computes once`, () => {
        const there = world(result, groups)
        const { asked, leader, others } = callAll(there, 3)
        for (const fiber of [leader, ...others]) endOf(there.simulation, fiber, "it is told")
        assert.isAtMost(there.simulation.time - asked, 2 * computing + slack)
        assert.deepStrictEqual(
          there.sides.map(({ own }) => own.begun),
          there.sides.map(() => 1)
        )
        there.simulation.pass(lease + 1)
        assert.deepStrictEqual(there.server.keys(there.simulation.time), [])
      })
    }
  }

  it("who comes later and leases the key delays nobody who has waited", () => {
    const there = world(Effect.succeed(null))
    const { asked, leader, others } = callAll(there, 1)
    const [last] = there.sides.slice(-1)
    endOf(there.simulation, leader, "the first is told")
    const late = last?.process.fork(last.lookup)
    for (const fiber of others) endOf(there.simulation, fiber, "it is told")
    assert.isAtMost(there.simulation.time - asked, 2 * computing + slack)
    if (late !== undefined) endOf(there.simulation, late, "it is told")
  })

  it("callers who never stop coming wait twice as long as without a cache at most", () => {
    const there = world(Effect.succeed(null))
    const took: Array<number> = []
    const calls = Array.from({ length: 30 }, () =>
      there.sides.map(({ lookup, process }) => {
        const asked = there.simulation.time
        const fiber = process.fork(
          Effect.tap(lookup, () => Effect.sync(() => took.push(there.simulation.time - asked)))
        )
        there.simulation.pass(23)
        return fiber
      })
    )
    for (const fiber of calls.flat()) endOf(there.simulation, fiber, "it is told")
    assert.isAtMost(Math.max(...took), 2 * computing + slack)
  })

  it("a value that is worth keeping after all is kept by the one that got the lease", () => {
    let computed = 0
    const there = world(Effect.sync(() => (++computed === 1 ? null : "kept")))
    const { leader, others } = callAll(there, 1)
    assert.deepStrictEqual(endOf(there.simulation, leader, "it is told"), Exit.succeed(null))
    for (const fiber of others) assert.deepStrictEqual(endOf(there.simulation, fiber, "told"), Exit.succeed("kept"))
    const before = there.state.begun
    for (const { lookup, process } of there.sides) {
      assert.deepStrictEqual(endOf(there.simulation, process.fork(lookup), "a hit"), Exit.succeed("kept"))
    }
    assert.strictEqual(there.state.begun, before)
  })
})

describe("a lease that ends otherwise is taken over by one process", () => {
  it("its process was killed", () => {
    const there = world(Effect.succeed("value"))
    const { first, others } = callAll(there, 2)
    first.process.frozen = true
    for (const fiber of others)
      assert.deepStrictEqual(endOf(there.simulation, fiber, "it is told"), Exit.succeed("value"))
    assert.strictEqual(there.state.begun, 2)
  })

  it("its caller was interrupted", () => {
    const there = world(Effect.succeed("value"))
    const { leader, others } = callAll(there, 2)
    there.simulation.pass(300)
    leader.unsafeInterruptAsFork(leader.id())
    for (const fiber of others)
      assert.deepStrictEqual(endOf(there.simulation, fiber, "it is told"), Exit.succeed("value"))
    assert.strictEqual(there.state.begun, 2)
  })

  for (const groups of [[], ["group"]]) {
    it(`its ${groups.length === 0 ? "key" : "group"} was invalidated meanwhile`, () => {
      const there = world(Effect.succeed("value"), groups)
      const { first, leader, others } = callAll(there, 2)
      there.simulation.pass(300)
      const invalidate =
        groups.length === 0 ? first.rig.provide(first.value.invalidate) : first.rig.service.invalidateGroup("group")
      runIn(there.simulation, first.process, Effect.orDie(invalidate))
      for (const fiber of [leader, ...others]) {
        assert.deepStrictEqual(endOf(there.simulation, fiber, "it is told"), Exit.succeed("value"))
      }
      assert.strictEqual(there.state.begun, 2)
    })
  }
})
