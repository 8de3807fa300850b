/**
 * Time to live: fresh up to its last millisecond and not beyond.
 */
import { expect } from "@effect/vitest"
import { Duration, Effect, Option, TestClock } from "effect"
import { ground, type It, later, reasonOf } from "./ground.js"

export const timeTests = (it: It): void => {
  it.effect("serves a value up to its ttl and not after", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      yield* cache.set(key("a"), 1, { ttl: "10 seconds" })
      yield* TestClock.adjust(9_999)
      expect(yield* cache.get(key("a"))).toStrictEqual(Option.some(1))
      yield* TestClock.adjust(1)
      expect(yield* cache.get(key("a"))).toStrictEqual(Option.none())
      expect(yield* cache.has(key("a"))).toBe(false)
      expect(yield* cache.getMany([key("a")])).toStrictEqual(new Map())
    })
  )

  it.effect("takes a fraction of a second", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      yield* cache.set(key("a"), 1, { ttl: Duration.seconds(10.25) })
      yield* cache.set(key("b"), 2, { ttl: Duration.millis(10_000.5) })
      yield* TestClock.adjust(9_900)
      expect(yield* cache.has(key("b"))).toBe(true)
      yield* TestClock.adjust(349)
      expect(yield* cache.has(key("a"))).toBe(true)
      yield* TestClock.adjust(1)
      expect(yield* cache.has(key("a"))).toBe(false)
      expect(yield* cache.has(key("b"))).toBe(false)
    })
  )

  for (const [name, ttl] of [
    ["zero", 0],
    ["a negative number", -1],
    ["negative infinity", Number.NEGATIVE_INFINITY],
    ["Duration.zero", Duration.zero]
  ] as const) {
    it.effect(`takes ${name} for already expired`, () =>
      Effect.gen(function* () {
        const { cache, key } = yield* ground
        yield* cache.set(key("set"), "before")
        yield* cache.set(key("set"), "after", { ttl })
        expect(yield* cache.get(key("set"))).toStrictEqual(Option.none())
        yield* cache.set(key("many"), "before")
        expect(yield* cache.setMany([[key("many"), "after"]], { ttl })).toStrictEqual([])
        expect(yield* cache.get(key("many"))).toStrictEqual(Option.none())
        yield* cache.add(key("add"), 1, { ttl })
        expect(yield* cache.get(key("add"))).toStrictEqual(Option.none())
        expect(yield* cache.getOrSet(key("compute"), Effect.succeed(1), { ttl })).toBe(1)
        expect(yield* cache.get(key("compute"))).toStrictEqual(Option.none())
      })
    )
  }

  it.effect("keeps no stale value when its ttl is zero", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      const failing: Effect.Effect<string, string> = Effect.fail("down")
      yield* cache.set(key("set"), "old", { ttl: 0, stale: "1 minute" })
      expect(yield* Effect.flip(cache.getOrSet(key("set"), failing))).toBe("down")
      yield* cache.set(key("touch"), "old", { stale: "1 minute" })
      yield* cache.touch(key("touch"), 0)
      expect(yield* Effect.flip(cache.getOrSet(key("touch"), failing))).toBe("down")
    })
  )

  it.effect("keeps a value for a year", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      yield* cache.set(key("a"), 1, { ttl: "365 days" })
      expect(yield* cache.has(key("a"))).toBe(true)
      expect(yield* later("364 days", cache.has(key("a")))).toBe(true)
      expect(yield* later("365 days", cache.has(key("a")))).toBe(false)
    })
  )

  for (const [name, ttl] of [
    ["for ever", Duration.infinity],
    ["for ever, said as a number", Number.POSITIVE_INFINITY],
    ["longer than any calendar", Duration.days(1e15)]
  ] as const) {
    it.effect(`keeps a value ${name}`, () =>
      Effect.gen(function* () {
        const { cache, key } = yield* ground
        yield* cache.set(key("a"), 1, { ttl })
        expect(yield* cache.get(key("a"))).toStrictEqual(Option.some(1))
        expect(yield* later(Duration.days(365_000), cache.has(key("a")))).toBe(true)
      })
    )
  }

  it.effect("keeps a value for the layer's default ttl, five minutes", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      yield* cache.set(key("a"), 1)
      yield* TestClock.adjust(299_999)
      expect(yield* cache.has(key("a"))).toBe(true)
      yield* TestClock.adjust(1)
      expect(yield* cache.has(key("a"))).toBe(false)
    })
  )

  it.effect("gives a value that is set again its new ttl", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      yield* cache.set(key("longer"), 1, { ttl: "10 seconds" })
      yield* cache.set(key("longer"), 2, { ttl: "1 minute" })
      yield* cache.set(key("shorter"), 1, { ttl: "1 minute" })
      yield* cache.set(key("shorter"), 2, { ttl: "10 seconds" })
      yield* TestClock.adjust("20 seconds")
      expect(yield* cache.get(key("longer"))).toStrictEqual(Option.some(2))
      expect(yield* cache.get(key("shorter"))).toStrictEqual(Option.none())
    })
  )

  it.effect("does not show a stale value to the direct operations", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      yield* cache.set(key("a"), 1, { ttl: "10 seconds", stale: "1 minute" })
      yield* TestClock.adjust("20 seconds")
      expect(yield* cache.get(key("a"))).toStrictEqual(Option.none())
      expect(yield* cache.has(key("a"))).toBe(false)
      expect(yield* cache.getMany([key("a")])).toStrictEqual(new Map())
      expect(yield* cache.touch(key("a"))).toBe(false)
      expect(yield* Effect.flip(cache.increment(key("a")))).toMatchObject({ _tag: "NoCachedValue" })
      expect(yield* cache.delete(key("a"))).toBe(false)
    })
  )

  it.effect("refuses a ttl that is no duration with InvalidOption", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      yield* cache.set(key("a"), "before")
      // A text that is no duration comes from callers without types.
      for (const ttl of [Number.NaN, "5 parsecs" as "5 seconds"]) {
        expect(yield* reasonOf(cache.set(key("a"), 1, { ttl }))).toBe("InvalidOption")
        expect(yield* reasonOf(cache.set(key("a"), 1, { stale: ttl }))).toBe("InvalidOption")
        expect(yield* reasonOf(cache.setMany([[key("a"), 1]], { ttl }))).toBe("InvalidOption")
        expect(yield* reasonOf(cache.add(key("new"), 1, { ttl }))).toBe("InvalidOption")
        expect(yield* reasonOf(cache.touch(key("a"), ttl))).toBe("InvalidOption")
        expect(yield* reasonOf(cache.getOrSet(key("new"), Effect.succeed(1), { ttl }))).toBe("InvalidOption")
      }
      expect(yield* cache.get(key("a"))).toStrictEqual(Option.some("before"))
      expect(yield* cache.has(key("new"))).toBe(false)
    })
  )
}
