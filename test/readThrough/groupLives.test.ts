/**
 * A group's version lives as long as what is made under it: a look-up that stores nothing leaves nothing that outlives its lease,
 * and no entry ends because its group's version did.
 */
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Exit, Option } from "effect"
import { cached } from "effect-cached"
import { versionEntry, versionIn } from "../../src/internal/entries/groupVersions.js"
import { engine } from "../../src/internal/memoized/engine.js"
import { encodeEntry } from "../../src/internal/records/entryCodec.js"
import { asyncStore, type Operation } from "../support/asyncStore.js"
import { exitIn, rigIn, runIn } from "../support/backend.js"
import { byteServer } from "../support/byteServer.js"
import { Simulation } from "../support/simulation.js"

const lease = 1_000
const hour = 3_600_000

const world = () => {
  const simulation = new Simulation()
  const process = simulation.process()
  const server = byteServer()
  const operations: Array<Operation> = []
  const rig = rigIn(
    simulation,
    process,
    asyncStore(server.store, (operation) => {
      operations.push(operation)
      return { there: 1, back: 1 }
    })
  )
  const { service } = rig
  const run = <A, E>(effect: Effect.Effect<A, E>) => runIn(simulation, process, Effect.orDie(effect))
  const group = Effect.runSync(service[engine].keyspace.group("test", "group"))
  const version = () => Effect.map(server.store.read([group]), ([stored]) => versionIn(stored))
  /** Milliseconds that the group's version still lives. */
  const left = () => (server.get(group)?.endsAt ?? simulation.time) - simulation.time
  /** The round trips that the effect takes, and how many operations they are. */
  const cost = <A, E>(effect: Effect.Effect<A, E>) => {
    operations.length = 0
    const begun = simulation.time
    run(effect)
    return { trips: (simulation.time - begun) / 2, operations: operations.join(" ") }
  }
  return { simulation, process, server, rig, service, run, group, version, left, cost }
}

/** A function that takes 400 milliseconds, and gives how often it has run. */
const slowly = (times: { readonly ttl?: number; readonly stale?: number }) => {
  let computations = 0
  const compute = Effect.delay(
    Effect.sync(() => ++computations),
    400
  )
  const slow = cached(() => compute, { key: "slow", groups: ["group"], lease, ...times })
  return { slow, computations: () => computations }
}

