/**
 * `cachedMany` in a world in which every step is chosen: how many round trips a call takes, and what holds whoever hangs up at
 * whatever step.
 */
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Exit, FiberId, Option } from "effect"
import { type CacheBackend, type CachedManyFunction, cachedMany } from "effect-cached"
import { asyncStore, type Operation } from "../support/asyncStore.js"
import { endOf, memoryRig, memoryStore, rigIn, runIn } from "../support/backend.js"
import { breathe } from "../support/breathe.js"
import { inTurn, Simulation, seeded } from "../support/simulation.js"
import { runs } from "../support/size.js"

const range = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => from + index)

const pairs = (ids: ReadonlyArray<number>) => ids.map((id) => [id, `v${id}`] as const)

type Fault = "refused" | undefined

/** Processes on one store, which is so far away. */
const world = (processes: number, { distance = 1, fault = () => undefined as Fault, choose = seeded(1) } = {}) => {
  const simulation = new Simulation(choose)
  const inner = runIn(simulation, simulation.process(), Effect.scoped(memoryStore))
  const operations: Array<Operation> = []
  const sides = range(0, processes).map(() => {
    const process = simulation.process()
    const store = asyncStore(inner, (operation) => {
      operations.push(operation)
      return { there: distance, back: distance, fault: fault() }
    })
    return { process, rig: rigIn(simulation, process, store) }
  })
  const side = (index: number) => {
    const found = sides[index]
    if (found === undefined) throw new Error("no such process")
    return found
  }
  const fork = <A, E>(index: number, effect: Effect.Effect<A, E, CacheBackend>) =>
    side(index).process.fork(side(index).rig.provide(effect))
  const run = <A, E>(index: number, effect: Effect.Effect<A, E, CacheBackend>) =>
    runIn(simulation, side(index).process, side(index).rig.provide(effect))
  /** How long the effect takes, in round trips. */
  const trips = <A, E>(index: number, effect: Effect.Effect<A, E, CacheBackend>) => {
    const [began, before] = [simulation.time, operations.length]
    run(index, effect)
    return { trips: (simulation.time - began) / (2 * distance), operations: operations.slice(before) }
  }
  return { simulation, side, fork, run, trips }
}

/** Loads, and notes which keys were asked for. */
const noting = (takes = 0) => {
  const loads: Array<ReadonlyArray<number>> = []
  const load = (ids: ReadonlyArray<number>) =>
    Effect.suspend(() => {
      loads.push(ids)
      return takes === 0 ? Effect.succeed(pairs(ids)) : Effect.delay(Effect.succeed(pairs(ids)), takes)
    })
  return { loads, load }
}

describe("round trips, whatever the number of keys", () => {
  for (const count of [1, 200]) {
    it(`${count}: 1 for hits, 3 for misses, 3 for stale keys, 1 to invalidate`, () => {
      const { run, simulation, trips } = world(2)
      const { load, loads } = noting()
      const f = cachedMany(load, { key: "f", ttl: "1 minute", stale: "1 hour", groups: ["g"] })
      run(0, f([-1]))
      const missing = trips(0, f(range(0, count)))
      assert.deepStrictEqual([missing.trips, loads.length], [3, 2])
      assert.deepStrictEqual(trips(1, f(range(0, count))), { trips: 1, operations: ["read"] })
      assert.deepStrictEqual(trips(1, f.requireCache(range(0, count))), { trips: 1, operations: ["read"] })
      simulation.pass(60_001)
      const stale = trips(1, f([...range(0, count), -2]))
      assert.deepStrictEqual([stale.trips, loads.length], [3, 3])
      assert.deepStrictEqual(trips(1, f.invalidate(range(0, count))), { trips: 1, operations: ["remove"] })
      assert.deepStrictEqual(trips(0, f([])), { trips: 0, operations: [] })
    })
  }

  it("4 where the group has no version yet, which is created and renewed once", () => {
    const { trips } = world(1)
    const { load } = noting()
    const f = cachedMany(load, { key: "f", ttl: "1 minute", groups: ["g", "h"] })
    const cold = trips(0, f(range(0, 100)))
    assert.strictEqual(cold.trips, 4)
    assert.isAtMost(cold.operations.length, 1 + 2 + 100 + 100 + 2)
  })

  it("one: those of one turn are loaded together, in 3", () => {
    const { trips } = world(1)
    const { load, loads } = noting()
    const f = cachedMany(load, { key: "f", ttl: "1 minute" })
    const all = Effect.forEach(range(0, 50), f.one, { concurrency: "unbounded" })
    assert.strictEqual(trips(0, all).trips, 3)
    assert.strictEqual(trips(0, all).trips, 1)
    assert.deepStrictEqual([loads.length, loads[0]?.length], [1, 50])
  })
})

