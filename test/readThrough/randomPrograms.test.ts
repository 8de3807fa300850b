/**
 * Random programs of many callers in one or two processes: memoized functions of every kind over a few keys, callers who hang up at
 * random steps, invalidations, computations that fail, die, keep nothing, are refused or take longer than `maxLease`, layers that
 * close.
 *
 * - Every caller is answered, and nobody is interrupted who has not hung up.
 * - Nobody is told of a failure that another caller's closed connection caused.
 * - No value is older than an invalidation that ended before the call began. (Not where the store fails: `neverOlder.test.ts`.)
 * - Where nothing goes wrong, a key is computed once at a time, and only when it is due.
 * - At the end no flight runs, no lease is left without a value, and each call counts as one hit, stale hit or miss.
 */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Context, Effect, Exit, type Fiber, FiberId, Option, Scope } from "effect"
import { CacheBackend, type CachedFunction, cached } from "effect-cached"
import { engine } from "../../src/internal/memoized/engine.js"
import { asyncStore, type Trip } from "../support/asyncStore.js"
import { memoryStore, rigIn, runIn } from "../support/backend.js"
import { breathe } from "../support/breathe.js"
import { byteServer } from "../support/byteServer.js"
import { Simulation, seeded } from "../support/simulation.js"
import { runs } from "../support/size.js"
import { type AnyStore, plain } from "../support/stores.js"

class Connection extends Context.Tag("test/Connection")<Connection, { readonly name: string; isOpen: boolean }>() {}

interface Told {
  readonly what: string
  readonly made: number
}

type Failure = { readonly closed: string } | { readonly closed: undefined; readonly made: number }

type Memoized = CachedFunction<[id: number], Told | null, Failure, Connection>

interface World {
  readonly store: "memory" | "memory behind a network" | "bytes behind a network"
  readonly processes: 1 | 2
  readonly closes?: boolean
  readonly hangsUp?: boolean
  /** How many of a hundred store operations fail. */
  readonly faults?: number
  /** Nothing fails, is interrupted, forced or invalidated. */
  readonly calm?: boolean
}

const keys = 2
const maxLease = 90
const ttl = 40

