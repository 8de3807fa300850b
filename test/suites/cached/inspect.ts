/** `inspect`: what stands in the store under a key. */
import { expect } from "@effect/vitest"
import { Clock, Effect, Fiber, Option, TestClock } from "effect"
import { cached } from "effect-cached"
import { ground, held, type It } from "./ground.js"

export const inspectTests = (it: It): void => {
  it.effect("the times, the groups and the size of a value, and it counts as no hit", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      const groups = [key("cities"), key("größe 100%:ü 🙂")]
      const f = cached((n: number) => Effect.succeed("x".repeat(n)), {
        key: key("f"),
        ttl: "1 minute",
        stale: "1 hour",
        groups
      })
      yield* f(1_000)
      const before = yield* cache.stats
      const now = yield* Clock.currentTimeMillis
      const found = Option.getOrThrow(yield* cache.inspect(f.cacheKey(1_000)))
      expect(found).toMatchObject({ freshUntil: now + 60_000, staleUntil: now + 3_660_000, lease: Option.none() })
      expect([...found.groups].sort()).toEqual([...groups].sort())
      expect(found.bytes).toBeGreaterThan(1_000)
      expect(found.bytes).toBeLessThan(4_000)
      expect(yield* cache.stats).toMatchObject({ hits: before.hits, misses: before.misses })
      expect(Object.keys(found).sort()).toEqual(["bytes", "freshUntil", "groups", "lease", "staleUntil"])
    })
  )

  it.effect("None where nothing counts: absent, expired, deleted, its group invalidated", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      const set = cache.set(key("a"), 1, { ttl: "1 minute", stale: "1 minute", groups: [key("group")] })
      expect(yield* cache.inspect(key("a"))).toStrictEqual(Option.none())
      yield* set
      expect(Option.isSome(yield* cache.inspect(key("a")))).toBe(true)
      yield* cache.invalidateGroup(key("group"))
      expect(yield* cache.inspect(key("a"))).toStrictEqual(Option.none())
      yield* set
      yield* cache.delete(key("a"))
      expect(yield* cache.inspect(key("a"))).toStrictEqual(Option.none())
      yield* set
      yield* TestClock.adjust("90 seconds")
      const stale = Option.getOrThrow(yield* cache.inspect(key("a")))
      expect(stale.freshUntil).toBeLessThan(yield* Clock.currentTimeMillis)
      yield* TestClock.adjust("31 seconds")
      expect(yield* cache.inspect(key("a"))).toStrictEqual(Option.none())
    })
  )

  it.effect("the lease while the value is computed, the first time and again", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      const first = yield* held(1)
      const second = yield* held(2)
      let runs = 0
      const f = cached(() => Effect.suspend(() => (runs++ === 0 ? first.effect : second.effect)), {
        key: key("f"),
        lease: "20 seconds",
        ttl: "1 minute",
        stale: "1 hour"
      })
      const computing = yield* Effect.fork(f())
      yield* first.begun
      const now = yield* Clock.currentTimeMillis
      const leased = Option.getOrThrow(yield* cache.inspect(f.cacheKey()))
      expect(leased).toMatchObject({ freshUntil: 0, staleUntil: 0, lease: Option.some({ until: now + 20_000 }) })
      yield* first.letGo
      yield* Fiber.join(computing)
      expect(Option.getOrThrow(yield* cache.inspect(f.cacheKey())).lease).toStrictEqual(Option.none())
      yield* TestClock.adjust("2 minutes")
      const again = yield* Effect.fork(f())
      yield* second.begun
      expect(Option.getOrThrow(yield* cache.inspect(f.cacheKey()))).toMatchObject({
        freshUntil: now + 60_000,
        lease: Option.some({ until: now + 140_000 })
      })
      yield* second.letGo
      yield* Fiber.join(again)
    })
  )

  it.effect("of another version, with a name of a group that is too long for a key, and of a key that is none", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      const long = key("g".repeat(300))
      yield* cache.set(key("a"), 1, { groups: [long], version: 7 })
      expect(yield* cache.inspect(key("a"))).toStrictEqual(Option.none())
      const { groups } = Option.getOrThrow(yield* cache.inspect(key("a"), { version: 7 }))
      expect(groups[0]).toContain("ggg")
      expect(groups[0]).toContain("%~")
      expect(yield* Effect.flip(cache.inspect(""))).toMatchObject({ reason: "InvalidKey", operation: "inspect" })
    })
  )
}