describe("a store that can't be reached", () => {
  it("fails nobody, and the keys are loaded in one load", () => {
    const { run } = world(1, { fault: () => "refused" })
    const { load, loads } = noting()
    const f = cachedMany(load, { key: "f", ttl: "1 minute" })
    assert.deepStrictEqual(run(0, f([3, 1, 2])), new Map(pairs([3, 1, 2])))
    assert.deepStrictEqual(loads, [[3, 1, 2]])
    assert.deepStrictEqual(run(0, Effect.forEach([1, 2], f.one, { concurrency: "unbounded" })), [
      Option.some("v1"),
      Option.some("v2")
    ])
    assert.deepStrictEqual(
      loads.map(({ length }) => length),
      [3, 2]
    )
    assert.strictEqual(run(0, Effect.flip(f.requireCache([1]))).reason, "Unavailable")
    assert.strictEqual(run(0, Effect.flip(f.invalidate([1]))).reason, "Unavailable")
  })

  it("that takes no leases: the keys are loaded in one load", () => {
    let operation = 0
    const { run } = world(1, { fault: () => (operation++ === 0 ? undefined : "refused") })
    const { load, loads } = noting()
    const f = cachedMany(load, { key: "f", ttl: "1 minute" })
    assert.deepStrictEqual(run(0, f([3, 1, 2])), new Map(pairs([3, 1, 2])))
    assert.deepStrictEqual(loads, [[3, 1, 2]])
  })
})

/** The tag of `@effect/sql`, by its key; its service does not matter here. */
class TransactionConnection extends Context.Tag("@effect/sql/SqlClient/TransactionConnection")<
  TransactionConnection,
  unknown
>() {}
const inTransaction = Effect.provideService(TransactionConnection, {})

describe("inside a transaction", () => {
  it.scoped("what is cached is read, the rest is loaded in one load, and nothing is stored", () =>
    Effect.gen(function* () {
      const { provide } = yield* memoryRig
      const { load, loads } = noting()
      const f = cachedMany(load, { key: "f", ttl: "1 minute" })
      yield* provide(f([1]))
      assert.deepStrictEqual([...(yield* provide(inTransaction(f([1, 2, 3])))).keys()], [1, 2, 3])
      assert.deepStrictEqual(yield* provide(inTransaction(f.one(2))), Option.some("v2"))
      assert.deepStrictEqual(loads, [[1], [2, 3], [2]])
      assert.deepStrictEqual([...(yield* provide(f.requireCache([1, 2, 3]))).keys()], [1])
      yield* provide(inTransaction(f.forceRecalc([1, 2])))
      assert.deepStrictEqual([...(yield* provide(f.requireCache([1, 2, 3]))).keys()], [])
      assert.deepStrictEqual(loads.at(-1), [1, 2])
    })
  )
})

/** A connection of one request, which ends with it. */
class Connection extends Context.Tag("test/Connection")<Connection, { isOpen: boolean }>() {}

const request = <A, E>(effect: Effect.Effect<A, E, Connection | CacheBackend>) =>
  Effect.scoped(
    Effect.flatMap(
      Effect.acquireRelease(
        Effect.sync(() => ({ isOpen: true })),
        (connection) =>
          Effect.sync(() => {
            connection.isOpen = false
          })
      ),
      (connection) => Effect.provideService(effect, Connection, connection)
    )
  )

/** Fails where its connection has been closed meanwhile. */
const querying = (takes: number) => {
  const loads: Array<ReadonlyArray<number>> = []
  const load = (ids: ReadonlyArray<number>) =>
    Effect.flatMap(Connection, (connection) => {
      loads.push(ids)
      return Effect.delay(
        Effect.suspend(() => (connection.isOpen ? Effect.succeed(pairs(ids)) : Effect.fail("closed" as const))),
        takes
      )
    })
  return { loads, load }
}

describe("whoever hangs up, at whatever step", () => {
  const joins: Record<
    string,
    (
      f: CachedManyFunction<number, string, "closed", Connection>
    ) => Effect.Effect<unknown, "closed", Connection | CacheBackend>
  > = {
    "another call of overlapping keys": (f) => f([2, 4]),
    "callers of one": (f) => Effect.forEach([2, 3, 4], f.one, { concurrency: "unbounded" })
  }
  for (const [name, join] of Object.entries(joins)) {
    for (const starts of ["many", "one"] as const) {
      it(`${name} are answered, with services of their own; ${starts} hangs up`, async () => {
        for (const hasNetwork of [false, true]) {
          let hangsUpAt = 0
          for (let isOver = false; !isOver; hangsUpAt += 1) {
            await breathe()
            // In turn: Effect's own forEach relies on it, where it is interrupted before its fibers run.
            const { fork, simulation, side } = world(1, { distance: hasNetwork ? 1 : 0, choose: inTurn })
            const { load } = querying(10)
            const f = cachedMany(load, { key: "f", ttl: "1 minute", lease: "1 hour" })
            const first = fork(
              0,
              request(
                starts === "many"
                  ? Effect.asVoid(f([1, 2, 3]))
                  : Effect.asVoid(Effect.forEach([1, 2], f.one, { concurrency: "unbounded" }))
              )
            )
            const others = [fork(0, request(join(f))), fork(0, request(f.one(1)))]
            for (let steps = 0; steps < hangsUpAt && first.unsafePoll() === null; steps++) simulation.step()
            isOver = first.unsafePoll() !== null
            first.unsafeInterruptAsFork(FiberId.none)
            for (const other of others) {
              const exit = endOf(simulation, other, `the others are answered after ${hangsUpAt} steps`)
              assert.isTrue(Exit.isSuccess(exit), `${hangsUpAt} steps: ${exit}`)
            }
            endOf(simulation, first, `the first ends after ${hangsUpAt} steps`)
            assert.isBelow(simulation.time, 1_000)
            simulation.pass(10)
            assert.strictEqual(side(0).rig.flights(), 0)
          }
        }
      })
    }
  }
})

