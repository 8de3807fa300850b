/**
 * `get` and `set`: a value comes back equal, or is refused.
 */
import { expect } from "@effect/vitest"
import { Effect, Either, Option } from "effect"
import { ground, type It } from "./ground.js"

const everyByte = Uint8Array.from({ length: 256 }, (_, index) => index)

const values: ReadonlyArray<readonly [string, unknown]> = [
  ["null", null],
  ["undefined", undefined],
  ["zero", 0],
  ["minus zero", -0],
  ["NaN", Number.NaN],
  ["infinity", Number.NEGATIVE_INFINITY],
  ["a float", 0.1 + 0.2],
  ["the largest safe integer", Number.MAX_SAFE_INTEGER],
  ["the smallest number", Number.MIN_VALUE],
  ["false", false],
  ["true", true],
  ["an empty string", ""],
  ["a string like a number", "42"],
  ["a string like JSON", '{"a":1}'],
  ["a bigint", 2n ** 80n],
  ["NUL characters", "a\0b\0"],
  ["all ASCII control characters", String.fromCharCode(...Array.from({ length: 32 }, (_, code) => code), 127)],
  ["four-byte characters", "𝒞afé 🏳️‍🌈 👩‍👩‍👧‍👦"],
  ["combining characters", "e\u0301 \u1100\u1161\u11a8"],
  ["the same, composed", "é 각"],
  ["right-to-left text", "مرحبا \u202eabc"],
  ["every byte", everyByte],
  ["no bytes", new Uint8Array(0)],
  ["NUL bytes", new Uint8Array(16)],
  ["a typed array", Float64Array.of(0, -1.5, Number.POSITIVE_INFINITY)],
  ["a date", new Date("2024-02-29T12:34:56.789Z")],
  [
    "a map",
    new Map<unknown, unknown>([
      ["a", 1],
      [2, { b: [3] }]
    ])
  ],
  ["a set", new Set(["a", 1, null])],
  ["an empty array", []],
  ["an empty object", {}],
  ["a nested structure", { list: [1, [2, [3, { deep: { deeper: null } }]]], none: undefined, "key with ä": "ö" }],
  ["property names of note", JSON.parse('{"constructor":1,"toString":2,"":3,"$type":"Date","_tag":"Some"}')]
]

const large = 300_000

export const valueTests = (it: It): void => {
  for (const [name, value] of values) {
    it.effect(`brings back ${name}`, () =>
      Effect.gen(function* () {
        const { cache, key } = yield* ground
        yield* cache.set(key("value"), value)
        expect(yield* cache.get(key("value"))).toStrictEqual(Option.some(value))
        expect(yield* cache.has(key("value"))).toBe(true)
      })
    )
  }

  it.effect("brings back a long text", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      const text = "0123456789".repeat(large / 10)
      yield* cache.set(key("text"), text)
      expect(Option.getOrNull(yield* cache.get(key("text"))) === text).toBe(true)
    })
  )

  it.effect("brings back many bytes that no compression shortens", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      let state = 1
      const bytes = Uint8Array.from({ length: large }, () => {
        state = (state * 1_103_515_245 + 12_345) % 2 ** 31
        return state >> 16
      })
      yield* cache.set(key("bytes"), bytes)
      const found = Option.getOrThrow(yield* cache.get(key("bytes")))
      expect(found).toBeInstanceOf(Uint8Array)
      expect(Buffer.compare(Buffer.from(found as Uint8Array), Buffer.from(bytes))).toBe(0)
    })
  )

  it.effect("finds nothing under a key that was never set", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      expect(yield* cache.get(key("missing"))).toStrictEqual(Option.none())
      expect(yield* cache.has(key("missing"))).toBe(false)
    })
  )

  it.effect("replaces a value by one of another type", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      for (const value of [1, "text", null, { a: 1 }, [1], undefined]) {
        yield* cache.set(key("value"), value)
        expect(yield* cache.get(key("value"))).toStrictEqual(Option.some(value))
      }
    })
  )

  for (const [name, value] of [
    ["a function", () => 1],
    ["a symbol", Symbol("value")],
    ["a function deep inside", { list: [{ f: () => 1 }] }],
    ["an instance of a class", new (class Point {})()]
  ] as const) {
    it.effect(`brings back ${name} as it is or refuses it with Encode`, () =>
      Effect.gen(function* () {
        const { cache, key } = yield* ground
        yield* cache.set(key("value"), "before")
        const result = yield* Effect.either(cache.set(key("value"), value))
        if (Either.isLeft(result)) {
          expect(result.left).toMatchObject({ _tag: "CacheError", reason: "Encode", operation: "set" })
          expect(yield* cache.get(key("value"))).toStrictEqual(Option.some("before"))
        } else {
          expect(Option.getOrNull(yield* cache.get(key("value")))).toBe(value)
        }
      })
    )
  }
}
