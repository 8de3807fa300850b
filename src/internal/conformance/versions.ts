/**
 * Key versions: the same key in another version is another entry, for every operation.
 */
import { expect } from "@effect/vitest"
import { Effect, Option } from "effect"
import { ground, type It } from "./ground.js"

export const versionTests = (it: It): void => {
  it.effect("keeps values of different versions apart", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      const [two, three] = [{ version: key("2") }, { version: key("3") }]
      yield* cache.set(key("a"), "own")
      yield* cache.set(key("a"), "two", two)
      expect(yield* cache.get(key("a"))).toStrictEqual(Option.some("own"))
      expect(yield* cache.get(key("a"), two)).toStrictEqual(Option.some("two"))
      expect(yield* cache.get(key("a"), three)).toStrictEqual(Option.none())
      expect(yield* cache.has(key("a"), two)).toBe(true)
      expect(yield* cache.has(key("a"), three)).toBe(false)
      expect(yield* cache.add(key("a"), "three", three)).toBe(true)
      expect(yield* cache.delete(key("a"), two)).toBe(true)
      expect(yield* cache.get(key("a"), two)).toStrictEqual(Option.none())
      expect(yield* cache.get(key("a"))).toStrictEqual(Option.some("own"))
      expect(yield* cache.get(key("a"), three)).toStrictEqual(Option.some("three"))
    })
  )

  it.effect("takes numbers as well as names, and the number for its digits", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      yield* cache.set(key("a"), "number", { version: 1_234_567 })
      expect(yield* cache.get(key("a"), { version: "1234567" })).toStrictEqual(Option.some("number"))
      expect(yield* cache.get(key("a"), { version: 1_234_568 })).toStrictEqual(Option.none())
    })
  )

  it.effect("does not mix up parts of the version with parts of the key", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      yield* cache.set(`b:${key("")}`, 1, { version: "a" })
      expect(yield* cache.has(key(""), { version: "a:b" })).toBe(false)
      expect(yield* cache.has(`a:b:${key("")}`, { version: "" })).toBe(false)
    })
  )

  it.effect("applies to many keys, touch, increment, getOrSet and groups", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      const two = { version: key("2") }
      const groups = [key("group")]
      yield* cache.setMany(
        [
          [key("a"), 1],
          [key("b"), 2]
        ],
        { ...two, groups }
      )
      expect(yield* cache.getMany([key("a"), key("b")])).toStrictEqual(new Map())
      expect((yield* cache.getMany([key("a"), key("b")], two)).size).toBe(2)
      expect(yield* cache.touch(key("a"), "1 minute")).toBe(false)
      expect(yield* cache.touch(key("a"), "1 minute", two)).toBe(true)
      expect(yield* Effect.flip(cache.increment(key("a")))).toMatchObject({ _tag: "NoCachedValue" })
      expect(yield* cache.increment(key("a"), 1, two)).toBe(2)
      expect(yield* cache.getOrSet(key("a"), Effect.succeed("own"), { groups })).toBe("own")
      expect(yield* cache.getOrSet<unknown, never, never>(key("a"), Effect.succeed("two"), { ...two, groups })).toBe(2)
      yield* cache.invalidateGroup(key("group"))
      expect(yield* cache.has(key("a"))).toBe(false)
      expect(yield* cache.has(key("a"), two)).toBe(true)
      yield* cache.invalidateGroup(key("group"), two)
      expect(yield* cache.has(key("a"), two)).toBe(false)
      yield* cache.set(key("a"), 1, two)
      expect(yield* cache.deleteMany([key("a")])).toBe(0)
      expect(yield* cache.deleteMany([key("a")], two)).toBe(1)
    })
  )
}
