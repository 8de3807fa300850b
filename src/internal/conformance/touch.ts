/**
 * `touch`: a new time to live for fresh values only.
 */
import { expect } from "@effect/vitest"
import { Duration, Effect, Option, TestClock } from "effect"
import { ground, type It, later } from "./ground.js"

export const touchTests = (it: It): void => {
  it.effect("gives a new ttl from now, longer or shorter", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      yield* cache.set(key("longer"), 1, { ttl: "10 seconds" })
      yield* cache.set(key("shorter"), 2, { ttl: "1 hour" })
      yield* TestClock.adjust("9 seconds")
      expect(yield* cache.touch(key("longer"), "10 seconds")).toBe(true)
      expect(yield* cache.touch(key("shorter"), "10 seconds")).toBe(true)
      yield* TestClock.adjust(9_999)
      expect(yield* cache.get(key("longer"))).toStrictEqual(Option.some(1))
      expect(yield* cache.get(key("shorter"))).toStrictEqual(Option.some(2))
      yield* TestClock.adjust(1)
      expect(yield* cache.has(key("longer"))).toBe(false)
      expect(yield* cache.has(key("shorter"))).toBe(false)
    })
  )

  it.effect("changes the times of a large value and nothing else, its groups included", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      const value = Array.from({ length: 4_000 }, (_, index) => ({ index, text: `${index} ü` }))
      yield* cache.set(key("a"), value, { ttl: "10 seconds", groups: [key("g"), key("h")] })
      for (const ttl of ["1 hour", "1 minute", "1 day"] as const) {
        expect(yield* cache.touch(key("a"), ttl)).toBe(true)
        expect(yield* cache.get(key("a"))).toStrictEqual(Option.some(value))
      }
      yield* cache.invalidateGroup(key("h"))
      expect(yield* cache.get(key("a"))).toStrictEqual(Option.none())
    })
  )

  it.effect("gives the layer's default ttl when there is no other", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      yield* cache.set(key("a"), 1, { ttl: "10 seconds" })
      expect(yield* cache.touch(key("a"))).toBe(true)
      yield* TestClock.adjust(299_999)
      expect(yield* cache.has(key("a"))).toBe(true)
      yield* TestClock.adjust(1)
      expect(yield* cache.has(key("a"))).toBe(false)
    })
  )

  it.effect("makes a value last for ever, for a year, and for a short time again", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      yield* cache.set(key("a"), 1, { ttl: "10 seconds" })
      expect(yield* cache.touch(key("a"), Duration.infinity)).toBe(true)
      expect(yield* later(Duration.days(365_000), cache.has(key("a")))).toBe(true)
      expect(yield* cache.touch(key("a"), "365 days")).toBe(true)
      expect(yield* later("364 days", cache.has(key("a")))).toBe(true)
      expect(yield* cache.touch(key("a"), "10 seconds")).toBe(true)
      yield* TestClock.adjust("10 seconds")
      expect(yield* cache.has(key("a"))).toBe(false)
    })
  )

  for (const [name, ttl] of [
    ["zero", 0],
    ["less than zero", -1]
  ] as const) {
    it.effect(`expires a value by ${name}`, () =>
      Effect.gen(function* () {
        const { cache, key } = yield* ground
        yield* cache.set(key("a"), 1, { stale: "1 hour" })
        expect(yield* cache.touch(key("a"), ttl)).toBe(true)
        expect(yield* cache.has(key("a"))).toBe(false)
        expect(yield* cache.touch(key("a"), "1 hour")).toBe(false)
        expect(yield* cache.add(key("a"), 2)).toBe(true)
      })
    )
  }

  it.effect("does nothing to a missing, deleted, expired or stale value", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      yield* cache.set(key("deleted"), 1)
      yield* cache.delete(key("deleted"))
      yield* cache.set(key("expired"), 1, { ttl: "10 seconds" })
      yield* cache.set(key("stale"), 1, { ttl: "10 seconds", stale: "10 minutes" })
      yield* TestClock.adjust("10 seconds")
      for (const name of ["missing", "deleted", "expired", "stale"]) {
        expect(yield* cache.touch(key(name), "1 hour")).toBe(false)
        expect(yield* cache.has(key(name))).toBe(false)
      }
    })
  )

  it.effect("keeps the value and its groups", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      yield* cache.set(key("a"), { deep: [null] }, { groups: [key("group")] })
      expect(yield* cache.touch(key("a"), "1 hour")).toBe(true)
      expect(yield* cache.get(key("a"))).toStrictEqual(Option.some({ deep: [null] }))
      yield* cache.invalidateGroup(key("group"))
      expect(yield* cache.has(key("a"))).toBe(false)
      expect(yield* cache.touch(key("a"), "1 hour")).toBe(false)
    })
  )
}
