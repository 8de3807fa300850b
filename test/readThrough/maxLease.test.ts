/**
 * A computation that never ends, and leases that nobody would give back: no key is wedged by them for longer than `maxLease`.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, FiberId, Option } from "effect"
import { cached } from "effect-cached"
import type { CacheStore, Entry } from "../../src/CacheStore.js"
import { plainCodec } from "../../src/internal/entries/ValueCodec.js"
import { engine } from "../../src/internal/memoized/engine.js"
import { encodeEntry } from "../../src/internal/records/entryCodec.js"
import { asyncStore } from "../support/asyncStore.js"
import { endOf, exitIn, rigIn, runIn } from "../support/backend.js"
import { byteServer } from "../support/byteServer.js"
import { Simulation } from "../support/simulation.js"

const processes = 8
const lease = 1_000
const maxLease = 5_000
/** A lease's last renewal, one poll and some round trips. */
const slack = 300

interface Options {
  /** Which computations never end; they are counted from 1 over all processes. */
  readonly hang: ReadonlyArray<number>
  readonly revalidate?: "caller" | "background"
  readonly stale?: number
  readonly outage?: boolean
  readonly change?: (store: CacheStore) => CacheStore
}

const world = ({ change = (store) => store, hang, outage = false, revalidate = "caller", stale = 0 }: Options) => {
  const simulation = new Simulation()
  const server = byteServer()
  const state = { begun: 0, interrupted: 0 }
  const ended = new Map<number, () => void>()
  const value = cached(
    Effect.suspend(() => {
      const mine = ++state.begun
      return hang.includes(mine)
        ? Effect.async<number>((resume) => {
            ended.set(mine, () => resume(Effect.succeed(mine)))
            return Effect.sync(() => state.interrupted++)
          })
        : Effect.delay(Effect.succeed(mine), 10)
    }),
    { key: "value", ttl: 1_000, stale, lease, maxLease, revalidate }
  )
  const sides = Array.from({ length: processes }, () => {
    const process = simulation.process()
    const store = asyncStore(change(server.store), () => ({ there: 1, back: 1, fault: outage ? "refused" : undefined }))
    const rig = rigIn(simulation, process, store)
    return { process, rig, lookup: rig.provide(value) }
  })
  const [first, second] = sides
  if (first === undefined || second === undefined) throw new Error("no process")
  const key = first.rig.service[engine].keyspace.finish("value")
  return { simulation, server, state, ended, sides, first, second, key }
}

