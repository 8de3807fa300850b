/**
 * What is promised while the store fails, and when the answer of the store is lost.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit } from "effect"
import { type CacheBackend, cached } from "effect-cached"
import { asyncStore, type Operation, swift, type Trip } from "../support/asyncStore.js"
import { endOf, exitIn, memoryStore, rigIn, runIn } from "../support/backend.js"
import { Simulation } from "../support/simulation.js"

const world = () => {
  const simulation = new Simulation()
  const process = simulation.process()
  const faults: { of: (operation: Operation, keys: ReadonlyArray<string>) => Trip["fault"] } = { of: () => undefined }
  const inner = runIn(simulation, process, Effect.scoped(memoryStore))
  const rig = rigIn(
    simulation,
    process,
    asyncStore(inner, (operation, keys) => ({ ...swift, fault: faults.of(operation, keys) }))
  )
  return { simulation, process, rig, faults }
}

const refused = () => "refused" as const

describe("while the store can't be reached", () => {
  it("the callers of a process compute once", () => {
    const { simulation, process, rig, faults } = world()
    faults.of = refused
    let computations = 0
    const value = cached(
      Effect.suspend(() => Effect.delay(Effect.succeed(++computations), 10)),
      { key: "value" }
    )
    const fibers = Array.from({ length: 50 }, () => process.fork(rig.provide(value)))
    for (const fiber of fibers) assert.deepStrictEqual(endOf(simulation, fiber, "a value"), Exit.succeed(1))
    assert.strictEqual(computations, 1)
    assert.strictEqual(rig.flights(), 0)
  })

  for (const write of [
    "set",
    "setMany",
    "add",
    "invalidate",
    "delete",
    "clear",
    "invalidateGroup",
    "forceRecalc"
  ] as const) {
    it(`nobody joins a computation that began before ${write} succeeded`, () => {
      const { simulation, process, rig, faults } = world()
      let computations = 0
      const value = cached(
        Effect.suspend(() => Effect.delay(Effect.succeed(++computations), 100)),
        { key: "value", groups: ["group"] }
      )
      faults.of = refused
      const first = process.fork(rig.provide(value))
      simulation.until(() => computations === 1, "it computes")
      faults.of = () => undefined
      const { service } = rig
      const writes: Record<typeof write, Effect.Effect<unknown, unknown, CacheBackend>> = {
        set: service.set("value", 10),
        setMany: service.setMany([["value", 10]]),
        add: service.add("value", 10),
        invalidate: value.invalidate,
        delete: service.delete("value"),
        clear: service.clear,
        invalidateGroup: service.invalidateGroup("group"),
        forceRecalc: Effect.timeout(value.forceRecalc, 50)
      }
      exitIn(simulation, process, rig.provide(writes[write]))
      faults.of = refused
      const begun = computations
      assert.deepStrictEqual(exitIn(simulation, process, rig.provide(value)), Exit.succeed(begun + 1))
      endOf(simulation, first, "the first has its value")
    })
  }
})

describe("an answer that is lost", () => {
  it("to acquiring a lease: a caller that reads the lease joins its computation", () => {
    const { simulation, process, rig, faults } = world()
    let computations = 0
    const value = cached(
      Effect.suspend(() => Effect.delay(Effect.succeed(++computations), 100)),
      { key: "value" }
    )
    faults.of = (operation) => (operation === "add" ? "unanswered" : undefined)
    const first = process.fork(rig.provide(value))
    simulation.until(() => computations === 1, "it computes")
    const second = process.fork(rig.provide(value))
    assert.deepStrictEqual(endOf(simulation, second, "a value"), Exit.succeed(1))
    assert.deepStrictEqual(endOf(simulation, first, "a value"), Exit.succeed(1))
    assert.isAtMost(simulation.time, 200)
    assert.strictEqual(computations, 1)
  })

  it("to acquiring a lease whose callers have left: the key is free when the lease ends", () => {
    const { simulation, process, rig, faults } = world()
    const value = cached(Effect.delay(Effect.succeed(1), 100), { key: "value", lease: 1_000 })
    faults.of = (operation) => (operation === "add" ? "unanswered" : undefined)
    exitIn(simulation, process, rig.provide(Effect.timeoutOption(value, 50)))
    faults.of = () => undefined
    assert.deepStrictEqual(exitIn(simulation, process, rig.provide(value)), Exit.succeed(1))
    assert.isAtMost(simulation.time, 1_500)
  })

  it("to storing a value: the caller gets the value all the same", () => {
    const { simulation, process, rig, faults } = world()
    const value = cached(Effect.succeed(1), { key: "value" })
    faults.of = (operation) => (operation === "replace" ? "unanswered" : undefined)
    assert.deepStrictEqual(exitIn(simulation, process, rig.provide(value)), Exit.succeed(1))
  })
})

describe("forceRecalc never leaves the old value", () => {
  const scenario = (result: number | undefined, act: "lease unanswered" | "another forces") => {
    const { simulation, process, rig, faults } = world()
    let next: number | undefined = 1
    const value = cached(
      Effect.suspend(() => Effect.delay(Effect.succeed(next), 100)),
      { key: "value" }
    )
    runIn(simulation, process, rig.provide(value))
    next = result
    if (act === "lease unanswered") faults.of = (operation) => (operation === "replace" ? "unanswered" : undefined)
    const forced = process.fork(rig.provide(value.forceRecalc))
    simulation.pass(50)
    faults.of = () => undefined
    if (act === "another forces") process.fork(rig.provide(value.forceRecalc))
    assert.deepStrictEqual(endOf(simulation, forced, "it is recalculated"), Exit.succeed(result))
    next = 3
    assert.notDeepEqual(exitIn(simulation, process, rig.provide(value)), Exit.succeed(1))
  }

  it("when the answer to acquiring its lease was lost", () => scenario(2, "lease unanswered"))
  it("when another caller has taken its lease over", () => scenario(2, "another forces"))
  it("when another caller has taken its lease over, and its own value is not to be stored", () => {
    scenario(undefined, "another forces")
  })
})
