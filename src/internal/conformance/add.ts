/**
 * `add`: stores only if there is no fresh value, for one caller of many.
 */
import { expect } from "@effect/vitest"
import { Effect, Option, TestClock } from "effect"
import { crowd, ground, type It, live, together } from "./ground.js"

export const addTests = (it: It): void => {
  it.effect("stores under a missing key and not over a value", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      expect(yield* cache.add(key("a"), 1)).toBe(true)
      expect(yield* cache.add(key("a"), 2)).toBe(false)
      expect(yield* cache.get(key("a"))).toStrictEqual(Option.some(1))
    })
  )

  it.effect("does not take undefined, null or false for a missing value", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      for (const [index, value] of [null, undefined, 0, "", false, Number.NaN].entries()) {
        yield* cache.set(key(`${index}`), value)
        expect(yield* cache.add(key(`${index}`), "other")).toBe(false)
        expect(yield* cache.get(key(`${index}`))).toStrictEqual(Option.some(value))
      }
    })
  )

  it.effect("stores over an expired, a stale and a deleted value", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      yield* cache.set(key("expired"), 1, { ttl: "10 seconds" })
      yield* cache.set(key("stale"), 1, { ttl: "10 seconds", stale: "10 minutes" })
      yield* cache.set(key("deleted"), 1)
      yield* cache.delete(key("deleted"))
      yield* TestClock.adjust("20 seconds")
      for (const name of ["expired", "stale", "deleted"]) {
        expect(yield* cache.add(key(name), 2)).toBe(true)
        expect(yield* cache.get(key(name))).toStrictEqual(Option.some(2))
        expect(yield* cache.add(key(name), 3)).toBe(false)
      }
    })
  )

  it.effect("does not change the ttl of what is there", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      yield* cache.set(key("a"), 1, { ttl: "10 seconds" })
      expect(yield* cache.add(key("a"), 2, { ttl: "1 hour" })).toBe(false)
      yield* TestClock.adjust("20 seconds")
      expect(yield* cache.has(key("a"))).toBe(false)
    })
  )

  it.effect("gives its value the ttl and the groups", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      yield* cache.add(key("a"), 1, { ttl: "10 seconds" })
      yield* cache.add(key("b"), 1, { groups: [key("group")] })
      yield* TestClock.adjust("20 seconds")
      expect(yield* cache.has(key("a"))).toBe(false)
      expect(yield* cache.has(key("b"))).toBe(true)
      yield* cache.invalidateGroup(key("group"))
      expect(yield* cache.has(key("b"))).toBe(false)
    })
  )

  for (const [name, before] of [
    ["a missing key", undefined],
    ["a deleted one", "delete"],
    ["one whose group was invalidated", "group"]
  ] as const) {
    it.effect(`lets one of ${crowd} callers win ${name}`, () =>
      live(
        Effect.gen(function* () {
          const { cache, key } = yield* ground
          if (before !== undefined) yield* cache.set(key("a"), "old", { groups: [key("group")] })
          if (before === "delete") yield* cache.delete(key("a"))
          if (before === "group") yield* cache.invalidateGroup(key("group"))
          const won = yield* together((index) => cache.add(key("a"), index))
          expect(won.filter(Boolean)).toHaveLength(1)
          expect(yield* cache.get(key("a"))).toStrictEqual(Option.some(won.indexOf(true)))
        })
      )
    )
  }

  it.effect(`lets one of ${crowd} callers win an expired key`, () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      yield* cache.set(key("a"), "old", { ttl: "10 seconds", stale: "1 minute" })
      yield* TestClock.adjust("20 seconds")
      const won = yield* together((index) => cache.add(key("a"), index))
      expect(won.filter(Boolean)).toHaveLength(1)
      expect(yield* cache.get(key("a"))).toStrictEqual(Option.some(won.indexOf(true)))
    })
  )
}
