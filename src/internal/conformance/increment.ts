/**
 * `increment`: exact among many callers, and nothing changes but the number.
 */
import { expect } from "@effect/vitest"
import { Effect, Option, TestClock } from "effect"
import { crowd, ground, type It, live, together } from "./ground.js"

export const incrementTests = (it: It): void => {
  it.effect("adds one, or the given number, and returns the sum", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      yield* cache.set(key("a"), 41)
      expect(yield* cache.increment(key("a"))).toBe(42)
      expect(yield* cache.increment(key("a"), 8)).toBe(50)
      expect(yield* cache.increment(key("a"), -60)).toBe(-10)
      expect(yield* cache.increment(key("a"), 0)).toBe(-10)
      expect(yield* cache.increment(key("a"), 0.5)).toBe(-9.5)
      expect(yield* cache.get(key("a"))).toStrictEqual(Option.some(-9.5))
    })
  )

  it.effect("counts on from zero", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      yield* cache.set(key("a"), 0)
      expect(yield* cache.increment(key("a"), -1)).toBe(-1)
      expect(yield* cache.increment(key("a"))).toBe(0)
    })
  )

  it.effect("keeps the ttl", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      yield* cache.set(key("a"), 1, { ttl: "10 seconds" })
      yield* cache.set(key("b"), 1, { ttl: "1 hour" })
      yield* TestClock.adjust("9 seconds")
      yield* cache.increment(key("a"))
      yield* cache.increment(key("b"))
      yield* TestClock.adjust("5 minutes")
      expect(yield* cache.has(key("a"))).toBe(false)
      expect(yield* cache.get(key("b"))).toStrictEqual(Option.some(2))
    })
  )

  it.effect("keeps the groups", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      yield* cache.set(key("a"), 1, { groups: [key("group")] })
      expect(yield* cache.increment(key("a"))).toBe(2)
      yield* cache.invalidateGroup(key("group"))
      expect(yield* cache.has(key("a"))).toBe(false)
      expect(yield* Effect.flip(cache.increment(key("a")))).toMatchObject({ _tag: "NoCachedValue" })
    })
  )

  it.effect("fails with NoCachedValue on a missing, expired or deleted value, and stores nothing", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      yield* cache.set(key("expired"), 1, { ttl: "10 seconds" })
      yield* cache.set(key("deleted"), 1)
      yield* cache.delete(key("deleted"))
      yield* TestClock.adjust("20 seconds")
      for (const name of ["missing", "expired", "deleted"]) {
        expect(yield* Effect.flip(cache.increment(key(name)))).toMatchObject({ _tag: "NoCachedValue", key: key(name) })
        expect(yield* cache.has(key(name))).toBe(false)
      }
    })
  )

  for (const value of ["1", null, undefined, 1n, true, [1], { value: 1 }, "", Number.NaN]) {
    it.effect(
      `fails with NotNumeric on ${typeof value} ${JSON.stringify(value, (_, x) => (typeof x === "bigint" ? `${x}n` : x))}`,
      () =>
        Effect.gen(function* () {
          const { cache, key } = yield* ground
          yield* cache.set(key("a"), value)
          expect(yield* Effect.flip(cache.increment(key("a")))).toMatchObject({
            _tag: "CacheError",
            reason: "NotNumeric",
            operation: "increment",
            key: key("a")
          })
          expect(yield* cache.get(key("a"))).toStrictEqual(Option.some(value))
        })
    )
  }

  it.effect("refuses to add what is no number with InvalidOption", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      yield* cache.set(key("a"), 1)
      for (const by of [Number.NaN, Number.POSITIVE_INFINITY]) {
        expect(yield* Effect.flip(cache.increment(key("a"), by))).toMatchObject({ reason: "InvalidOption" })
      }
      expect(yield* cache.get(key("a"))).toStrictEqual(Option.some(1))
    })
  )

  for (const [value, by] of [
    [Number.MAX_SAFE_INTEGER, 1],
    [Number.MAX_SAFE_INTEGER - 5, 6],
    [-Number.MAX_SAFE_INTEGER, -1],
    [0, 2 ** 53],
    [2 ** 60, 1],
    [1e300, 1e300],
    [Number.MAX_VALUE, Number.MAX_VALUE],
    [2 ** 52, 1e-3]
  ] as const) {
    it.effect(`refuses ${value} + ${by}, which is beyond 2^53 − 1 or makes no difference, and keeps the number`, () =>
      Effect.gen(function* () {
        const { cache, key } = yield* ground
        yield* cache.set(key("a"), value)
        expect(yield* Effect.flip(cache.increment(key("a"), by))).toMatchObject({
          _tag: "CacheError",
          reason: "InvalidOption",
          operation: "increment",
          key: key("a")
        })
        expect(yield* cache.get(key("a"))).toStrictEqual(Option.some(value))
      })
    )
  }

  it.effect("counts up to 2^53 − 1 and back", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      yield* cache.set(key("a"), Number.MAX_SAFE_INTEGER - 1)
      expect(yield* cache.increment(key("a"))).toBe(Number.MAX_SAFE_INTEGER)
      expect(yield* cache.increment(key("a"), -Number.MAX_SAFE_INTEGER)).toBe(0)
      expect(yield* cache.increment(key("a"), -Number.MAX_SAFE_INTEGER)).toBe(-Number.MAX_SAFE_INTEGER)
      yield* cache.set(key("a"), 2 ** 53 + 2)
      expect(yield* cache.increment(key("a"), -10)).toBe(2 ** 53 - 8)
    })
  )

  it.effect(`counts ${crowd} callers at once exactly`, () =>
    live(
      Effect.gen(function* () {
        const { cache, key } = yield* ground
        yield* cache.set(key("a"), 0)
        const sums = yield* together(() => cache.increment(key("a")))
        expect(sums.sort((left, right) => left - right)).toStrictEqual(
          Array.from({ length: crowd }, (_, index) => index + 1)
        )
        expect(yield* cache.get(key("a"))).toStrictEqual(Option.some(crowd))
      })
    )
  )
}
