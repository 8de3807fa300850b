/**
 * Any text and any plain value is a key, and different ones are different keys.
 */
import { expect } from "@effect/vitest"
import { Effect, Option } from "effect"
import { ground, type It, reasonOf } from "./ground.js"

const hostile = [
  " ",
  "  ",
  "a b",
  "ab",
  "a\tb",
  "a\nb",
  "a\r\nset other 0 0 1\r\nx",
  "\0",
  "\x1b[31m",
  "\x7f",
  "'",
  '"',
  "`",
  "\\",
  "%",
  "%20",
  "%25",
  "%~",
  "%group:",
  ":",
  "v1:default:",
  "../",
  "../../etc/passwd",
  "?*[a-z]{}",
  "'; DROP TABLE effect_cache; --",
  "$1",
  "__proto__",
  "constructor",
  "null",
  "undefined",
  "é",
  "e\u0301",
  "日本語",
  "🔑",
  "\u{10ffff}",
  "\u200b",
  "\u202e",
  "\ufeff",
  "[",
  "'[",
  '["a"]'
]

const long = [
  "x".repeat(249),
  "x".repeat(250),
  "x".repeat(251),
  "x".repeat(10_000),
  `${"x".repeat(10_000)}y`,
  "é".repeat(125),
  "é".repeat(126),
  "%".repeat(250),
  " ".repeat(250),
  "🔑".repeat(500),
  `${"🔑".repeat(499)}🗝`
]

const arrays = (own: string): ReadonlyArray<ReadonlyArray<unknown>> => [
  [own],
  [own, ""],
  [own, undefined],
  [own, null],
  [own, Number.NaN],
  [own, 0],
  [own, -0],
  [own, 1],
  [own, "1"],
  [own, 1n],
  [own, true],
  [own, "true"],
  [own, "a", "b"],
  [own, ["a", "b"]],
  [own, "a,b"],
  [own, { page: 2, size: 10 }],
  [own, { page: 2, size: 10, sort: undefined }],
  [own, new Date(0)],
  [own, new Date(0).toISOString()],
  [own, new Map([["a", 1]])],
  [own, { a: 1 }],
  [own, new Set(["a", 1])],
  [own, Uint8Array.of(1, 2)],
  [own, Array.from({ length: 300 }, (_, index) => index)]
]

export const keyTests = (it: It): void => {
  it.effect("keeps hostile keys apart, one by one", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      const own = key("")
      const keys = hostile.map((text) => `${text}${own}${text}`)
      for (const [index, name] of keys.entries()) expect(yield* cache.add(name, index), JSON.stringify(name)).toBe(true)
      for (const [index, name] of keys.entries()) {
        expect(yield* cache.get(name), JSON.stringify(name)).toStrictEqual(Option.some(index))
      }
      for (const name of keys) expect(yield* cache.delete(name), JSON.stringify(name)).toBe(true)
    })
  )

  it.effect("keeps hostile keys apart, all at once", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      const own = key("")
      const entries = hostile.map((text, index) => [`${text}${own}${text}`, index] as const)
      expect(yield* cache.setMany(entries)).toStrictEqual([])
      expect(yield* cache.getMany(entries.map(([name]) => name))).toStrictEqual(new Map(entries))
      expect(yield* cache.deleteMany(entries.map(([name]) => name))).toBe(entries.length)
    })
  )

  it.effect("keeps keys of any length apart", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      const entries = long.map((text, index) => [key(text), index] as const)
      expect(yield* cache.setMany(entries)).toStrictEqual([])
      expect(yield* cache.getMany(entries.map(([name]) => name))).toStrictEqual(new Map(entries))
      for (const [name, index] of entries) expect(yield* cache.get(name)).toStrictEqual(Option.some(index))
      expect(yield* cache.deleteMany(entries.map(([name]) => name))).toBe(entries.length)
    })
  )

  it.effect("separates array keys with different values, and takes equal ones for the same key", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      const own = key("")
      const entries = arrays(own).map((array, index) => [array, index] as const)
      expect(yield* cache.setMany(entries)).toStrictEqual([])
      const found = yield* cache.getMany(entries.map(([array]) => array))
      for (const [array, index] of entries) expect(found.get(array)).toBe(index)
      for (const [index, array] of arrays(own).entries()) {
        expect(yield* cache.get(array)).toStrictEqual(Option.some(index))
      }
      expect(yield* cache.get([own, { size: 10, page: 2 }])).toStrictEqual(
        yield* cache.get([own, { page: 2, size: 10 }])
      )
    })
  )

  it.effect("refuses what can't be printed with InvalidKey", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      for (const bad of ["", [], [() => 1], [Symbol("a")], [key("a"), { f: () => 1 }], [new (class Point {})()]]) {
        expect(yield* reasonOf(cache.get(bad))).toBe("InvalidKey")
        expect(yield* reasonOf(cache.set(bad, 1))).toBe("InvalidKey")
        expect(yield* reasonOf(cache.add(bad, 1))).toBe("InvalidKey")
        expect(yield* reasonOf(cache.has(bad))).toBe("InvalidKey")
        expect(yield* reasonOf(cache.touch(bad))).toBe("InvalidKey")
        expect(yield* reasonOf(cache.delete(bad))).toBe("InvalidKey")
        expect(yield* reasonOf(cache.getOrSet(bad, Effect.succeed(1)))).toBe("InvalidKey")
        const error = yield* Effect.flip(cache.increment(bad))
        expect(error).toMatchObject({ _tag: "CacheError", reason: "InvalidKey", operation: "increment" })
      }
    })
  )

  it.effect("does nothing for any of many keys when one of them is refused", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      yield* cache.set(key("there"), 1)
      expect(yield* reasonOf(cache.getMany([key("there"), ""]))).toBe("InvalidKey")
      expect(yield* reasonOf(cache.deleteMany([key("there"), ""]))).toBe("InvalidKey")
      expect(
        yield* reasonOf(
          cache.setMany([
            [key("new"), 1],
            ["", 2]
          ])
        )
      ).toBe("InvalidKey")
      expect(yield* cache.has(key("there"))).toBe(true)
      expect(yield* cache.has(key("new"))).toBe(false)
    })
  )
}