describe("the version of a group", () => {
  it("is gone with the lease of a look-up that stored nothing", () => {
    const { rig, run, server, simulation } = world()
    const look = cached((_id: number) => Effect.succeed(Option.none()), {
      key: "look",
      groups: (id) => [`a:${id}`, "all"],
      lease
    })
    for (let id = 0; id < 100; id++) run(rig.provide(look(id)))
    simulation.pass(lease + 1)
    assert.deepStrictEqual(server.keys(simulation.time), [])
  })

  it("is renewed while its computation runs, and then lives twice as long as the value", () => {
    const { left, rig, run, simulation } = world()
    const value = cached(Effect.delay(Effect.succeed(1), 10 * lease), {
      key: "value",
      groups: ["group"],
      lease,
      ttl: hour,
      stale: hour
    })
    run(rig.provide(value))
    assert.isAtMost(Math.abs(left() - 4 * hour), 10)
    simulation.pass(2 * hour - 100)
    assert.strictEqual(run(rig.provide(value.requireCache)), 1)
  })

  it("is not renewed by a value that it outlives", () => {
    const { left, rig, run, simulation } = world()
    let begun = 0
    const value = (ttl: number) =>
      cached(
        Effect.sync(() => ++begun),
        { key: `value ${ttl}`, groups: ["group"], ttl, stale: 0 }
      )
    run(rig.provide(value(hour)))
    simulation.pass(hour)
    const before = left()
    run(rig.provide(value(hour / 2)))
    assert.isBelow(left(), before)
    assert.isAtLeast(left(), hour / 2)
  })

  it("lives for ever under a value that does", () => {
    const { left, rig, run } = world()
    run(rig.provide(cached(Effect.succeed(1), { key: "value", groups: ["group"], ttl: Duration.infinity })))
    assert.strictEqual(left(), Number.POSITIVE_INFINITY)
  })

  it("outlives what is set, added and touched", () => {
    const { left, run, service, simulation } = world()
    run(service.set("a", 1, { ttl: "1 hour", stale: "1 hour", groups: ["group"] }))
    assert.isAtLeast(left(), 4 * hour - 10)
    run(service.setMany([["b", 1]], { ttl: "10 hours", groups: ["group"] }))
    assert.isAtLeast(left(), 20 * hour - 10)
    run(service.add("c", 1, { ttl: "100 hours", groups: ["group"] }))
    assert.isAtLeast(left(), 200 * hour - 10)
    run(service.touch("c", "1000 hours"))
    assert.isAtLeast(left(), 2_000 * hour - 10)
    simulation.pass(999 * hour)
    assert.deepStrictEqual(run(service.get("c")), Option.some(1))
  })

  it("is renewed as it was: what was made under it before still counts", () => {
    const { run, service, version } = world()
    run(service.set("short", 1, { ttl: "1 minute", groups: ["group"] }))
    const before = run(version())
    run(service.set("long", 1, { ttl: "1 day", groups: ["group"] }))
    assert.strictEqual(run(version()), before)
    assert.deepStrictEqual(run(service.get("short")), Option.some(1))
  })

  it("that is about to end is renewed before somebody computes: its end would make a second caller compute", () => {
    const { rig, run, server, simulation, version } = world()
    const none = cached(() => Effect.succeed(Option.none()), { key: "none", groups: ["group"], lease })
    run(rig.provide(none()))
    const before = run(version())
    simulation.pass(lease - 20)
    const { computations, slow } = slowly({})
    // Another process over the same server, whose callers come a little later.
    const other = simulation.process()
    const there = rigIn(
      simulation,
      other,
      asyncStore(server.store, () => ({ there: 1, back: 1 }))
    )
    const first = simulation.process().fork(rig.provide(slow()))
    simulation.pass(100)
    const second = other.fork(there.provide(slow()))
    simulation.until(() => first.unsafePoll() !== null && second.unsafePoll() !== null, "both are answered")
    assert.deepStrictEqual([first.unsafePoll(), second.unsafePoll()], [Exit.succeed(1), Exit.succeed(1)])
    assert.strictEqual(computations(), 1)
    assert.strictEqual(run(version()), before)
  })

  it("that is about to end is renewed by a refresh: the old value is served meanwhile", () => {
    const { left, rig, run, simulation } = world()
    const { slow: value } = slowly({ ttl: 400, stale: 2 * lease })
    run(rig.provide(value()))
    // The version lives twice as long as the value. The next value ends with it, so it need not be renewed.
    simulation.pass(left() - 2 * (400 + 2 * lease) + 1_980)
    assert.strictEqual(run(rig.provide(value())), 2)
    assert.isAtLeast(left(), 400 + 2 * lease)
    simulation.pass(left() - 200)
    const refreshing = simulation.process().fork(rig.provide(value()))
    simulation.pass(100)
    assert.strictEqual(run(rig.provide(value())), 2)
    simulation.until(() => refreshing.unsafePoll() !== null, "it has ended")
    assert.deepStrictEqual(refreshing.unsafePoll(), Exit.succeed(3))
  })

  it("made for a short lease is kept by who needs it for longer: a computation under it still counts", () => {
    const long = cached((n: number) => Effect.succeed(n), {
      key: "long",
      groups: ["group"],
      ttl: hour,
      lease: "30 seconds"
    })
    for (const name of ["set", "add", "setMany", "cached"] as const) {
      const { rig, run, service, simulation, version } = world()
      const needs = {
        set: service.set("other", 1, { ttl: hour, groups: ["group"] }),
        add: service.add("other", 1, { ttl: hour, groups: ["group"] }),
        setMany: service.setMany([["other", 1]], { ttl: hour, groups: ["group"] }),
        cached: rig.provide(long(1))
      }
      const { computations, slow } = slowly({ ttl: hour })
      const first = simulation.process().fork(rig.provide(slow()))
      simulation.pass(100)
      const before = run(version())
      run(Effect.asVoid<unknown, unknown, never>(needs[name]))
      assert.strictEqual(run(version()), before, name)
      simulation.until(() => first.unsafePoll() !== null, "it has ended")
      assert.strictEqual(run(rig.provide(slow())), 1, name)
      assert.strictEqual(computations(), 1, name)
    }
  })

  it("that ends or is invalidated while it is renewed is created anew", () => {
    for (const end of ["ended", "invalidated"]) {
      const { group, rig, run, server, simulation, version } = world()
      const none = cached(() => Effect.succeed(Option.none()), { key: "none", groups: ["group"], lease })
      run(rig.provide(none()))
      const before = run(version())
      simulation.pass(lease - 20)
      // The server meets it between the read of another process and its renewal.
      let due = true
      const other = simulation.process()
      const there = rigIn(
        simulation,
        other,
        asyncStore(
          {
            ...server.store,
            replace: (key, token, entry) => {
              const spoilt = key === group && due
              due = due && !spoilt
              return Effect.zipRight(
                !spoilt
                  ? Effect.void
                  : end === "ended"
                    ? Effect.asVoid(server.store.remove([group]))
                    : Effect.asVoid(
                        server.store.write([{ key, entry: versionEntry("new", "bytes", simulation.time + hour) }])
                      ),
                server.store.replace(key, token, entry)
              )
            }
          },
          () => ({ there: 1, back: 1 })
        )
      )
      let begun = 0
      const value = there.provide(
        cached(
          Effect.sync(() => ++begun),
          { key: "value", groups: ["group"], ttl: hour, lease }
        )
      )
      assert.deepStrictEqual(exitIn(simulation, other, value), Exit.succeed(1), end)
      assert.deepStrictEqual(exitIn(simulation, other, value), Exit.succeed(1), end)
      assert.isFalse(due)
      assert.notStrictEqual(run(version()), before)
      if (end === "invalidated") assert.strictEqual(run(version()), "new")
    }
  })

  it("is not created again under its old text: a value computed under one that has ended does not count", () => {
    for (const end of ["invalidated", "lost"]) {
      const { group, rig, run, server, service, simulation, version } = world()
      let begun = 0
      const value = rig.provide(
        cached(
          Effect.suspend(() => Effect.delay(Effect.succeed(++begun), 100)),
          { key: "value", groups: ["group"], ttl: hour, lease }
        )
      )
      run(
        Effect.gen(function* () {
          const computing = yield* Effect.fork(value)
          yield* Effect.sleep(50)
          const before = yield* version()
          yield* end === "lost" ? server.store.remove([group]) : service.invalidateGroup("group")
          assert.strictEqual(yield* computing, 1)
          assert.notStrictEqual(yield* version(), before)
        })
      )
      assert.strictEqual(run(value), 2)
      assert.strictEqual(run(value), 2)
      simulation.pass(1)
    }
  })

  it("after an invalidation ends too, if nobody computes", () => {
    const { run, server, service, simulation } = world()
    run(service.invalidateGroup("group"))
    simulation.pass(60_000)
    assert.deepStrictEqual(server.keys(simulation.time), [])
  })

  it("that no release of this library wrote, is overwritten", () => {
    const tooLong = encodeEntry("group", versionEntry("x".repeat(70_000), "bytes", Number.POSITIVE_INFINITY))
    for (const bytes of [tooLong, new Uint8Array(70_000), new Uint8Array(3)]) {
      const { group, rig, run, server, simulation } = world()
      server.put(group, { bytes, lifetime: hour }, simulation.time)
      let begun = 0
      const value = rig.provide(
        cached(
          Effect.sync(() => ++begun),
          { key: "value", groups: ["group"] }
        )
      )
      assert.strictEqual(run(value), 1)
      assert.strictEqual(run(value), 1)
    }
  })
})

