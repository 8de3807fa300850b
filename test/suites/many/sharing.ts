/** Overlapping calls in one process share the loads of their keys, whoever leaves and whatever fails. */
import { expect } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Option } from "effect"
import { cachedMany } from "effect-cached"
import { eventually, ground, held, type It, live, noting, promptly, rounds } from "./ground.js"

export const sharingTests = (it: It): void => {
  it.effect("[1, 2, 3] and [2, 3, 4] asked at once load each key once", () =>
    live(
      Effect.gen(function* () {
        const { key } = yield* ground
        const { load, loads } = noting(Effect.sleep("20 millis"))
        const f = cachedMany(load, { key: key("f"), ttl: "1 hour" })
        const [one, other] = yield* promptly(Effect.all([f([1, 2, 3]), f([2, 3, 4])], { concurrency: "unbounded" }))
        expect([...one.keys()]).toStrictEqual([1, 2, 3])
        expect([...other.keys()]).toStrictEqual([2, 3, 4])
        expect(loads.flat().sort()).toStrictEqual([1, 2, 3, 4])
        expect(loads).toHaveLength(2)
      })
    )
  )

  it.effect("who asks while a load runs joins it, and loads the rest meanwhile", () =>
    live(
      Effect.gen(function* () {
        const { key } = yield* ground
        const gates = [yield* held(undefined), yield* held(undefined)]
        let round = 0
        const { load, loads } = noting(Effect.suspend(() => gates[round++]?.effect ?? Effect.void))
        const f = cachedMany(load, { key: key("f"), ttl: "1 hour" })
        const first = yield* Effect.fork(f([1, 2, 3]))
        yield* gates[0]?.begun ?? Effect.void
        const second = yield* Effect.fork(Effect.all([f([2, 4]), f.one(3)], { concurrency: "unbounded" }))
        yield* gates[1]?.begun ?? Effect.void
        expect(loads).toStrictEqual([[1, 2, 3], [4]])
        yield* gates[1]?.letGo ?? Effect.void
        yield* gates[0]?.letGo ?? Effect.void
        yield* promptly(Fiber.join(first))
        const [both, three] = yield* promptly(Fiber.join(second))
        expect(rounds(both)).toStrictEqual([
          [2, 1],
          [4, 2]
        ])
        expect(Option.map(three, ({ round }) => round)).toStrictEqual(Option.some(1))
        expect(loads).toHaveLength(2)
      })
    )
  )

  it.effect("the load goes on while a joiner waits for one of its keys, and ends with the last", () =>
    live(
      Effect.gen(function* () {
        const { cache, key } = yield* ground
        const begun = yield* Deferred.make<void>()
        const interrupted = yield* Deferred.make<void>()
        const gate = yield* Deferred.make<void>()
        const { load, loads } = noting(
          Effect.zipRight(Deferred.succeed(begun, undefined), Deferred.await(gate)).pipe(
            Effect.onInterrupt(() => Deferred.succeed(interrupted, undefined))
          )
        )
        const f = cachedMany(load, { key: key("f"), ttl: "1 hour" })
        const before = yield* cache.stats
        const starter = yield* Effect.fork(f([1, 2, 3]))
        yield* Deferred.await(begun)
        const joiner = yield* Effect.fork(f([2]))
        yield* eventually(cache.stats, ({ misses }) => misses - before.misses === 4)
        yield* Effect.sleep("20 millis")
        yield* promptly(Fiber.interrupt(starter))
        expect(yield* Deferred.isDone(interrupted)).toBe(false)
        yield* Deferred.succeed(gate, undefined)
        expect(rounds(yield* promptly(Fiber.join(joiner)))).toStrictEqual([[2, 1]])
        expect(loads).toStrictEqual([[1, 2, 3]])
      })
    )
  )

  it.effect("a load without waiters is interrupted, and its keys can be loaded at once", () =>
    live(
      Effect.gen(function* () {
        const { key } = yield* ground
        const begun = yield* Deferred.make<void>()
        const interrupted = yield* Deferred.make<void>()
        let hangs = true
        const { load, loads } = noting(
          Effect.suspend(() =>
            hangs
              ? Effect.onInterrupt(Effect.zipRight(Deferred.succeed(begun, undefined), Effect.never), () =>
                  Deferred.succeed(interrupted, undefined)
                )
              : Effect.void
          )
        )
        const f = cachedMany(load, { key: key("f"), ttl: "1 hour", lease: "1 hour" })
        const starter = yield* Effect.fork(f([1, 2]))
        yield* Deferred.await(begun)
        yield* promptly(Fiber.interrupt(starter))
        expect(yield* Deferred.isDone(interrupted)).toBe(true)
        hangs = false
        expect(rounds(yield* promptly(f([2, 1]))).map(([id, round]) => [id, round > 1])).toStrictEqual([
          [2, true],
          [1, true]
        ])
        // In one load, or in two where the lease of one key was given back a moment later.
        expect(loads.slice(1).flat().sort()).toStrictEqual([1, 2])
      })
    )
  )

  it.effect("finish: an abandoned load may complete, and is kept", () =>
    live(
      Effect.gen(function* () {
        const { key } = yield* ground
        const holding = yield* held(undefined)
        const { load, loads } = noting(holding.effect)
        const f = cachedMany(load, { key: key("f"), ttl: "1 hour", finish: true })
        const starter = yield* Effect.fork(f([1, 2]))
        yield* holding.begun
        yield* Fiber.interrupt(starter)
        yield* holding.letGo
        yield* eventually(f.requireCache([1, 2]), ({ size }) => size === 2)
        expect(loads).toHaveLength(1)
      })
    )
  )

  it.effect("a failing load fails all who need its keys, with one error, and nobody else", () =>
    live(
      Effect.gen(function* () {
        const { key } = yield* ground
        const begun = yield* Deferred.make<void>()
        const gate = yield* Deferred.make<void>()
        const loads: Array<ReadonlyArray<number>> = []
        const f = cachedMany(
          (ids: ReadonlyArray<number>) =>
            Effect.suspend(() => {
              loads.push(ids)
              return ids.includes(1)
                ? Effect.zipRight(
                    Effect.zipRight(Deferred.succeed(begun, undefined), Deferred.await(gate)),
                    Effect.fail("down" as const)
                  )
                : Effect.succeed(ids.map((id) => [id, id] as const))
            }),
          { key: key("f"), ttl: "1 hour" }
        )
        const failing = yield* Effect.fork(Effect.exit(f([1, 2])))
        yield* Deferred.await(begun)
        const needs = yield* Effect.fork(Effect.exit(f([2, 3])))
        expect([...(yield* promptly(f([4, 5]))).keys()]).toStrictEqual([4, 5])
        yield* eventually(f.requireCache([3]), ({ size }) => size === 1)
        yield* Effect.sleep("20 millis")
        yield* Deferred.succeed(gate, undefined)
        expect(yield* promptly(Fiber.join(failing))).toStrictEqual(Exit.fail("down"))
        expect(yield* promptly(Fiber.join(needs))).toStrictEqual(Exit.fail("down"))
        expect(loads).toStrictEqual(
          [[1, 2], [4, 5], [3]].sort(
            (a, b) => loads.findIndex((x) => x[0] === a[0]) - loads.findIndex((x) => x[0] === b[0])
          )
        )
        expect([...(yield* promptly(f([3, 2]))).keys()]).toStrictEqual([3, 2])
      })
    )
  )

  it.effect("a load that asks for its own key dies, and names the chain", () =>
    live(
      Effect.gen(function* () {
        const { key } = yield* ground
        const f = cachedMany(
          (ids: ReadonlyArray<number>): Effect.Effect<ReadonlyArray<readonly [number, number]>> =>
            Effect.map(own(ids), () => ids.map((id) => [id, id] as const)),
          { key: key("f"), ttl: "1 hour" }
        )
        const runtime = yield* Effect.runtime<Effect.Effect.Context<ReturnType<typeof f>>>()
        let asked: "many" | "one" = "many"
        const own = ([first = 0]: ReadonlyArray<number>) =>
          Effect.provide(
            Effect.suspend(
              (): Effect.Effect<unknown, never, Effect.Effect.Context<ReturnType<typeof f>>> =>
                asked === "many" ? f([first + 1]) : f.one(first)
            ),
            runtime
          )
        const isCycle = (exit: Exit.Exit<unknown, unknown>) =>
          expect(`${exit}`).toMatch(/Cached computation needs its own result: .*f\(1\) and 1 more → .*f\([12]\)/)
        isCycle(yield* promptly(Effect.exit(f([1, 2]))))
        asked = "one"
        isCycle(yield* promptly(Effect.exit(f([1, 2]))))
      })
    )
  )
}
