/**
 * An invalidated value is never served again, in any interleaving.
 *
 * The condition: every value has a moment at which it was made. For a computed value it is the begin of the computation, which then
 * reads the database; for a set value it is the return of `set`. If a read began after an invalidation had succeeded, the value
 * that it returns was made after that invalidation began. `invalidate`, `invalidateGroup`,
 * `delete`, `clear`, `set` and `forceRecalc` are invalidations; `cached`, `requireCache`, `get`, `getMany`, `getOrSet` and
 * `forceRecalc` are reads.
 *
 * Two cases can't be promised: while its store fails, a backend does not see another process's invalidation; and a `forceRecalc`
 * during which the store fails can't remove the old value.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, type Fiber, FiberId, Option } from "effect"
import { type CacheBackend, type CacheError, cached, type NoCachedValue } from "effect-cached"
import * as fc from "fast-check"
import { asyncStore, type Trip } from "../support/asyncStore.js"
import { memoryStore, type Rig, rigIn, runIn } from "../support/backend.js"
import { breathe } from "../support/breathe.js"
import { byteServer } from "../support/byteServer.js"
import { type Process, Simulation, seeded } from "../support/simulation.js"
import { runs } from "../support/size.js"

const reads = ["cached", "requireCache", "get", "getMany", "getOrSet"] as const
const invalidations = ["invalidate", "invalidateGroup", "delete", "clear", "set", "forceRecalc"] as const

interface Call {
  readonly operation: (typeof reads)[number] | (typeof invalidations)[number]
  readonly backend: number
  /** How many steps after the previous call it begins. */
  readonly after: number
  /** After how many further steps it is interrupted. */
  readonly cut: number | undefined
  /** For how many milliseconds the backend's whole process is frozen. */
  readonly freeze: number | undefined
}

interface Plan {
  readonly seed: number
  readonly everyOperation: boolean
  readonly calls: ReadonlyArray<Call>
}

interface World {
  readonly backends: 1 | 2
  readonly network: boolean
  /** How many of a hundred store operations of the first backend fail. */
  readonly faults: number
}

interface Value {
  made: number
}

interface Seen {
  readonly call: Call
  began: number
  returned: number
  value: Value | undefined
  /** Whether the store failed during it. */
  failed: boolean
}

const policy = { ttl: 25, stale: 60, lease: 12, groups: ["group"] }
const unknownYet = Number.POSITIVE_INFINITY

const play = (world: World, plan: Plan): ReadonlyArray<Seen> => {
  const choose = seeded(plan.seed)
  const simulation = new Simulation(choose)
  const setup = simulation.process()
  const inner = runIn(simulation, setup, Effect.scoped(memoryStore))
  const faults = [0, 0]
  const trip = (backend: number): Trip => {
    const fault = backend === 0 && choose(100) < world.faults ? choose(3) : undefined
    if (fault !== undefined) faults[backend] = (faults[backend] ?? 0) + 1
    return {
      there: choose(3),
      back: choose(3),
      fault: fault === undefined ? undefined : (["refused", "lost", "unanswered"] as const)[fault]
    }
  }
  const sides: ReadonlyArray<{ readonly process: Process; readonly rig: Rig }> = Array.from(
    { length: world.backends },
    (_, backend) => {
      const process = simulation.process()
      return {
        process,
        rig: rigIn(simulation, process, world.network ? asyncStore(inner, () => trip(backend)) : inner)
      }
    }
  )

  let moment = 0
  const compute = Effect.suspend(() => {
    const value: Value = { made: ++moment }
    return Effect.delay(Effect.succeed(value), choose(10) === 0 ? 40 : choose(8))
  })
  const value = cached(compute, { key: "value", ...policy })
  const operations = (
    service: Rig["service"]
  ): Record<Call["operation"], Effect.Effect<Value | undefined, CacheError | NoCachedValue, CacheBackend>> => ({
    cached: value,
    requireCache: value.requireCache,
    // The value of the key was computed or set here.
    get: Effect.map(service.get("value"), (found) => Option.getOrUndefined(found) as Value | undefined),
    getMany: Effect.map(service.getMany(["value"]), (found) => found.get("value") as Value | undefined),
    getOrSet: service.getOrSet("value", compute, policy),
    forceRecalc: value.forceRecalc,
    invalidate: Effect.as(value.invalidate, undefined),
    invalidateGroup: Effect.as(service.invalidateGroup("group"), undefined),
    delete: Effect.as(service.delete("value"), undefined),
    clear: Effect.as(service.clear, undefined),
    set: Effect.suspend(() => {
      const set: Value = { made: unknownYet }
      return Effect.map(service.set("value", set, policy), () => {
        set.made = ++moment
        return undefined
      })
    })
  })

  simulation.everyOperation = plan.everyOperation
  const history: Array<Seen> = []
  const fibers: Array<Fiber.RuntimeFiber<unknown, unknown>> = []
  const cuts: Array<{ readonly at: number; readonly fiber: Fiber.RuntimeFiber<unknown, unknown> }> = []
  const step = () => {
    simulation.step()
    for (const cut of cuts) if (cut.at === simulation.steps) cut.fiber.unsafeInterruptAsFork(FiberId.none)
  }
  for (const call of plan.calls) {
    for (let count = 0; count < call.after; count++) step()
    const backend = call.backend % world.backends
    const side = sides[backend]
    if (side === undefined) throw new Error("no such backend")
    const seen: Seen = { call: { ...call, backend }, began: 0, returned: unknownYet, value: undefined, failed: false }
    history.push(seen)
    const fiber = side.process.fork(
      Effect.suspend(() => {
        seen.began = ++moment
        const before = faults[backend]
        return Effect.map(side.rig.provide(operations(side.rig.service)[call.operation]), (result) => {
          seen.value = result
          seen.failed = faults[backend] !== before
          seen.returned = ++moment
        })
      })
    )
    fibers.push(fiber)
    if (call.cut !== undefined) cuts.push({ at: simulation.steps + 1 + call.cut, fiber })
    if (call.freeze !== undefined && world.backends === 2) {
      side.process.frozen = true
      setup.fork(
        Effect.zipRight(
          Effect.sleep(call.freeze),
          Effect.sync(() => {
            side.process.frozen = false
          })
        )
      )
    }
  }
  const ended = () => fibers.every((fiber) => fiber.unsafePoll() !== null)
  for (let count = 0; count < 3_000 && !ended(); count++) step()
  simulation.everyOperation = false
  simulation.until(ended, "every call ends", 2_000)
  for (const fiber of fibers) {
    const exit = fiber.unsafePoll()
    if (exit !== null && Exit.isFailure(exit) && exit.cause.toString().includes("Die")) throw new Error(`${exit.cause}`)
  }
  simulation.until(() => sides.every(({ rig }) => rig.flights() === 0), "no flight is left", 2_000)
  return history
}

