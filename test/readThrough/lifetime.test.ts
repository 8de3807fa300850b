/**
 * Computations run in fibers of the layer: they end with it, and none goes on without a caller.
 */
import { assert, describe, it } from "@effect/vitest"
import {
  Cause,
  Deferred,
  Effect,
  Exit,
  Fiber,
  FiberId,
  FiberRef,
  HashSet,
  Layer,
  Logger,
  Option,
  Scope,
  Supervisor
} from "effect"
import { type CacheBackend, CacheError, cached, getOrSet, MemoryBackend } from "effect-cached"
import { asyncStore } from "../support/asyncStore.js"
import { endOf, exitIn, memoryStore, rigIn, runIn, valueOf } from "../support/backend.js"
import { Simulation } from "../support/simulation.js"

for (const network of [false, true]) {
  describe(`the layer is closed, ${network ? "behind a network" : "in this process"}`, () => {
    const world = () => {
      const simulation = new Simulation()
      const process = simulation.process()
      const inner = runIn(simulation, process, Effect.scoped(memoryStore))
      const rig = rigIn(simulation, process, network ? asyncStore(inner, () => ({ there: 1, back: 1 })) : inner)
      const state = { begun: 0, interrupted: 0 }
      const value = cached(
        Effect.suspend(() => Effect.delay(Effect.succeed(++state.begun), 100)).pipe(
          Effect.onInterrupt(() => Effect.sync(() => state.interrupted++))
        ),
        { key: "value", ttl: 1_000, stale: "1 hour", revalidate: "background" }
      )
      const close = () => runIn(simulation, process, Scope.close(rig.scope, Exit.void), "the layer closes")
      return { simulation, process, rig, state, value, close }
    }

    it("while callers wait: they compute alone, the shared computation is interrupted, its lease is given back", () => {
      const { simulation, process, rig, state, value, close } = world()
      const fibers = Array.from({ length: 3 }, () => process.fork(rig.provide(value)))
      simulation.until(() => state.begun === 1, "it computes")
      simulation.pass(10)
      close()
      assert.strictEqual(state.interrupted, 1)
      assert.strictEqual(rig.flights(), 0)
      assert.isFalse(runIn(simulation, process, rig.leased("value")))
      const values = fibers.map((fiber) => valueOf(endOf(simulation, fiber, "a caller has its answer")))
      assert.sameMembers(values, [2, 3, 4])
    })

    it("after each single step of a call: the call ends, nothing is left", () => {
      for (let moment = 0; moment < 400; moment += 7) {
        const { simulation, process, rig, state, value, close } = world()
        simulation.everyOperation = true
        const fiber = process.fork(rig.provide(value))
        for (let step = 0; step < moment; step++) simulation.step()
        close()
        const exit = endOf(simulation, fiber, "the caller ends")
        assert.isTrue(Exit.isSuccess(exit), `after ${moment} steps: ${exit}`)
        assert.strictEqual(rig.flights(), 0)
        assert.isFalse(runIn(simulation, process, rig.leased("value")))
        assert.isAtMost(state.interrupted, 1)
      }
    })

    it("while it refreshes in the background: the refresh ends, the stale value stays", () => {
      const { simulation, process, rig, state, value, close } = world()
      runIn(simulation, process, rig.provide(value))
      simulation.pass(1_001)
      assert.strictEqual(runIn(simulation, process, rig.provide(value)), 1)
      simulation.until(() => state.begun === 2, "it refreshes")
      close()
      assert.strictEqual(state.interrupted, 1)
      assert.strictEqual(rig.flights(), 0)
      assert.isFalse(runIn(simulation, process, rig.leased("value")))
      const other = rigIn(simulation, process, rig.store)
      assert.strictEqual(runIn(simulation, process, other.provide(value.requireCache)), 1)
    })

    it("calls after that compute without a cache, and that is told once", () => {
      const { simulation, process, rig, value, close } = world()
      const lines: Array<string> = []
      const logger = Logger.make(({ message }) => {
        lines.push(String(Array.isArray(message) ? message[0] : message))
      })
      const logged = Effect.locally(FiberRef.currentLoggers, HashSet.make(logger))
      const call = <A, E>(effect: Effect.Effect<A, E, CacheBackend>) =>
        exitIn(simulation, process, logged(rig.provide(effect)))
      close()
      for (const [index, effect] of [value, value.forceRecalc, value, getOrSet("other", value)].entries()) {
        assert.deepStrictEqual(call(effect), Exit.succeed(index + 1))
      }
      assert.strictEqual(rig.flights(), 0)
      assert.deepStrictEqual(lines, ["The layer of the cache is closed, computing without it value"])
    })

    it("direct operations after that fail, and say why", () => {
      const { simulation, process, rig, value, close } = world()
      runIn(simulation, process, rig.provide(value))
      close()
      const { service: cache } = rig
      const operations: Record<string, Effect.Effect<unknown, unknown, CacheBackend>> = {
        get: cache.get("a"),
        getMany: cache.getMany(["a"]),
        has: cache.has("a"),
        set: cache.set("a", 1),
        setMany: cache.setMany([["a", 1]]),
        add: cache.add("a", 1),
        touch: cache.touch("a"),
        increment: cache.increment("a"),
        delete: cache.delete("a"),
        deleteMany: cache.deleteMany(["a"]),
        invalidateGroup: cache.invalidateGroup("a"),
        clear: cache.clear,
        invalidate: value.invalidate,
        requireCache: value.requireCache
      }
      for (const [name, operation] of Object.entries(operations)) {
        const exit = exitIn(simulation, process, rig.provide(operation), name)
        const error = Exit.isFailure(exit) ? Option.getOrUndefined(Cause.failureOption(exit.cause)) : undefined
        assert.instanceOf(error, CacheError, name)
        assert.deepInclude(error, { reason: "Unavailable", description: "the layer of the cache is closed" }, name)
      }
    })
  })
}