describe("a computation that never ends", () => {
  it("wedges its key in no process, when it was to refresh in the background", () => {
    const { first, sides, simulation } = world({ hang: [2], revalidate: "background", stale: 600_000 })
    exitIn(simulation, first.process, first.lookup)
    simulation.pass(1_001)
    assert.deepStrictEqual(exitIn(simulation, first.process, first.lookup), Exit.succeed(1))
    const begun = simulation.time
    simulation.pass(maxLease - 100)
    for (const { lookup, process } of sides) {
      assert.deepStrictEqual(exitIn(simulation, process, lookup), Exit.succeed(1))
    }
    simulation.pass(100 + slack)
    for (const { lookup, process } of sides) exitIn(simulation, process, lookup)
    simulation.pass(100)
    for (const { lookup, process } of sides) {
      assert.deepStrictEqual(exitIn(simulation, process, lookup), Exit.succeed(3))
    }
    assert.isAtMost(simulation.time - begun, maxLease + 3 * slack)
  })

  it("holds up nobody but its starter: neither who has joined it, nor who waits in another process", () => {
    const { ended, first, sides, simulation, state } = world({ hang: [1] })
    const starter = first.process.fork(first.lookup)
    simulation.until(() => state.begun === 1, "it computes")
    const begun = simulation.time
    const waiting = sides.flatMap(({ lookup, process }) => [process.fork(lookup), process.fork(lookup)])
    for (const fiber of waiting) assert.deepStrictEqual(endOf(simulation, fiber, "it is told"), Exit.succeed(2))
    assert.isAtLeast(simulation.time - begun, maxLease)
    assert.isAtMost(simulation.time - begun, maxLease + slack)
    assert.isNull(starter.unsafePoll())
    // Its late value is its starter's, and is not stored over the newer one.
    ended.get(1)?.()
    assert.deepStrictEqual(endOf(simulation, starter, "it has ended"), Exit.succeed(1))
    simulation.pass(100)
    for (const { lookup, process } of sides) {
      assert.deepStrictEqual(exitIn(simulation, process, lookup), Exit.succeed(2))
    }
    assert.strictEqual(state.begun, 2)
    assert.strictEqual(runIn(simulation, first.process, first.rig.service.stats).discarded, 1)
  })

  it("wedges its key in no process, when it is a second one that never ends", () => {
    const { sides, simulation } = world({ hang: [1, 2, 3] })
    const waiting = sides.map(({ lookup, process }) => process.fork(lookup))
    simulation.pass(4 * (maxLease + slack))
    const done = waiting.map((fiber) => fiber.unsafePoll()).filter((exit) => exit !== null)
    assert.strictEqual(done.length, processes - 3)
    for (const { lookup, process } of sides) {
      assert.isTrue(Exit.isSuccess(exitIn(simulation, process, lookup)))
    }
  })

  it("holds up no later caller while the store is away", () => {
    const { first, simulation, state } = world({ hang: [1], outage: true })
    first.process.fork(first.lookup)
    simulation.until(() => state.begun === 1, "it computes")
    simulation.pass(maxLease)
    assert.deepStrictEqual(exitIn(simulation, first.process, first.lookup), Exit.succeed(2))
  })

  for (const outage of [false, true]) {
    const where = outage ? "while the store is away" : "with a lease"
    it(`${where}: holds up those who have joined it for maxLease, and ends with the last of them if its starter has left`, () => {
      const { first, simulation, state } = world({ hang: [1], outage })
      const starter = first.process.fork(first.lookup)
      simulation.until(() => state.begun === 1, "it computes")
      const begun = simulation.time
      const joined = [1, 2, 3].map(() => first.process.fork(first.lookup))
      simulation.pass(100)
      starter.unsafeInterruptAsFork(FiberId.none)
      for (const fiber of joined) assert.deepStrictEqual(endOf(simulation, fiber, "it is told"), Exit.succeed(2))
      assert.isAtLeast(simulation.time - begun, maxLease)
      assert.isAtMost(simulation.time - begun, maxLease + slack)
      simulation.pass(10)
      assert.strictEqual(state.interrupted, 1)
      assert.strictEqual(first.rig.flights(), 0)
    })
  }

  it("is left by its starter's time-out at once, as ever", () => {
    const { first, simulation, state } = world({ hang: [1] })
    const exit = exitIn(simulation, first.process, Effect.timeoutOption(first.lookup, 300))
    assert.deepStrictEqual(exit, Exit.succeed(Option.none()))
    assert.deepStrictEqual(exitIn(simulation, first.process, first.lookup), Exit.succeed(2))
    assert.strictEqual(state.begun, 2)
  })
})

it("a computation longer than maxLease is not repeated by its starter", () => {
  const { ended, first, simulation, state } = world({ hang: [1] })
  const starter = first.process.fork(first.lookup)
  simulation.pass(3 * maxLease)
  ended.get(1)?.()
  assert.deepStrictEqual(endOf(simulation, starter, "it has ended"), Exit.succeed(1))
  assert.strictEqual(state.begun, 1)
})

const never = Number.POSITIVE_INFINITY