const play = (world: World, seed: number): void => {
  const { calm = false, closes = false, faults = 0 } = world
  const hangsUp = world.hangsUp ?? !calm
  const lease = calm ? 1_000 : 20
  const choose = seeded(seed)
  const simulation = new Simulation(choose)
  const setup = simulation.process()
  const inner: AnyStore =
    world.store === "bytes behind a network" ? byteServer().store : runIn(simulation, setup, Effect.scoped(memoryStore))
  const trip = (): Trip => ({
    there: choose(3),
    back: choose(3),
    fault: choose(100) < faults ? (["refused", "lost", "unanswered"] as const)[choose(3)] : undefined
  })
  const sides = Array.from({ length: world.processes }, () => {
    const process = simulation.process()
    const store = world.store === "memory" ? inner : asyncStore(inner, trip)
    return { process, rig: rigIn(simulation, process, store), lookups: 0, cut: 0, closed: false }
  })

  let moment = 0
  let busy = 0
  const computing = new Set<string>()
  const problems: Array<string> = []
  const lastEnd = new Map<string, number>()
  const invalidated: Array<{ readonly what: string; readonly began: number; readonly ended: number }> = []
  const names = ["plain", "grouped", "background", "finish", "nested", "early", "soft", "kept"] as const
  type Name = (typeof names)[number]
  let functions: Record<Name, Memoized> = undefined as never
  const compute =
    (name: Name) =>
    (id: number): Effect.Effect<Told | null, Failure, Connection | CacheBackend> =>
      Effect.flatMap(Connection, (connection) =>
        Effect.suspend(() => {
          const what = `${name}(${id})`
          const told: Told = { what, made: ++moment }
          busy++
          const millis = choose(12) === 0 && !calm ? 2 * maxLease : choose(6) === 0 ? 40 : choose(9)
          const end = calm ? 12 : choose(12)
          if (calm && computing.has(what)) problems.push(`${what} is computed twice at once`)
          if (calm && name !== "early" && simulation.time - (lastEnd.get(what) ?? -ttl) < ttl) {
            problems.push(`${what} is computed before it is due`)
          }
          computing.add(what)
          const inside =
            name === "nested"
              ? Effect.asVoid(lookup(functions[choose(2) === 0 ? "plain" : "background"], id))
              : choose(15) === 0
                ? Effect.asVoid(Effect.exit(lookup(functions.grouped, id)))
                : Effect.void
          return Effect.zipRight(
            name === "grouped" ? Effect.void : inside,
            Effect.delay(
              Effect.suspend((): Effect.Effect<Told | null, Failure> => {
                if (!connection.isOpen) {
                  const closed = { closed: connection.name }
                  return end % 3 === 0 ? Effect.die(closed) : Effect.fail(closed)
                }
                if (end === 0) return Effect.fail({ closed: undefined, made: told.made })
                if (end === 1) return Effect.die({ closed: undefined, made: told.made })
                if (end === 2) return Effect.succeed(null)
                // A function can't be encoded.
                return Effect.succeed(end === 3 ? { ...told, refused: () => 0 } : told)
              }),
              millis
            )
          ).pipe(
            Effect.ensuring(
              Effect.sync(() => {
                busy--
                computing.delete(what)
                lastEnd.set(what, simulation.time)
              })
            )
          )
        })
      )
  const lookup = (f: Memoized, id: number) =>
    Effect.flatMap(CacheBackend, (backend) => {
      const side = sides.find(({ rig }) => rig.service === backend)
      if (side !== undefined) side.lookups++
      let done = false
      return Effect.ensuring(
        Effect.onExit(f(id), (exit) =>
          Effect.sync(() => {
            done = !Exit.isFailure(exit) || !Exit.isInterrupted(exit)
          })
        ),
        Effect.sync(() => {
          if (!done && side !== undefined) side.cut++
        })
      )
    })
  const common = { ttl, stale: 60, lease, maxLease: calm ? 60_000 : maxLease }
  const make = (name: Name, options: object): Memoized =>
    cached(compute(name), { key: name, ...common, ...options }) as Memoized
  functions = {
    plain: make("plain", {}),
    grouped: make("grouped", { groups: ["group"], staleOnError: false }),
    background: make("background", { revalidate: "background", groups: (id: number) => [`group ${id}`] }),
    finish: make("finish", { finish: true, stale: 0 }),
    nested: make("nested", { groups: ["group"], revalidate: choose(2) === 0 ? "background" : "caller" }),
    early: make("early", { earlyRefresh: 2, jitter: 0.5 }),
    soft: make("soft", {
      softTimeout: choose(20),
      refresh: (_: Told, id: number) =>
        choose(2) === 0 ? Effect.succeedNone : Effect.map(compute("soft")(id), Option.some)
    }),
    kept: make("kept", { failures: { ttl }, staleOnError: choose(2) === 0 })
  }

  interface Call {
    readonly what: string
    readonly operation: string
    readonly began: number
    readonly fiber: Fiber.RuntimeFiber<unknown, unknown>
    readonly connection: string
    readonly leavesAt: number
    hasLeft: boolean
  }
  const calls: Array<Call> = []
  const operations = [
    "cached",
    "cached",
    "cached",
    "cached",
    "cached",
    "forceRecalc",
    "requireCache",
    "invalidate",
    "invalidateGroup",
    "race"
  ]
  const step = () => {
    simulation.step()
    for (const call of calls) {
      if (call.leavesAt !== simulation.steps) continue
      call.hasLeft = true
      call.fiber.unsafeInterruptAsFork(FiberId.none)
    }
  }
  simulation.everyOperation = choose(3) === 0
  const closeAt = closes ? choose(60) : -1
  for (let n = 0; n < 60; n++) {
    const side = sides[choose(world.processes)]
    if (side === undefined) throw new Error("no side")
    const name = names[choose(names.length)] ?? "plain"
    const id = choose(keys)
    const f = functions[name]
    const operation = calm ? "cached" : (operations[choose(operations.length)] ?? "cached")
    const what = `${name}(${id})`
    const began = ++moment
    const noting = <A, E, R>(whats: ReadonlyArray<string>, effect: Effect.Effect<A, E, R>) =>
      Effect.suspend(() => {
        const start = ++moment
        return Effect.tap(effect, () =>
          Effect.sync(() => {
            for (const one of whats) invalidated.push({ what: one, began: start, ended: ++moment })
          })
        )
      })
    const run: Effect.Effect<unknown, unknown, Connection | CacheBackend> =
      operation === "cached"
        ? lookup(f, id)
        : operation === "race"
          ? Effect.timeoutOption(lookup(f, id), choose(20))
          : operation === "forceRecalc"
            ? f.forceRecalc(id)
            : operation === "requireCache"
              ? Effect.suspend(() => {
                  side.lookups++
                  return Effect.onError(f.requireCache(id), (cause) =>
                    Effect.sync(() => {
                      // A failure of the store is neither.
                      if (!`${cause}`.includes("NoCachedValue")) side.cut++
                    })
                  )
                })
              : operation === "invalidate"
                ? noting([what], f.invalidate(id))
                : noting(
                    ["grouped(0)", "grouped(1)", "nested(0)", "nested(1)"],
                    side.rig.service.invalidateGroup("group")
                  )
    const scoped = Effect.scoped(
      Effect.flatMap(
        Effect.acquireRelease(
          Effect.sync(() => ({ name: `${n}`, isOpen: true })),
          (connection) => Effect.sync(() => (connection.isOpen = calm))
        ),
        (connection) => Effect.provideService(run, Connection, connection)
      )
    )
    const fiber = side.process.fork(side.rig.provide(scoped))
    const leavesAt = hangsUp && choose(3) === 0 ? simulation.steps + 1 + choose(80) : -1
    calls.push({ what, operation, began, fiber, connection: `${n}`, leavesAt, hasLeft: false })
    if (n === closeAt) {
      side.closed = true
      side.process.fork(Scope.close(side.rig.scope, Exit.void))
    }
    for (let count = choose(4) === 0 ? choose(100) : choose(10); count > 0; count--) step()
  }
  const ended = () => calls.every(({ fiber }) => fiber.unsafePoll() !== null)
  for (let count = 0; count < 5_000 && !ended(); count++) step()
  simulation.everyOperation = false
  simulation.until(ended, `seed ${seed}: every call ends`, 5_000)

  assert.deepStrictEqual(problems, [], `seed ${seed}`)
  for (const { began, connection, fiber, hasLeft, operation, what } of calls) {
    const exit = fiber.unsafePoll()
    const context = () => `seed ${seed}, call ${connection}: ${operation} ${what} ${exit}`
    if (exit === null) throw new Error(context())
    const isNewEnough = (made: number) => {
      for (const invalidation of invalidated) {
        if (faults > 0 || invalidation.what !== what || invalidation.ended > began) continue
        assert.isAbove(made, invalidation.began, context())
      }
    }
    if (Exit.isSuccess(exit)) {
      const value = exit.value
      const told = (Option.isOption(value) ? Option.getOrNull(value) : value) as Told | null | undefined
      if (told === null || told === undefined) continue
      assert.strictEqual(told.what, what, context())
      isNewEnough(told.made)
    } else {
      const failure = Option.getOrUndefined(Cause.failureOption(exit.cause)) as Failure | undefined
      if (what.startsWith("kept") && failure !== undefined && "made" in failure) isNewEnough(failure.made)
      const text = `${JSON.stringify(exit)}`
      if (text.includes('"closed":"') && !text.includes(`"closed":"${connection}"`)) assert.fail(`${context()} ${text}`)
      if (text.includes("needs its own")) assert.fail(`${context()} ${text}`)
      if (text.includes('"Interrupt"') && !hasLeft) assert.fail(`${context()} ${text}`)
    }
  }
  simulation.until(() => sides.every(({ rig }) => rig.flights() === 0), `seed ${seed}: no flight is left`, 3_000)
  simulation.until(() => busy === 0, `seed ${seed}: no computation is left`, 3_000)
  simulation.pass(20)
  if (faults === 0) {
    for (const side of sides) {
      if (side.closed) continue
      for (const name of names) {
        for (let id = 0; id < keys; id++) {
          const finished = side.rig.service[engine].keyspace.finish(functions[name].cacheKey(id))
          const [found] = runIn(simulation, setup, plain(inner).read([finished]))
          const entry = found?.entry
          const isLeased =
            entry !== undefined && entry.value === undefined && (entry.lease?.until ?? 0) > simulation.time
          assert.isFalse(isLeased, `seed ${seed}: a lease without a computation ${name}(${id})`)
        }
      }
    }
  }
  for (const side of sides) {
    if (side.closed) continue
    const stats = runIn(simulation, side.process, side.rig.service.stats)
    const counted = stats.hits + stats.staleHits + stats.misses
    assert.isAtMost(counted, side.lookups, `seed ${seed}: counted`)
    assert.isAtLeast(counted, side.lookups - side.cut, `seed ${seed}: counted`)
  }
}

describe("random programs", () => {
  const worlds: Record<string, World> = {
    "in one process": { store: "memory", processes: 1 },
    "in one process whose layer closes": { store: "memory", processes: 1, closes: true },
    "behind a network": { store: "memory behind a network", processes: 1 },
    "two processes": { store: "memory behind a network", processes: 2 },
    "two processes over a store of bytes": { store: "bytes behind a network", processes: 2 },
    "two processes whose callers stay": { store: "bytes behind a network", processes: 2, hangsUp: false },
    "two processes, one of whose layers closes": { store: "bytes behind a network", processes: 2, closes: true },
    "two processes behind a network that fails": { store: "memory behind a network", processes: 2, faults: 30 },
    "two processes whose store is away": { store: "bytes behind a network", processes: 2, faults: 100 },
    "in one process where nothing goes wrong": { store: "memory", processes: 1, calm: true },
    "two processes where nothing goes wrong": { store: "bytes behind a network", processes: 2, calm: true }
  }
  for (const [name, world] of Object.entries(worlds)) {
    it(name, async () => {
      for (let seed = 0; seed < runs(10, 20); seed++) {
        play(world, seed)
        await breathe()
      }
    })
  }
})
