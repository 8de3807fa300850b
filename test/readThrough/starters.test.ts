/**
 * A computation runs with the services of the caller that started it. They may be closed once that caller has left: then the other
 * callers compute with their own, one of them for all.
 */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Context, Effect, Exit, type Fiber, FiberId, Option } from "effect"
import { type CacheBackend, type CachedEffect, cached } from "effect-cached"
import { asyncStore } from "../support/asyncStore.js"
import { endOf, memoryStore, rigIn, runIn } from "../support/backend.js"
import { breathe } from "../support/breathe.js"
import { Simulation, seeded } from "../support/simulation.js"
import { runs } from "../support/size.js"

/** A connection of one request, which ends with it. */
class Connection extends Context.Tag("test/Connection")<Connection, { readonly name: string; isOpen: boolean }>() {}

const connected = (name: string) =>
  Effect.acquireRelease(
    Effect.sync(() => ({ name, isOpen: true })),
    (connection) =>
      Effect.sync(() => {
        connection.isOpen = false
      })
  )

/** A request: it opens a connection, and closes it whether it is answered or hangs up. */
const request = <A, E>(name: string, effect: Effect.Effect<A, E, Connection | CacheBackend>) =>
  Effect.scoped(Effect.flatMap(connected(name), (connection) => Effect.provideService(effect, Connection, connection)))

const takes = 20

const ends = {
  "a typed error": Effect.fail("closed" as const),
  "a defect": Effect.die(new Error("closed")),
  "an interruption": Effect.interrupt
} satisfies Record<string, Effect.Effect<never, "closed">>

type Query = Effect.Effect<string, "closed", Connection>

/** Fails in the middle if its connection has been closed meanwhile. */
const queries = (end: Effect.Effect<never, "closed"> = ends["a typed error"]) => {
  const state = { begun: 0 }
  const query: Query = Effect.flatMap(Connection, (connection) =>
    Effect.suspend(() => {
      state.begun++
      return Effect.delay(
        Effect.suspend(() => (connection.isOpen ? Effect.succeed(connection.name) : end)),
        takes
      )
    })
  )
  return { state, query }
}

type Store = "memory" | "network" | "unreachable"

const world = (store: Store, choose = seeded(1)) => {
  const simulation = new Simulation(choose)
  const process = simulation.process()
  const inner = runIn(simulation, process, Effect.scoped(memoryStore))
  const rig = rigIn(
    simulation,
    process,
    store === "memory"
      ? inner
      : asyncStore(inner, () => ({ there: 1, back: 1, fault: store === "unreachable" ? "refused" : undefined }))
  )
  const call = <A, E>(name: string, effect: Effect.Effect<A, E, Connection | CacheBackend>) =>
    process.fork(rig.provide(request(name, effect)))
  const leased = () => store !== "unreachable" && runIn(simulation, process, rig.leased("value"))
  return { simulation, process, rig, call, leased }
}

for (const store of ["memory", "network", "unreachable"] as const) {
  describe(`the first caller hangs up while others wait, over a store: ${store}`, () => {
    for (const [name, end] of Object.entries(ends)) {
      it(`${name} of its computation is not theirs: one of twenty computes for all`, () => {
        const { simulation, rig, call, leased } = world(store)
        const { state, query } = queries(end)
        const value = cached(query, { key: "value" })
        const first = call("first", value)
        simulation.until(() => state.begun === 1, "it computes")
        const others = Array.from({ length: 20 }, (_, n) => call(`other ${n}`, value))
        simulation.pass(10)
        first.unsafeInterruptAsFork(FiberId.none)
        const answers = others.map((fiber) => endOf(simulation, fiber, "another caller has its answer"))
        assert.isTrue(answers.every(Exit.isSuccess), `${answers[0]}`)
        assert.strictEqual(new Set(answers.map((exit) => Exit.isSuccess(exit) && exit.value)).size, 1)
        assert.strictEqual(state.begun, 2)
        assert.strictEqual(rig.flights(), 0)
        assert.isFalse(leased())
      })
    }

    it("its computation succeeds all the same: they get its value", () => {
      const { simulation, call } = world(store)
      let begun = 0
      const value = cached(
        Effect.suspend(() => Effect.delay(Effect.succeed(++begun), takes)),
        { key: "value" }
      )
      const first = call("first", value)
      simulation.until(() => begun === 1, "it computes")
      const other = call("other", value)
      simulation.pass(10)
      first.unsafeInterruptAsFork(FiberId.none)
      assert.deepStrictEqual(endOf(simulation, other, "the other has its answer"), Exit.succeed(1))
      assert.strictEqual(begun, 1)
    })

    it("while the first stays, its failure is everybody's", () => {
      const { simulation, call } = world(store)
      let begun = 0
      const value = cached(
        Effect.suspend(() => Effect.delay(Effect.fail(++begun), takes)),
        { key: "value" }
      )
      const fibers = Array.from({ length: 5 }, (_, n) => call(`${n}`, value))
      for (const fiber of fibers) assert.deepStrictEqual(endOf(simulation, fiber, "it is told"), Exit.fail(1))
      assert.strictEqual(begun, 1)
    })
  })
}