describe("random calls in two processes", () => {
  const play = (seed: number, isCalm: boolean): void => {
    const choose = seeded(seed)
    const { fork, simulation, side } = world(2, { distance: 1 + choose(2), choose })
    const keys = 6
    const ttl = 60
    let moment = 0
    const problems: Array<string> = []
    const loading = new Map<number, number>()
    const due = new Map<number, number>()
    const invalidated: Array<{ readonly id: number; readonly began: number; readonly ended: number }> = []
    const load = (ids: ReadonlyArray<number>) =>
      Effect.suspend(() => {
        const made = ++moment
        if (new Set(ids).size < ids.length) problems.push(`a key twice in ${ids}`)
        for (const id of ids) {
          if (isCalm && (loading.get(id) ?? 0) > 0) problems.push(`${id} is loaded twice at once`)
          if (isCalm && simulation.time < (due.get(id) ?? 0)) problems.push(`${id} is loaded before it is due`)
          loading.set(id, (loading.get(id) ?? 0) + 1)
        }
        const fails = !isCalm && choose(5) === 0
        return Effect.delay(
          fails ? Effect.fail("down" as const) : Effect.succeed(ids.map((id) => [id, { id, made }] as const)),
          choose(20)
        ).pipe(
          Effect.ensuring(
            Effect.sync(() => {
              for (const id of ids) {
                loading.set(id, (loading.get(id) ?? 0) - 1)
                due.set(id, simulation.time + ttl)
              }
            })
          )
        )
      })
    const f = cachedMany(load, {
      key: "f",
      ttl,
      stale: choose(2) === 0 ? 0 : 40,
      lease: isCalm ? 1_000 : 25,
      groups: (id) => [`g${id % 2}`],
      revalidate: choose(2) === 0 ? "caller" : "background",
      ...(choose(2) === 0 ? { batchSize: 2 } : {})
    })
    const told = (began: number, id: number, value: { readonly id: number; readonly made: number } | undefined) => {
      if (value?.id !== id) problems.push(`${id} was told ${JSON.stringify(value)}`)
      for (const one of invalidated) {
        if (one.id === id && one.ended < began && (value?.made ?? 0) < one.began) problems.push(`${id} is old`)
      }
    }
    const asking = (): Effect.Effect<unknown, unknown, CacheBackend> => {
      const began = ++moment
      const ids = range(0, 1 + choose(keys)).map(() => choose(keys))
      const [id = 0] = ids
      switch (choose(isCalm ? 4 : 7)) {
        case 0:
          return Effect.map(f.one(id), (found) => told(began, id, Option.getOrUndefined(found)))
        case 4:
          return Effect.tap(f.invalidate(ids), () => {
            const ended = ++moment
            for (const one of ids) invalidated.push({ id: one, began, ended })
          })
        case 5:
          return f.forceRecalc(ids)
        default:
          return Effect.map(f(ids), (found) => {
            for (const one of ids) told(began, one, found.get(one))
          })
      }
    }
    const callers = range(0, 25).map(() => {
      const hangsUp = !isCalm && choose(4) === 0
      const asked = Effect.delay(Effect.suspend(asking), choose(200))
      return { hangsUp, fiber: fork(choose(2), hangsUp ? Effect.timeout(asked, choose(220)) : asked) }
    })
    for (const { fiber, hangsUp } of callers) {
      const exit = endOf(simulation, fiber, `seed ${seed}: every caller is answered`)
      const isFine =
        Exit.isSuccess(exit) ||
        (!isCalm &&
          Option.isSome(Exit.match(exit, { onFailure: (cause) => Option.some(cause), onSuccess: Option.none })) &&
          `${exit}`.includes(hangsUp ? "" : "down"))
      if (!isFine) problems.push(`${exit}`)
    }
    simulation.pass(500)
    if (side(0).rig.flights() + side(1).rig.flights() > 0) problems.push("a flight is left")
    assert.deepStrictEqual(problems, [], `seed ${seed}`)
  }

  for (const isCalm of [true, false]) {
    it(`${isCalm ? "where all goes well" : "with failures, hang-ups and invalidations"}`, async () => {
      for (let seed = 1; seed <= runs(30, 150); seed++) {
        await breathe()
        play(seed, isCalm)
      }
    })
  }
})
