/**
 * `stats`: the counts grow with each operation.
 */
import { expect } from "@effect/vitest"
import { Effect, Option } from "effect"
import type { CacheStats } from "../../CacheBackend.js"
import { ground, type It } from "./ground.js"

type Counter = Exclude<keyof CacheStats, "entries" | "bytes" | "evictions">

export const statsTests = (it: It): void => {
  it.effect("counts what is asked, computed and stored", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      const grown = <A, E>(counter: Counter, effect: Effect.Effect<A, E>) =>
        Effect.gen(function* () {
          const before = (yield* cache.stats)[counter]
          yield* Effect.exit(effect)
          return (yield* cache.stats)[counter] - before
        })
      expect(yield* grown("misses", cache.get(key("a")))).toBe(1)
      expect(yield* grown("stored", cache.set(key("a"), 1))).toBe(1)
      expect(yield* grown("hits", cache.get(key("a")))).toBe(1)
      expect(yield* grown("misses", cache.get(key("a")))).toBe(0)
      expect(yield* grown("hits", cache.getMany([key("a"), key("missing")]))).toBe(1)
      expect(yield* grown("misses", cache.getMany([key("a"), key("missing")]))).toBe(1)
      expect(yield* grown("hits", cache.getOrSet(key("a"), Effect.succeed(1)))).toBe(1)
      expect(yield* grown("computed", cache.getOrSet(key("b"), Effect.succeed(1)))).toBe(1)
      expect(yield* grown("misses", cache.getOrSet(key("c"), Effect.succeed(1)))).toBe(1)
      expect(yield* grown("failed", cache.getOrSet(key("d"), Effect.fail("broken")))).toBe(1)
      expect(yield* grown("discarded", cache.getOrSet(key("e"), Effect.as(cache.delete(key("e")), 1)))).toBe(1)
    })
  )

  it.effect("knows the store's size or says that it does not", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      yield* cache.set(key("a"), 1)
      const { bytes, entries, evictions } = yield* cache.stats
      for (const size of [bytes, entries, evictions]) {
        expect(Option.getOrElse(size, () => 0)).toBeGreaterThanOrEqual(0)
      }
    })
  )
}