it("a computation that another one started has the same services: its failure is not for others either", () => {
  const { simulation, call } = world("network")
  const { state, query } = queries()
  const inner = cached(query, { key: "inner" })
  const outer = cached(inner, { key: "outer" })
  const first = call("first", outer)
  simulation.until(() => state.begun === 1, "it computes")
  const ofOuter = call("of outer", outer)
  const ofInner = call("of inner", inner)
  simulation.pass(10)
  first.unsafeInterruptAsFork(FiberId.none)
  for (const fiber of [ofInner, ofOuter]) {
    const exit = endOf(simulation, fiber, "it has its answer")
    assert.isTrue(Exit.isSuccess(exit), `${exit}`)
  }
})

it("a computation without services of its own left does not try again for ever", () => {
  const { simulation, call } = world("memory")
  const { state, query } = queries()
  const inner = cached(query, { key: "inner" })
  const twice = Effect.zipLeft(Effect.exit(inner), Effect.exit(inner))
  const outer = cached(
    Effect.flatten(Effect.zipLeft(twice, Effect.all([inner, inner], { concurrency: 2, mode: "either" }))),
    {
      key: "outer"
    }
  )
  const first = call("first", outer)
  simulation.until(() => state.begun === 1, "it computes")
  const other = call("other", outer)
  simulation.pass(10)
  first.unsafeInterruptAsFork(FiberId.none)
  assert.deepStrictEqual(endOf(simulation, other, "it has its answer"), Exit.succeed("other"))
  // Two alone and two together, each of which tries at most once by itself, then one with an open connection.
  assert.isAtMost(state.begun, 2 + 2 + 1)
})

it("another process need not wait for the lease of a computation that failed so", () => {
  const { simulation, process, rig, call } = world("memory")
  const other = rigIn(simulation, process, rig.store)
  const { state, query } = queries()
  const value = cached(query, { key: "value", lease: "1 hour" })
  const first = call("first", value)
  simulation.until(() => state.begun === 1, "it computes")
  const joined = call("joined", value)
  const elsewhere = process.fork(other.provide(request("elsewhere", value)))
  simulation.pass(10)
  first.unsafeInterruptAsFork(FiberId.none)
  const answers = [joined, elsewhere].map((fiber) => endOf(simulation, fiber, "it has its answer"))
  assert.isTrue(answers.every(Exit.isSuccess), `${answers}`)
  assert.isBelow(simulation.time, 1_000)
  assert.strictEqual(state.begun, 2)
})

it("forceRecalc that joined computes anew as well", () => {
  const { simulation, call } = world("network")
  const { state, query } = queries()
  const value = cached(query, { key: "value" })
  const first = call("first", value.forceRecalc)
  simulation.step()
  const others = Array.from({ length: 3 }, (_, n) => call(`other ${n}`, value.forceRecalc))
  simulation.until(() => state.begun > 0, "it computes")
  simulation.pass(1)
  first.unsafeInterruptAsFork(FiberId.none)
  for (const fiber of others) assert.isTrue(Exit.isSuccess(endOf(simulation, fiber, "it has its answer")))
})

const behind = [{ revalidate: "background" }, { softTimeout: 5 }] as const