describe("a lease that nobody gives back", () => {
  const put = ({ key, server, simulation }: ReturnType<typeof world>, entry: Entry) =>
    server.put(key, { bytes: encodeEntry(key, entry), lifetime: never }, simulation.time)

  const bare = (id: string, until: number): Entry => ({ value: undefined, lease: { id, until }, groups: [] })

  for (const [name, until] of [
    ["for ever", never],
    ["until the year 9999", Date.UTC(9999, 0)]
  ] as const) {
    it(`lasts ${name}: it is believed for maxLease in each process, then one of them takes over`, () => {
      const there = world({ hang: [] })
      const { sides, simulation, state } = there
      put(there, bare("forged", until))
      const waiting = sides.map(({ lookup, process }) => process.fork(lookup))
      for (const fiber of waiting) assert.deepStrictEqual(endOf(simulation, fiber, "it is told"), Exit.succeed(1))
      assert.isAtLeast(simulation.time, maxLease)
      assert.isAtMost(simulation.time, maxLease + slack)
      assert.strictEqual(state.begun, 1)
    })
  }

  it("is renewed for ever by a foreign process: the same", () => {
    const there = world({ hang: [] })
    const { first, simulation } = there
    const waiting = first.process.fork(first.lookup)
    for (let renewal = 0; renewal < maxLease + slack && waiting.unsafePoll() === null; renewal += 100) {
      put(there, bare("foreign", simulation.time + lease))
      simulation.pass(100)
    }
    assert.deepStrictEqual(waiting.unsafePoll(), Exit.succeed(1))
  })

  it("is followed by another one, again and again: nobody waits for more than three times maxLease", () => {
    const there = world({ hang: [] })
    const { first, simulation } = there
    const waiting = first.process.fork(first.lookup)
    for (let count = 0; count < 3.5 * maxLease && waiting.unsafePoll() === null; count += 100) {
      put(there, bare(`foreign.${count}`, simulation.time + lease))
      simulation.pass(100)
    }
    assert.deepStrictEqual(waiting.unsafePoll(), Exit.succeed(1))
    assert.isAtLeast(simulation.time, 3 * maxLease)
  })

  it("stands beside a stale value: that is recomputed after maxLease", () => {
    for (const revalidate of ["caller", "background"] as const) {
      const there = world({ hang: [], revalidate, stale: 600_000 })
      const { first, simulation, state } = there
      exitIn(simulation, first.process, first.lookup)
      simulation.pass(1_001)
      const payload = Option.getOrThrow(Option.getRight(plainCodec("bytes").encode(1)))
      const times = { freshUntil: simulation.time, staleUntil: never, computeMillis: 1 }
      put(there, { value: { payload, ...times }, lease: { id: "forged", until: never }, groups: [] })
      const calls = maxLease / 100
      for (let call = 0; call < calls; call++) {
        assert.deepStrictEqual(exitIn(simulation, first.process, first.lookup), Exit.succeed(1))
        simulation.pass(100)
      }
      exitIn(simulation, first.process, first.lookup)
      simulation.pass(100)
      assert.deepStrictEqual(exitIn(simulation, first.process, first.lookup), Exit.succeed(2))
      assert.strictEqual(state.begun, 2)
    }
  })

  it("has an id that this library never writes: nobody waits for it", () => {
    const there = world({ hang: [] })
    const { first, simulation } = there
    put(there, bare("x".repeat(250), never))
    const asked = simulation.time
    assert.deepStrictEqual(exitIn(simulation, first.process, first.lookup), Exit.succeed(1))
    assert.isAtMost(simulation.time - asked, 50)
  })
})

it("what can't be replaced, because its token is damaged, delays a caller by some polls", () => {
  const there = world({
    hang: [],
    change: (store) => ({
      ...store,
      replace: () => Effect.succeed(Option.none()),
      add: () => Effect.succeed(Option.none())
    })
  })
  const { first, key, server, simulation } = there
  server.put(key, { bytes: new Uint8Array([1, 2, 3]), lifetime: never }, simulation.time)
  const asked = simulation.time
  assert.deepStrictEqual(exitIn(simulation, first.process, first.lookup), Exit.succeed(1))
  assert.isAtMost(simulation.time - asked, 1_500)
})
