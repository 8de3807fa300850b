/**
 * A computation that needs its own result, through any chain of flights, dies with a defect that names the chain. It never hangs.
 */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Layer, Option, Scope } from "effect"
import { type CacheBackend, type CachedFunction, cached, getOrSet, MemoryBackend, NoopBackend } from "effect-cached"
import * as fc from "fast-check"
import { asyncStore } from "../support/asyncStore.js"
import { endOf, exitIn, memoryStore, rigIn, runIn } from "../support/backend.js"
import { breathe } from "../support/breathe.js"
import { Simulation, seeded } from "../support/simulation.js"
import { runs } from "../support/size.js"

type Recursive = CachedFunction<[], number, never, never>

const ring = (names: ReadonlyArray<string>, groups: ReadonlyArray<string> = []): ReadonlyArray<Recursive> => {
  const functions: Array<Recursive> = names.map((key, index) =>
    cached(
      (): Effect.Effect<number> =>
        // The caller provides the requirement; a recursive type can't express that.
        Effect.suspend(() =>
          Effect.map(functions[(index + 1) % names.length]?.() as Effect.Effect<number>, (n) => n + 1)
        ),
      { key, groups }
    )
  )
  return functions
}

const isCycle = <A, E>(exit: Exit.Exit<A, E>): boolean =>
  Exit.isFailure(exit) &&
  Option.exists(Cause.dieOption(exit.cause), (defect) => /needs its own result: .+ → .+/.test(String(defect)))

const unreachable = asyncStore(
  // Nothing behind it is ever asked.
  Effect.runSync(Effect.scoped(memoryStore)),
  () => ({ there: 0, back: 0, fault: "refused" })
)

for (const kind of ["memory", "network", "unreachable", "noop"] as const) {
  describe(`a cycle over a store: ${kind}`, () => {
    const world = (choose = seeded(1)) => {
      const simulation = new Simulation(choose)
      const process = simulation.process()
      if (kind === "noop") {
        const service = runIn(
          simulation,
          process,
          Effect.flatMap(Scope.make(), (scope) => Scope.extend(Layer.build(NoopBackend.layer), scope))
        )
        return { simulation, process, provide: Effect.provide(service), flights: () => 0 }
      }
      const memory = () => runIn(simulation, process, Effect.scoped(memoryStore))
      const store = kind === "unreachable" ? unreachable : kind === "network" ? asyncStore(memory()) : memory()
      const rig = rigIn(simulation, process, store)
      return { simulation, process, provide: rig.provide, flights: rig.flights }
    }

    for (const length of [1, 2, 3]) {
      it(`through ${length} keys, called all at once`, () =>
        fc.assert(
          fc.asyncProperty(fc.integer(), fc.integer({ min: 0, max: 80 }), async (seed, head) => {
            await breathe()
            const { simulation, process, provide, flights } = world(seeded(seed))
            const functions = ring(["a", "b", "c"].slice(0, length), seed % 2 === 0 ? ["all"] : [])
            simulation.everyOperation = true
            const fibers = functions.map((f, index) => {
              for (let step = 0; step < index * head; step++) simulation.step()
              return process.fork(provide(f()))
            })
            for (const fiber of fibers) assert.isTrue(isCycle(endOf(simulation, fiber, "a caller hears of the cycle")))
            simulation.until(() => flights() === 0, "no flight is left", 100)
          }),
          { numRuns: runs(15) }
        ))
    }

    it("through forceRecalc and getOrSet", () => {
      const { simulation, process, provide } = world()
      const forced: Recursive = cached(
        (): Effect.Effect<number> => Effect.suspend(() => forced.forceRecalc() as Effect.Effect<number>),
        { key: "forced" }
      )
      assert.isTrue(isCycle(exitIn(simulation, process, provide(forced()))))
      const set: Effect.Effect<number, unknown, CacheBackend> = Effect.suspend(() => getOrSet("set", set))
      assert.isTrue(isCycle(exitIn(simulation, process, provide(set))))
    })

    it("a diamond is no cycle", () => {
      const { simulation, process, provide } = world()
      const d = cached(() => Effect.delay(Effect.succeed(1), 5), { key: "d" })
      const b = cached(() => Effect.map(d(), (n) => n + 10), { key: "b" })
      const c = cached(() => Effect.map(d(), (n) => n + 20), { key: "c" })
      const a = cached(() => Effect.map(Effect.all([b(), c()], { concurrency: 2 }), ([x, y]) => x + y), { key: "a" })
      assert.strictEqual(runIn(simulation, process, provide(a())), 32)
    })
  })
}

it("a background refresh may need what its caller computes: nobody waits for it", () => {
  const simulation = new Simulation()
  const process = simulation.process()
  const rig = rigIn(simulation, process)
  let rates = 0
  const rate: Recursive = cached(
    (): Effect.Effect<number> =>
      // As above.
      Effect.suspend(() => (rates++ === 0 ? Effect.succeed(1) : (total() as Effect.Effect<number>))),
    { key: "rate", ttl: 10, stale: "1 hour", revalidate: "background" }
  )
  const total: Recursive = cached((): Effect.Effect<number> => Effect.delay(rate() as Effect.Effect<number>, 5), {
    key: "total"
  })
  runIn(simulation, process, rig.provide(rate()))
  simulation.pass(11)
  assert.strictEqual(runIn(simulation, process, rig.provide(total())), 1)
  simulation.until(() => rig.flights() === 0, "the refresh ends", 1_000)
  const stats = runIn(simulation, process, rig.service.stats)
  assert.strictEqual(stats.failed, 0)
})

it("two layers: their flights wait for each other and find the cycle", () => {
  const program = Effect.gen(function* () {
    const one = yield* Layer.build(MemoryBackend.layer())
    const two = yield* Layer.build(MemoryBackend.layer())
    const a: Recursive = cached((): Effect.Effect<number> => Effect.suspend(() => Effect.provide(b(), two)), {
      key: "a"
    })
    const b: Recursive = cached((): Effect.Effect<number> => Effect.suspend(() => Effect.provide(a(), one)), {
      key: "b"
    })
    return yield* Effect.exit(Effect.provide(a(), one))
  })
  return Effect.runPromise(Effect.scoped(program)).then((exit) => assert.isTrue(isCycle(exit)))
})
