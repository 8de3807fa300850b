/** The options of `cached` mean of each key of `cachedMany` what they mean there of a call. */
import { expect } from "@effect/vitest"
import { Effect, Fiber, TestClock } from "effect"
import { type CacheBackend, cachedMany } from "effect-cached"
import { ground, held, type It, noting, rounds } from "./ground.js"

export const optionTests = (it: It): void => {
  it.effect("groups: each key has its own, and one write invalidates them", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      const { load, loads } = noting()
      const f = cachedMany(load, { key: key("f"), ttl: "1 hour", groups: (id) => [key("all"), key(`mod ${id % 2}`)] })
      yield* f([1, 2, 3, 4])
      yield* cache.invalidateGroup(key("mod 1"))
      yield* f([1, 2, 3, 4])
      yield* cache.invalidateGroup(key("all"))
      yield* f([2, 3])
      yield* f([1, 2, 3, 4])
      expect(loads).toStrictEqual([
        [1, 2, 3, 4],
        [1, 3],
        [2, 3],
        [1, 4]
      ])
    })
  )

  it.effect("ttl, jitter and cacheWhen: of each value", () =>
    Effect.gen(function* () {
      const { key } = yield* ground
      const { load, loads } = noting()
      const f = cachedMany(load, {
        key: key("f"),
        stale: 0,
        ttl: ({ id }, asked) => (id === asked && id === 1 ? "1 minute" : "1 hour"),
        cacheWhen: ({ id }) => id !== 2
      })
      yield* f([1, 2, 3])
      yield* TestClock.adjust("61 seconds")
      yield* f([1, 2, 3])
      expect(loads).toStrictEqual([
        [1, 2, 3],
        [1, 2]
      ])
    })
  )

  it.effect("stale: one caller reloads all stale keys with the missing ones, the others are served", () =>
    Effect.gen(function* () {
      const { key } = yield* ground
      let gate: Effect.Effect<void> = Effect.void
      const { load, loads } = noting(Effect.suspend(() => gate))
      const f = cachedMany(load, { key: key("f"), ttl: "1 minute", stale: "1 hour" })
      yield* f([1, 2])
      yield* TestClock.adjust("61 seconds")
      yield* f([3])
      const holding = yield* held(undefined)
      gate = holding.effect
      const reloading = yield* Effect.fork(f([1, 2, 3, 4]))
      yield* holding.begun
      expect(rounds(yield* f([1, 2, 3]))).toStrictEqual([
        [1, 1],
        [2, 1],
        [3, 2]
      ])
      yield* holding.letGo
      expect(rounds(yield* Fiber.join(reloading))).toStrictEqual([
        [1, 3],
        [2, 3],
        [3, 2],
        [4, 3]
      ])
      expect(loads).toStrictEqual([[1, 2], [3], [1, 2, 4]])
    })
  )

  it.effect("revalidate: background: stale keys are served at once and reloaded in one load", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      const holding = yield* held(undefined)
      let gate: Effect.Effect<void> = Effect.void
      const { load, loads } = noting(Effect.suspend(() => gate))
      const f = cachedMany(load, { key: key("f"), ttl: "1 minute", stale: "1 hour", revalidate: "background" })
      yield* f([1, 2, 3])
      yield* TestClock.adjust("61 seconds")
      gate = holding.effect
      const { stored } = yield* cache.stats
      expect(rounds(yield* f([1, 2, 3]))).toStrictEqual([
        [1, 1],
        [2, 1],
        [3, 1]
      ])
      yield* holding.begun
      expect(loads).toStrictEqual([
        [1, 2, 3],
        [1, 2, 3]
      ])
      yield* holding.letGo
      const all: Effect.Effect<void, never, CacheBackend> = Effect.flatMap(cache.stats, (now) =>
        now.stored - stored === 3 ? Effect.void : Effect.zipRight(Effect.yieldNow(), all)
      )
      yield* all
      expect(rounds(yield* f([3, 2, 1])).map(([, round]) => round)).toStrictEqual([2, 2, 2])
    })
  )

  for (const staleOnError of [true, false]) {
    it.effect(`staleOnError: ${staleOnError}: a failed reload`, () =>
      Effect.gen(function* () {
        const { key } = yield* ground
        let fails = false
        const { load } = noting(Effect.suspend(() => (fails ? Effect.fail("down" as const) : Effect.void)))
        const f = cachedMany(load, { key: key("f"), ttl: "1 minute", stale: "1 hour", staleOnError })
        yield* f([1, 2])
        yield* TestClock.adjust("61 seconds")
        fails = true
        const result = yield* Effect.either(Effect.map(f([1, 2]), rounds))
        expect(result).toMatchObject(
          staleOnError
            ? {
                right: [
                  [1, 1],
                  [2, 1]
                ]
              }
            : { left: "down" }
        )
        expect(yield* Effect.flip(Effect.delay(f([1, 3]), 0))).toBe("down")
      })
    )
  }

  it.effect("forceRecalc loads all in one load; requireCache returns what is there, also stale", () =>
    Effect.gen(function* () {
      const { key } = yield* ground
      const { load, loads } = noting()
      const f = cachedMany(load, { key: key("f"), ttl: "1 minute", stale: "1 hour" })
      expect(yield* f.requireCache([1, 2])).toStrictEqual(new Map())
      yield* f([1, 2])
      expect(rounds(yield* f.forceRecalc([2, 3, 1_000]))).toStrictEqual([
        [2, 2],
        [3, 2]
      ])
      expect(rounds(yield* f.requireCache([3, 1, 1_000, 2]))).toStrictEqual([
        [3, 2],
        [1, 1],
        [2, 2]
      ])
      yield* TestClock.adjust("61 seconds")
      expect(rounds(yield* f.requireCache([3, 4, 1]))).toStrictEqual([
        [3, 2],
        [1, 1]
      ])
      yield* f.invalidate([1, 3, 5])
      expect(rounds(yield* f.requireCache([1, 2, 3]))).toStrictEqual([[2, 2]])
      expect(loads).toStrictEqual([
        [1, 2],
        [2, 3, 1_000]
      ])
    })
  )

  it.effect("what is invalidated during a load is not stored, and only that", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      const holding = yield* held(undefined)
      const { load, loads } = noting(holding.effect)
      const f = cachedMany(load, { key: key("f"), ttl: "1 hour", groups: (id) => [key(`g${id}`)] })
      const loading = yield* Effect.fork(f([1, 2, 3, 4]))
      yield* holding.begun
      yield* f.invalidate([2])
      yield* cache.invalidateGroup(key("g3"))
      yield* holding.letGo
      expect([...(yield* Fiber.join(loading)).keys()]).toStrictEqual([1, 2, 3, 4])
      expect([...(yield* f.requireCache([1, 2, 3, 4])).keys()]).toStrictEqual([1, 4])
      yield* f([1, 2, 3, 4])
      expect(loads).toStrictEqual([
        [1, 2, 3, 4],
        [2, 3]
      ])
    })
  )
}