describe("the round trips with a group", () => {
  it("are 1 for a hit, 3 for a miss, and one more where its version is missing", () => {
    const { cost, rig, run, service } = world()
    const value = rig.provide(cached((id: number) => Effect.succeed(id), { key: "value", groups: ["group"] })(1))
    assert.deepStrictEqual(cost(value), { trips: 4, operations: "read add add replace replace" })
    assert.deepStrictEqual(cost(value), { trips: 1, operations: "read" })
    run(service.delete("value(1)"))
    assert.deepStrictEqual(cost(value), { trips: 3, operations: "read add replace" })
    // After an invalidation the version is there, but lives too short: it is renewed while the value is stored.
    run(service.invalidateGroup("group"))
    assert.deepStrictEqual(cost(value), { trips: 3, operations: "read replace replace replace" })
    assert.deepStrictEqual(cost(value), { trips: 1, operations: "read" })
  })

  it("are 4 for what stores nothing", () => {
    const { cost, rig } = world()
    const look = rig.provide(cached(Effect.succeed(null), { key: "look", groups: ["group"] }))
    assert.deepStrictEqual(cost(look), { trips: 4, operations: "read add add replace" })
  })
})

it("a version that can't be replaced is written over", () => {
  const simulation = new Simulation()
  const process = simulation.process()
  const server = byteServer()
  const damaged = (key: string) => key.includes("group")
  const rig = rigIn(
    simulation,
    process,
    asyncStore({
      ...server.store,
      add: (key, entry) => (damaged(key) ? Effect.succeedNone : server.store.add(key, entry)),
      replace: (key, token, entry) => (damaged(key) ? Effect.succeedNone : server.store.replace(key, token, entry))
    })
  )
  const group = Effect.runSync(rig.service[engine].keyspace.group("test", "group"))
  server.put(group, { bytes: new Uint8Array(3), lifetime: hour }, 0)
  let begun = 0
  const value = rig.provide(
    cached(
      Effect.sync(() => ++begun),
      { key: "value", groups: ["group"] }
    )
  )
  assert.deepStrictEqual(exitIn(simulation, process, value), Exit.succeed(1))
  assert.deepStrictEqual(exitIn(simulation, process, value), Exit.succeed(1))
})