for (const [store, option] of (["memory", "network"] as const).flatMap((store) =>
  behind.map((option) => [store, option] as const)
)) {
  describe(`${JSON.stringify(option)}, over a store: ${store}`, () => {
    const refreshing = () => {
      const made = world(store)
      const { state, query } = queries()
      const value: CachedEffect<string, "closed", Connection> = cached(query, {
        key: "value",
        ttl: 100,
        stale: "1 hour",
        ...option
      })
      const ask = (name: string) => endOf(made.simulation, made.call(name, value), `${name} has its answer`)
      return { ...made, state, value, ask }
    }

    it("the value changes although the connection of each caller who starts a refresh is closed", () => {
      const { simulation, rig, state, ask } = refreshing()
      assert.deepStrictEqual(ask("first"), Exit.succeed("first"))
      for (let round = 0; round < 5; round++) {
        simulation.pass(101)
        const before = ask(`starts ${round}`)
        simulation.until(() => rig.flights() === 0, "the refresh has failed", 1_000)
        simulation.pass(10)
        assert.notDeepEqual(before, Exit.succeed(`next ${round}`))
        assert.deepStrictEqual(ask(`next ${round}`), Exit.succeed(`next ${round}`))
        assert.deepStrictEqual(ask(`late ${round}`), Exit.succeed(`next ${round}`))
      }
      assert.strictEqual(state.begun, 1 + 5 * 2)
    })

    it("the caller who refreshes instead is served the stale value if that fails too, and the next waits for no refresh", () => {
      const { simulation, process, rig } = world(store)
      let failing = false
      let begun = 0
      const value = cached(
        Effect.flatMap(Connection, () =>
          Effect.suspend(() => {
            begun++
            return Effect.delay(failing ? Effect.fail("down") : Effect.succeed(begun), takes)
          })
        ),
        { key: "value", ttl: 100, stale: "1 hour", ...option, staleOnError: "softTimeout" in option }
      )
      const ask = () => runIn(simulation, process, rig.provide(request("caller", value)))
      assert.strictEqual(ask(), 1)
      failing = true
      simulation.pass(101)
      assert.strictEqual(ask(), 1)
      simulation.pass(2 * takes)
      assert.strictEqual(ask(), 1)
      assert.strictEqual(begun, 3)
      const asked = simulation.time
      for (let call = 0; call < 10; call++) assert.strictEqual(ask(), 1)
      assert.isBelow(simulation.time - asked, 10 * 4)
      assert.strictEqual(begun, 3)
    })

    it("a caller who refreshes instead and hangs up leaves that to the next one", () => {
      const { simulation, rig, state, call, ask, value } = refreshing()
      ask("first")
      simulation.pass(101)
      ask("starts")
      simulation.until(() => rig.flights() === 0, "the refresh has failed", 1_000)
      for (let round = 0; round < 3; round++) {
        simulation.pass(10)
        const impatient = call(`impatient ${round}`, value)
        simulation.until(() => state.begun === 3 + round, "it refreshes")
        impatient.unsafeInterruptAsFork(FiberId.none)
        endOf(simulation, impatient, "it leaves")
      }
      simulation.pass(10)
      assert.deepStrictEqual(ask("next"), Exit.succeed("next"))
    })

    it("callers who joined the refresh compute anew", () => {
      const { simulation, state, call, ask, value } = refreshing()
      ask("first")
      simulation.pass(101)
      ask("starts")
      simulation.until(() => state.begun === 2, "it refreshes")
      const forced = call("forced", value.forceRecalc)
      assert.deepStrictEqual(endOf(simulation, forced, "it has its answer"), Exit.succeed("forced"))
    })
  })
}

it("in random turns, with callers who hang up at random, nobody else fails, and nothing is left", async () => {
  for (let seed = 0; seed < runs(60); seed++) {
    await breathe()
    const choose = seeded(seed)
    const store = (["memory", "network", "unreachable"] as const)[seed % 3] ?? "memory"
    const { simulation, rig, call, leased } = world(store, choose)
    const { query } = queries(Object.values(ends)[choose(3)])
    const background = choose(2) === 0
    const softTimeout = choose(3) === 0 ? { softTimeout: choose(2 * takes) } : {}
    const value = cached(query, {
      key: "value",
      ttl: 30,
      stale: choose(2) === 0 ? "1 hour" : 0,
      finish: choose(4) === 0,
      revalidate: background ? "background" : "caller",
      ...softTimeout
    })
    simulation.everyOperation = true
    const staying: Array<Fiber.RuntimeFiber<string, unknown>> = []
    for (let caller = 0; caller < 12; caller++) {
      const fiber = call(`caller ${caller}`, choose(4) === 0 ? value.forceRecalc : value)
      const leaves = choose(2) === 0
      if (!leaves) staying.push(fiber)
      for (let steps = choose(400); steps > 0; steps--) simulation.step()
      if (leaves) fiber.unsafeInterruptAsFork(FiberId.none)
    }
    for (const fiber of staying) {
      const exit = endOf(simulation, fiber, `seed ${seed}: a caller has its answer`)
      assert.isTrue(Exit.isSuccess(exit), `seed ${seed}: ${Exit.isFailure(exit) && Cause.pretty(exit.cause)}`)
    }
    simulation.until(() => rig.flights() === 0, `seed ${seed}: no flight is left`, 1_000)
    simulation.pass(10)
    assert.isFalse(leased(), `seed ${seed}: no lease is left`)
    const late = endOf(simulation, call("late", value.forceRecalc), "a later call has its answer")
    assert.deepStrictEqual(Option.getOrUndefined(Exit.getOrElse(Exit.map(late, Option.some), Option.none)), "late")
  }
})