const isInvalidation = ({ call, failed }: Seen): boolean =>
  invalidations.some((name) => name === call.operation) && !(failed && call.operation === "forceRecalc")

const hears = (world: World, read: Seen, invalidation: Seen): boolean =>
  world.faults === 0 || read.call.backend !== 0 || invalidation.call.backend === 0

const judge = (world: World, history: ReadonlyArray<Seen>): void => {
  for (const read of history) {
    if (read.value === undefined) continue
    for (const invalidation of history) {
      if (!isInvalidation(invalidation) || invalidation.returned > read.began || !hears(world, read, invalidation))
        continue
      assert.isAbove(
        read.value.made,
        invalidation.began,
        `${read.call.operation}, begun at ${read.began}, gave what was made at ${read.value.made}; ` +
          `${invalidation.call.operation} went from ${invalidation.began} to ${invalidation.returned}`
      )
    }
  }
}

const plans: fc.Arbitrary<Plan> = fc.record({
  seed: fc.nat(),
  everyOperation: fc.nat({ max: 3 }).map((n) => n === 0),
  calls: fc.array(
    fc.record({
      operation: fc.oneof(
        { weight: 5, arbitrary: fc.constantFrom(...reads) },
        { weight: 2, arbitrary: fc.constant("cached" as const) },
        { weight: 4, arbitrary: fc.constantFrom(...invalidations) }
      ),
      backend: fc.nat({ max: 1 }),
      after: fc.oneof(fc.nat({ max: 12 }), fc.nat({ max: 120 })),
      cut: fc.option(fc.nat({ max: 60 }), { nil: undefined, freq: 8 }),
      freeze: fc.option(fc.nat({ max: 30 }), { nil: undefined, freq: 12 })
    }),
    { minLength: 3, maxLength: 14 }
  )
})

describe("no read that begins after an invalidation has returned gives a value made before that invalidation", () => {
  const worlds: Record<string, World & { readonly runs: number }> = {
    "in one process": { backends: 1, network: false, faults: 0, runs: 150 },
    "behind a network": { backends: 1, network: true, faults: 0, runs: 150 },
    "two processes, some of them frozen for a while": { backends: 2, network: true, faults: 0, runs: 200 },
    "behind a network that fails": { backends: 1, network: true, faults: 45, runs: 200 },
    "two processes, one with a failing network": { backends: 2, network: true, faults: 45, runs: 150 }
  }
  for (const [name, world] of Object.entries(worlds)) {
    it(name, () =>
      fc.assert(
        fc.asyncProperty(plans, async (plan) => {
          judge(world, play(world, plan))
          await breathe()
        }),
        { numRuns: runs(Math.ceil(world.runs / 2), world.runs) }
      )
    )
  }
})

it("nor one that the store refuses: what says so in the store leads nobody to its computation", () => {
  for (let moment = 0; moment < 30; moment++) {
    const simulation = new Simulation()
    const process = simulation.process()
    const rig = rigIn(
      simulation,
      process,
      asyncStore(byteServer().store, (operation) => ({ there: 1, back: operation === "add" ? 9 : 1 }))
    )
    let begun = 0
    // A function can't be encoded.
    const value = cached(
      Effect.suspend(() => Effect.delay(Effect.succeed({ made: ++begun, refused: () => 0 }), 10)),
      { key: "value" }
    )
    process.fork(rig.provide(value))
    simulation.until(() => begun === 1, "it computes")
    runIn(simulation, process, rig.provide(value.invalidate))
    simulation.pass(moment)
    assert.strictEqual(runIn(simulation, process, rig.provide(value)).made, 2, `${moment} ms after the invalidation`)
  }
})
