/**
 * Two processes on one server. One of them is killed, freezes or computes for long.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit } from "effect"
import { cached } from "effect-cached"
import { asyncStore } from "../support/asyncStore.js"
import { endOf, exitIn, memoryStore, rigIn, runIn } from "../support/backend.js"
import { Simulation } from "../support/simulation.js"

const lease = 1_000

/** @param answer milliseconds that the answer to an `add` takes */
const world = (computing: number, stale = 0, answer = 1) => {
  const simulation = new Simulation()
  const inner = runIn(simulation, simulation.process(), Effect.scoped(memoryStore))
  const side = (name: string) => {
    const process = simulation.process()
    const rig = rigIn(
      simulation,
      process,
      asyncStore(inner, (operation) => ({ there: 1, back: operation === "add" ? answer : 1 }))
    )
    const state = { begun: 0, result: name }
    const value = cached(
      Effect.suspend(() => {
        state.begun++
        return Effect.delay(Effect.succeed(`${state.result}${state.begun}`), computing)
      }),
      { key: "value", ttl: 10_000, stale, lease }
    )
    return { process, rig, state, lookup: rig.provide(value), force: rig.provide(value.forceRecalc) }
  }
  return { simulation, one: side("one"), two: side("two") }
}

describe("two processes", () => {
  it("on one cold key compute once, however long it takes", () => {
    const { simulation, one, two } = world(10 * lease)
    const fibers = Array.from({ length: 20 }, (_, index) => {
      const { process, lookup } = index % 2 === 0 ? one : two
      return process.fork(lookup)
    })
    const exits = fibers.map((fiber) => endOf(simulation, fiber, "a value"))
    assert.strictEqual(one.state.begun + two.state.begun, 1)
    assert.strictEqual(new Set(exits.map(String)).size, 1)
    // They do not poll long after the value is there.
    assert.isAtMost(simulation.time, 10 * lease + 150)
  })

  it("on one stale key compute once; the others have the stale value at once", () => {
    const { simulation, one, two } = world(100, 60_000)
    exitIn(simulation, one.process, one.lookup)
    simulation.pass(10_000)
    const refreshing = one.process.fork(one.lookup)
    simulation.pass(10)
    const asked = simulation.time
    assert.deepStrictEqual(exitIn(simulation, two.process, two.lookup), Exit.succeed("one1"))
    assert.isAtMost(simulation.time - asked, 4)
    assert.deepStrictEqual(endOf(simulation, refreshing, "it is fresh"), Exit.succeed("one2"))
    assert.strictEqual(two.state.begun, 0)
    assert.deepStrictEqual(exitIn(simulation, two.process, two.lookup), Exit.succeed("one2"))
  })

  it("compute once where the store grants the lease late: it is renewed at once", () => {
    const { simulation, one, two } = world(500, 0, lease - 50)
    const late = one.process.fork(one.lookup)
    simulation.pass(2)
    const waiting = two.process.fork(two.lookup)
    for (const fiber of [late, waiting]) {
      assert.deepStrictEqual(endOf(simulation, fiber, "a value"), Exit.succeed("one1"))
    }
    assert.strictEqual(two.state.begun, 0)
  })

  it("one is killed while it computes: the other takes over when the lease ends, not before", () => {
    const { simulation, one, two } = world(100)
    one.process.fork(one.lookup)
    simulation.until(() => one.state.begun === 1, "one computes")
    one.process.frozen = true
    const killed = simulation.time
    const waiting = two.process.fork(two.lookup)
    simulation.pass(lease - 150)
    assert.strictEqual(two.state.begun, 0)
    assert.deepStrictEqual(endOf(simulation, waiting, "two takes over"), Exit.succeed("two1"))
    assert.isAtMost(simulation.time - killed, lease + 100 + 150)
  })

  it("one freezes past its lease: what it computed is not stored over the other's", () => {
    const { simulation, one, two } = world(100)
    const late = one.process.fork(one.lookup)
    simulation.until(() => one.state.begun === 1, "one computes")
    one.process.frozen = true
    simulation.pass(2 * lease)
    assert.deepStrictEqual(exitIn(simulation, two.process, two.lookup), Exit.succeed("two1"))
    one.process.frozen = false
    assert.deepStrictEqual(endOf(simulation, late, "one has what it computed"), Exit.succeed("one1"))
    simulation.pass(100)
    for (const { process, lookup } of [one, two]) {
      assert.deepStrictEqual(exitIn(simulation, process, lookup), Exit.succeed("two1"))
    }
    assert.strictEqual(runIn(simulation, one.process, one.rig.service.stats).discarded, 1)
  })

  it("one freezes past its lease while the other computes: its late result is not stored either", () => {
    const { simulation, one, two } = world(200)
    const late = one.process.fork(one.lookup)
    simulation.until(() => one.state.begun === 1, "one computes")
    one.process.frozen = true
    simulation.pass(lease + 10)
    const second = two.process.fork(two.lookup)
    simulation.until(() => two.state.begun === 1, "two computes")
    one.process.frozen = false
    endOf(simulation, late, "one has what it computed")
    assert.isFalse(Exit.isSuccess(exitIn(simulation, one.process, Effect.flatten(one.rig.service.get("value")))))
    assert.deepStrictEqual(endOf(simulation, second, "two has its value"), Exit.succeed("two1"))
    assert.deepStrictEqual(exitIn(simulation, one.process, one.lookup), Exit.succeed("two1"))
  })

  it("one forces while the other computes: the other's result is not stored", () => {
    const { simulation, one, two } = world(100)
    const older = one.process.fork(one.lookup)
    simulation.until(() => one.state.begun === 1, "one computes")
    simulation.pass(50)
    assert.deepStrictEqual(exitIn(simulation, two.process, two.force), Exit.succeed("two1"))
    assert.deepStrictEqual(endOf(simulation, older, "one has what it computed"), Exit.succeed("one1"))
    for (const { process, lookup } of [one, two]) {
      assert.deepStrictEqual(exitIn(simulation, process, lookup), Exit.succeed("two1"))
    }
  })

  it("each computes what the other needs: both fail after a lease, neither waits for ever", () => {
    const simulation = new Simulation()
    const inner = runIn(simulation, simulation.process(), Effect.scoped(memoryStore))
    const side = () => {
      const process = simulation.process()
      const { provide } = rigIn(simulation, process, asyncStore(inner))
      const a: Effect.Effect<number> = Effect.suspend(() => provide(cached(Effect.delay(b, 10), { key: "a", lease })))
      const b: Effect.Effect<number> = Effect.suspend(() => provide(cached(Effect.delay(a, 10), { key: "b", lease })))
      return { process, a, b }
    }
    const one = side()
    const two = side()
    const fibers = [one.process.fork(one.a), two.process.fork(two.b)]
    for (const fiber of fibers) {
      const exit = endOf(simulation, fiber, "it hears of the cycle")
      assert.include(String(exit), "needs its own result")
    }
    assert.isAtMost(simulation.time, 3 * lease)
  })
})

for (const network of [false, true]) {
  it(`a process that was frozen past its lease, ${network ? "behind a network" : "alone"}, does not compute twice`, () => {
    const simulation = new Simulation()
    const process = simulation.process()
    const inner = runIn(simulation, simulation.process(), Effect.scoped(memoryStore))
    const rig = rigIn(simulation, process, network ? asyncStore(inner) : inner)
    let begun = 0
    const value = rig.provide(
      cached(
        Effect.suspend(() => Effect.delay(Effect.succeed(++begun), lease / 2)),
        { key: "value", ttl: 10_000, lease }
      )
    )
    const first = process.fork(value)
    simulation.until(() => begun === 1, "it computes")
    process.frozen = true
    simulation.pass(2 * lease)
    process.frozen = false
    const second = process.fork(value)
    for (const fiber of [first, second]) assert.deepStrictEqual(endOf(simulation, fiber, "a value"), Exit.succeed(1))
    assert.deepStrictEqual(exitIn(simulation, process, value), Exit.succeed(1))
    assert.strictEqual(begun, 1)
  })
}