it("two layers share nothing", () =>
  Effect.gen(function* () {
    let begun = 0
    const value = cached(
      Effect.sync(() => ++begun),
      { key: "value" }
    )
    const one = yield* Layer.build(Layer.fresh(MemoryBackend.layer()))
    const two = yield* Layer.build(Layer.fresh(MemoryBackend.layer()))
    const both: ReadonlyArray<Effect.Effect<number>> = [one, two].map((layer) => Effect.provide(value, layer))
    assert.deepStrictEqual(yield* Effect.all(both, { concurrency: 2 }), [1, 2])
    yield* Effect.provide(value.invalidate, one)
    assert.deepStrictEqual(yield* Effect.all(both), [3, 2])
  }).pipe(Effect.scoped, Effect.runPromise))

it("no fiber is left of a thousand calls, whether answered or interrupted", () =>
  Effect.gen(function* () {
    const supervisor = yield* Supervisor.track
    const value = cached(
      (n: number): Effect.Effect<number> =>
        n % 3 === 0 ? Effect.never : Effect.fork(Effect.never).pipe(Effect.zipRight(Effect.yieldNow()), Effect.as(n)),
      { key: "value" }
    )
    const alive = Effect.map(supervisor.value, (fibers) => fibers.length)
    yield* Effect.gen(function* () {
      yield* value(1)
      const before = yield* alive
      for (let n = 0; n < 1_000; n++) {
        if (n % 3 !== 0) {
          yield* value(n)
          continue
        }
        const fiber = yield* Effect.fork(value(n))
        yield* Effect.repeatN(Effect.yieldNow(), n % 12)
        yield* Fiber.interrupt(fiber)
      }
      yield* Effect.repeatN(Effect.yieldNow(), 20)
      assert.isAtMost(yield* alive, before)
    }).pipe(Effect.provide(MemoryBackend.layer()), Effect.supervised(supervisor))
    assert.strictEqual(yield* alive, 0)
  }).pipe(Effect.runPromise))

it("a caller that is interrupted waits until its computation has ended", () => {
  const simulation = new Simulation()
  const process = simulation.process()
  const rig = rigIn(simulation, process)
  let ended = false
  const value = cached(
    Effect.onInterrupt(Effect.never, () =>
      Effect.delay(
        Effect.sync(() => {
          ended = true
        }),
        50
      )
    ),
    { key: "value" }
  )
  const fiber = process.fork(rig.provide(value))
  simulation.until(() => rig.flights() === 1, "it computes")
  simulation.pass(1)
  fiber.unsafeInterruptAsFork(FiberId.none)
  endOf(simulation, fiber, "it leaves")
  assert.isTrue(ended)
})

it("while an abandoned computation takes its time to end, the key is free", () => {
  const simulation = new Simulation()
  const process = simulation.process()
  const rig = rigIn(simulation, process)
  const opened = Deferred.unsafeMake<void>(FiberId.none)
  let begun = 0
  const value = cached(
    Effect.suspend(() => (++begun === 1 ? Effect.uninterruptible(Deferred.await(opened)) : Effect.void)).pipe(
      Effect.map(() => begun)
    ),
    { key: "value" }
  )
  const fiber = process.fork(rig.provide(value))
  simulation.until(() => begun === 1, "it computes")
  fiber.unsafeInterruptAsFork(FiberId.none)
  simulation.pass(1)
  assert.strictEqual(runIn(simulation, process, rig.provide(value)), 2)
  assert.isNull(fiber.unsafePoll())
  Deferred.unsafeDone(opened, Effect.void)
  endOf(simulation, fiber, "it leaves")
  assert.strictEqual(runIn(simulation, process, rig.provide(value)), 2)
})

it("the memory backend of a runtime that was disposed: no value of it is served any more", () =>
  Effect.gen(function* () {
    const scope = yield* Scope.make()
    const context = yield* Layer.buildWithScope(MemoryBackend.layer(), scope)
    let begun = 0
    const value = cached(
      Effect.sync(() => ++begun),
      { key: "value" }
    )
    const call = Effect.provide(value, context)
    assert.deepStrictEqual([yield* call, yield* call], [1, 1])
    yield* Scope.close(scope, Exit.void)
    assert.deepStrictEqual([yield* call, yield* call], [2, 3])
  }).pipe(Effect.runPromise))
