/**
 * With `finish: true` a computation that takes longer than its callers wait is kept all the same.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, FiberId, Option, Scope } from "effect"
import { cached } from "effect-cached"
import { asyncStore } from "../support/asyncStore.js"
import { endOf, memoryStore, rigIn, runIn } from "../support/backend.js"
import { Simulation } from "../support/simulation.js"

const takes = 1_000
const patience = 100

for (const network of [false, true]) {
  describe(`callers wait for less long than a computation takes, ${network ? "behind a network" : "in this process"}`, () => {
    const world = (finish: boolean) => {
      const simulation = new Simulation()
      const process = simulation.process()
      const inner = runIn(simulation, process, Effect.scoped(memoryStore))
      const rig = rigIn(simulation, process, network ? asyncStore(inner, () => ({ there: 1, back: 1 })) : inner)
      const state = { begun: 0, interrupted: 0 }
      const value = cached(
        Effect.suspend(() => Effect.delay(Effect.succeed(++state.begun), takes)).pipe(
          Effect.onInterrupt(() => Effect.sync(() => state.interrupted++))
        ),
        { key: "value", finish }
      )
      const impatient = () => runIn(simulation, process, Effect.timeoutOption(rig.provide(value), patience))
      return { simulation, process, rig, state, value, impatient }
    }

    it("finish: true: the value is there for later callers, who leave at once when they are interrupted", () => {
      const { simulation, process, rig, state, value, impatient } = world(true)
      for (let call = 1; call <= 5; call++) {
        assert.deepStrictEqual(impatient(), Option.none())
        assert.isAtMost(simulation.time, call * (patience + 10))
      }
      simulation.pass(takes)
      assert.deepStrictEqual(impatient(), Option.some(1))
      assert.deepStrictEqual(runIn(simulation, process, rig.provide(value)), 1)
      assert.deepStrictEqual(state, { begun: 1, interrupted: 0 })
      assert.strictEqual(rig.flights(), 0)
      assert.isFalse(runIn(simulation, process, rig.leased("value")))
    })

    it("finish: true: it goes on also if its callers left before it began", () => {
      const { simulation, process, rig, state, value, impatient } = world(true)
      simulation.everyOperation = true
      for (let steps = 0; steps < 120; steps += 3) {
        runIn(simulation, process, rig.provide(value.invalidate))
        const before = state.begun
        const fiber = process.fork(rig.provide(value))
        for (let step = 0; step < steps; step++) simulation.step()
        const flies = rig.flights() > 0
        fiber.unsafeInterruptAsFork(FiberId.none)
        endOf(simulation, fiber, "it leaves")
        simulation.until(() => rig.flights() === 0, "the flight ends")
        assert.isFalse(runIn(simulation, process, rig.leased("value")))
        if (!flies) continue
        assert.strictEqual(state.begun, before + 1)
        assert.deepStrictEqual(impatient(), Option.some(before + 1))
      }
      assert.strictEqual(state.interrupted, 0)
    })

    it("finish: true: it ends with the layer", () => {
      const { simulation, process, rig, state, impatient } = world(true)
      impatient()
      runIn(simulation, process, Scope.close(rig.scope, Exit.void))
      assert.deepStrictEqual(state, { begun: 1, interrupted: 1 })
      assert.strictEqual(rig.flights(), 0)
    })

    it("without it: the last caller ends the computation", () => {
      const { state, impatient } = world(false)
      for (let call = 0; call < 5; call++) assert.deepStrictEqual(impatient(), Option.none())
      assert.deepStrictEqual(state, { begun: 5, interrupted: 5 })
    })
  })
}

it("finish: true, and nothing can be stored: the last caller ends the computation", () => {
  const simulation = new Simulation()
  const process = simulation.process()
  const inner = runIn(simulation, process, Effect.scoped(memoryStore))
  const rig = rigIn(
    simulation,
    process,
    asyncStore(inner, () => ({ there: 1, back: 1, fault: "refused" }))
  )
  let interrupted = 0
  const value = cached(
    Effect.onInterrupt(Effect.never, () => Effect.sync(() => interrupted++)),
    { key: "value", finish: true }
  )
  runIn(simulation, process, Effect.timeoutOption(rig.provide(value), patience))
  assert.strictEqual(interrupted, 1)
  assert.strictEqual(rig.flights(), 0)
})
