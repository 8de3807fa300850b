/** `failures` and `softTimeout` mean of each key of `cachedMany` what they mean for `cached`. */
import { expect } from "@effect/vitest"
import { Effect, Fiber, Option, Request, RequestResolver, Schema, TestClock } from "effect"
import { cached, cachedMany, cachedResolver } from "effect-cached"
import { eventually, ground, held, type It, noting, promptly, rounds } from "./ground.js"

class Down extends Schema.TaggedError<Down>()("Down", { round: Schema.Number }) {}
class Unlucky extends Schema.TaggedError<Unlucky>()("Unlucky", { id: Schema.Number }) {}
class NameOf extends Request.TaggedClass("NameOf")<string, Unlucky, { readonly id: number }> {}

export const failureTests = (it: It): void => {
  it.effect("failures: the error of a load is kept for each of its keys, and for no other", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      const loads: Array<ReadonlyArray<number>> = []
      const f = cachedMany(
        (ids: ReadonlyArray<number>) =>
          Effect.suspend(() => {
            loads.push(ids)
            return ids.includes(1)
              ? Effect.fail(new Down({ round: loads.length }))
              : Effect.succeed(ids.map((id) => [id, `v${id}`] as const))
          }),
        {
          key: key("f"),
          ttl: "1 hour",
          groups: (id) => [key(`g${id}`)],
          failures: { ttl: "10 seconds", schema: Down }
        }
      )
      expect(yield* Effect.flip(f([1, 2]))).toStrictEqual(new Down({ round: 1 }))
      for (const ids of [[1], [2], [2, 1]]) {
        expect(yield* Effect.flip(f(ids))).toStrictEqual(new Down({ round: 1 }))
      }
      expect(yield* Effect.flip(f.one(2))).toStrictEqual(new Down({ round: 1 }))
      expect(loads).toStrictEqual([[1, 2]])
      // Who needs such a key fails; what else it asked for is loaded.
      expect(yield* Effect.flip(f([3, 2]))).toStrictEqual(new Down({ round: 1 }))
      expect(yield* f([3])).toStrictEqual(new Map([[3, "v3"]]))
      expect(loads).toStrictEqual([[1, 2], [3]])
      expect(yield* f.requireCache([1, 2, 3])).toStrictEqual(new Map([[3, "v3"]]))
      expect(yield* cache.get(f.cacheKey(2))).toStrictEqual(Option.none())
      yield* cache.invalidateGroup(key("g2"))
      expect(yield* f([2])).toStrictEqual(new Map([[2, "v2"]]))
      expect(yield* Effect.flip(f([1]))).toStrictEqual(new Down({ round: 1 }))
      yield* TestClock.adjust("10 seconds")
      expect(yield* Effect.flip(f([1]))).toStrictEqual(new Down({ round: 4 }))
      expect(loads).toStrictEqual([[1, 2], [3], [2], [1]])
    })
  )

  it.effect("failures: when is asked of each error, and an old value goes before it", () =>
    Effect.gen(function* () {
      const { key } = yield* ground
      let fails = false
      let round = 0
      const { load } = noting(
        Effect.suspend(() => {
          round++
          return fails ? Effect.fail(new Down({ round })) : Effect.void
        })
      )
      const options = { ttl: "1 minute", stale: "1 hour" } as const
      const kept = cachedMany(load, { key: key("f"), ...options, failures: { ttl: "1 hour", schema: Down } })
      const choosy = cachedMany(load, {
        key: key("g"),
        ...options,
        failures: { ttl: "1 hour", when: ({ round }) => round > 100, schema: Down }
      })
      yield* kept([1])
      yield* TestClock.adjust("61 seconds")
      fails = true
      expect(rounds(yield* kept([1]))).toStrictEqual([[1, 1]])
      for (const round of [3, 4]) expect(yield* Effect.flip(choosy([1]))).toStrictEqual(new Down({ round }))
    })
  )

  it.effect("failures: of a resolver, request by request", () =>
    Effect.gen(function* () {
      const { key } = yield* ground
      const asked: Array<number> = []
      const resolver = yield* cachedResolver(
        RequestResolver.fromEffect(({ id }: NameOf) => {
          asked.push(id)
          return id === 13 ? Effect.fail(new Unlucky({ id })) : Effect.succeed(`name ${id}`)
        }),
        { key: key("name"), ttl: "1 hour", failures: { ttl: "1 hour", schema: Unlucky } }
      )
      for (const _ of ["cold", "warm"]) {
        const found = yield* Effect.forEach(
          [12, 13, 14],
          (id) => Effect.either(Effect.request(new NameOf({ id }), resolver)),
          { batching: true }
        )
        expect(found).toMatchObject([{ right: "name 12" }, { left: new Unlucky({ id: 13 }) }, { right: "name 14" }])
      }
      expect(asked).toStrictEqual([12, 13, 14])
    })
  )

  it.effect("softTimeout: stale keys are waited for so long, missing ones as long as it takes", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      const slow = yield* held(undefined)
      let gate: Effect.Effect<void> = Effect.void
      const { load, loads } = noting(Effect.suspend(() => gate))
      const f = cachedMany(load, {
        key: key("f"),
        ttl: "10 seconds",
        stale: "1 hour",
        lease: "5 seconds",
        softTimeout: "1 second"
      })
      yield* f([1, 2])
      yield* TestClock.adjust("10 seconds")
      gate = slow.effect
      const { stored } = yield* cache.stats
      const caller = yield* Effect.fork(f([1, 2]))
      yield* promptly(slow.begun)
      const other = yield* Effect.fork(f([2, 3]))
      yield* TestClock.adjust(999)
      expect(yield* Fiber.poll(caller)).toStrictEqual(Option.none())
      yield* TestClock.adjust(1)
      expect(rounds(yield* promptly(Fiber.join(caller)))).toStrictEqual([
        [1, 1],
        [2, 1]
      ])
      expect(yield* Fiber.poll(other)).toStrictEqual(Option.none())
      yield* slow.letGo
      expect((yield* promptly(Fiber.join(other))).get(3)).toStrictEqual({ id: 3, round: 3 })
      yield* eventually(cache.stats, (now) => now.stored - stored === 3)
      expect(rounds(yield* f([1, 2, 3]))).toStrictEqual([
        [1, 2],
        [2, 2],
        [3, 3]
      ])
      expect(loads).toStrictEqual([[1, 2], [1, 2], [3]])
    })
  )

  it.effect("that a key is missing is no value for others", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      const { load } = noting()
      const f = cachedMany(load, { key: key("f"), ttl: "1 hour", missing: "1 hour" })
      const fill = Effect.zipRight(f.invalidate([1_000]), f([1_000]))
      const name = f.cacheKey(1_000)
      yield* fill
      expect(yield* cache.get(name)).toStrictEqual(Option.none())
      expect(yield* cache.get(name, { schema: Schema.Unknown })).toStrictEqual(Option.none())
      expect(yield* cache.getMany([name, f.cacheKey(1)])).toStrictEqual(new Map())
      expect(yield* cache.has(name)).toBe(false)
      expect(yield* cache.touch(name, "1 hour")).toBe(false)
      expect(yield* Effect.flip(cache.increment(name))).toMatchObject({ _tag: "NoCachedValue" })
      expect(yield* cache.getOrSet(name, Effect.succeed("computed"))).toBe("computed")
      yield* fill
      const one = cached((id: number) => Effect.succeed(`v${id}`), { key: key("f"), ttl: "1 hour" })
      expect((yield* Effect.flip(one.requireCache(1_000)))._tag).toBe("NoCachedValue")
      for (const _ of ["cold", "warm"]) expect(yield* one(1_000)).toBe("v1000")
      yield* fill
      for (const _ of [1, 2]) expect(yield* f([1_000])).toStrictEqual(new Map())
      // The memory of a call, too.
      expect(yield* one(1_000)).toBe("v1000")
    })
  )
}
