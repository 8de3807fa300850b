/**
 * A computation that fails, dies or interrupts itself. All callers get the stale value if there is one, else the same exit. Nothing
 * is stored, and nobody waits for a lease without a computation.
 */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, FiberId } from "effect"
import { cached } from "effect-cached"
import { asyncStore } from "../support/asyncStore.js"
import { endOf, exitIn, memoryStore, type Rig, rigIn, runIn } from "../support/backend.js"
import { type Process, Simulation } from "../support/simulation.js"

class Refused {
  readonly _tag = "Refused"
}

const refusal = new Refused()

const failures: Record<string, Effect.Effect<never, Refused>> = {
  "a typed error": Effect.fail(refusal),
  "a typed error that ends a parallel half": Effect.all([Effect.fail(refusal), Effect.never], {
    concurrency: 2
  }).pipe(Effect.zipRight(Effect.never)),
  "a defect": Effect.die("broken"),
  "an interruption of its own": Effect.interrupt
}

interface World {
  readonly simulation: Simulation
  readonly process: Process
  readonly rig: Rig
}

const worlds: Record<string, () => World> = {
  "in this process": () => {
    const simulation = new Simulation()
    const process = simulation.process()
    return { simulation, process, rig: rigIn(simulation, process) }
  },
  "behind a network": () => {
    const simulation = new Simulation()
    const process = simulation.process()
    const store = asyncStore(runIn(simulation, process, Effect.scoped(memoryStore)), () => ({ there: 1, back: 1 }))
    return { simulation, process, rig: rigIn(simulation, process, store) }
  }
}

for (const [where, world] of Object.entries(worlds)) {
  for (const [name, failure] of Object.entries(failures)) {
    describe(`${name}, ${where}`, () => {
      const make = (stale: number, options: { revalidate?: "caller" | "background"; staleOnError?: boolean } = {}) => {
        const { simulation, process, rig } = world()
        const state = { computations: 0, failing: false }
        const value = cached(
          Effect.suspend(() => {
            state.computations++
            return Effect.delay(state.failing ? failure : Effect.succeed(state.computations), 5)
          }),
          { key: "value", ttl: 1_000, stale, lease: 10_000, ...options }
        )
        const run = () => exitIn(simulation, process, rig.provide(value))
        return { simulation, process, rig, state, value, run }
      }

      it("without a stale value gives all callers the same exit; the next call computes anew", () => {
        const { simulation, process, rig, state, value, run } = make(0)
        state.failing = true
        const fibers = Array.from({ length: 5 }, () => process.fork(rig.provide(value)))
        const exits = fibers.map((fiber) => endOf(simulation, fiber, "a caller hears of the failure"))
        for (const exit of exits) {
          assert.isTrue(Exit.isFailure(exit))
          assert.deepStrictEqual(String(exit), String(exits[0]))
        }
        assert.strictEqual(state.computations, 1)
        assert.strictEqual(rig.flights(), 0)
        assert.isFalse(runIn(simulation, process, rig.leased("value")))
        state.failing = false
        const asked = simulation.time
        assert.deepStrictEqual(run(), Exit.succeed(2))
        assert.isAtMost(simulation.time - asked, 5 + 6)
      })

      for (const revalidate of ["caller", "background"] as const) {
        it(`with a stale value serves that, and tries again only when the lease has ended (${revalidate})`, () => {
          const { simulation, process, rig, state, run } = make(3_600_000, { revalidate })
          run()
          simulation.pass(1_001)
          state.failing = true
          assert.deepStrictEqual(run(), Exit.succeed(1))
          simulation.pass(100)
          assert.deepStrictEqual(run(), Exit.succeed(1))
          simulation.pass(9_000)
          assert.deepStrictEqual(run(), Exit.succeed(1))
          assert.strictEqual(state.computations, 2)
          assert.strictEqual(runIn(simulation, process, rig.service.stats).failed, 1)
          state.failing = false
          simulation.pass(1_500)
          run()
          simulation.pass(10)
          assert.deepStrictEqual(run(), Exit.succeed(3))
        })
      }

      it("leaves no lease that outlives the stale value", () => {
        const { simulation, state, run } = make(2_000)
        run()
        simulation.pass(2_500)
        state.failing = true
        assert.deepStrictEqual(run(), Exit.succeed(1))
        simulation.pass(500)
        state.failing = false
        const asked = simulation.time
        assert.deepStrictEqual(run(), Exit.succeed(3))
        assert.isAtMost(simulation.time - asked, 5 + 6)
      })

      it("after the stale value's end leaves no lease either", () => {
        const { simulation, state, run } = make(4)
        run()
        simulation.pass(where === "in this process" ? 1_000 : 998)
        state.failing = true
        run()
        state.failing = false
        const asked = simulation.time
        assert.deepStrictEqual(run(), Exit.succeed(3))
        assert.isAtMost(simulation.time - asked, 5 + 6)
      })

      it("without staleOnError reaches the caller", () => {
        const { simulation, state, run } = make(3_600_000, { staleOnError: false })
        run()
        simulation.pass(1_001)
        state.failing = true
        assert.isTrue(Exit.isFailure(run()))
      })
    })
  }
}

it("the caller gets its typed error, and no interruption instead", () => {
  const { simulation, process, rig } = worlds["in this process"]?.() ?? assert.fail()
  const failing = cached(Effect.fail(refusal), { key: "failing" })
  assert.deepStrictEqual(exitIn(simulation, process, rig.provide(failing)), Exit.fail(refusal))
  const hanging = cached(Effect.never, { key: "hanging" })
  const fiber = process.fork(rig.provide(hanging))
  simulation.until(() => rig.flights() === 1, "it computes")
  fiber.unsafeInterruptAsFork(FiberId.none)
  const exit = endOf(simulation, fiber, "it leaves")
  assert.isTrue(Exit.isFailure(exit) && Cause.isInterruptedOnly(exit.cause))
})
