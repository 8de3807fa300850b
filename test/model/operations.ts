/** The operations of a cache as data, drawn at random: few keys, groups and times, so that they meet. */
import type { Key } from "effect-cached"
import fc from "fast-check"

/** Milliseconds. All times are multiples of half a minute, and no run lasts that long: the servers' own clocks do not matter. */
const halfMinute = 30_000

export interface Times {
  readonly ttl: number | undefined
  readonly stale: number | undefined
  readonly groups: ReadonlyArray<string>
  readonly version: string | undefined
}

type Versioned = { readonly version: string | undefined }

export type Operation =
  | ({ readonly _tag: "get" | "has" | "delete"; readonly key: Key } & Versioned)
  | ({ readonly _tag: "getMany" | "deleteMany"; readonly keys: ReadonlyArray<Key> } & Versioned)
  | { readonly _tag: "set" | "add" | "getOrSet"; readonly key: Key; readonly value: unknown; readonly options: Times }
  | {
      readonly _tag: "setMany"
      readonly entries: ReadonlyArray<readonly [Key, unknown]>
      readonly options: Times
    }
  | ({ readonly _tag: "touch"; readonly key: Key; readonly ttl: number | undefined } & Versioned)
  | ({ readonly _tag: "increment"; readonly key: Key; readonly by: number } & Versioned)
  | ({ readonly _tag: "invalidateGroup"; readonly name: string } & Versioned)
  | { readonly _tag: "clear" }
  | { readonly _tag: "advance"; readonly millis: number }

export const allKeys: ReadonlyArray<Key> = ["a", "b", "a b", ["a", 1], ["ä".repeat(200)]]
export const allVersions: ReadonlyArray<string | undefined> = [undefined, "other"]
const groupNames = ["red", "blue", "great big group"]

const key = fc.constantFrom(...allKeys)
const version = fc.oneof(
  { weight: 6, arbitrary: fc.constant(undefined) },
  { weight: 1, arbitrary: fc.constant("other") }
)
const ttl = fc.constantFrom(
  undefined,
  halfMinute,
  2 * halfMinute,
  20 * halfMinute,
  Number.POSITIVE_INFINITY,
  0,
  -halfMinute
)
const value = fc.oneof(
  { weight: 3, arbitrary: fc.integer({ min: -5, max: 5 }) },
  fc.constantFrom("", "text", true, Number.POSITIVE_INFINITY, { deep: [1, { x: "ü" }] }, [], 7n)
)
const options = fc.record({
  ttl,
  stale: fc.constantFrom(undefined, halfMinute, 3 * halfMinute),
  groups: fc.uniqueArray(fc.constantFrom(...groupNames), { maxLength: 2 }),
  version
})

const tagged = <const Tag extends Operation["_tag"], A extends object>(tag: Tag, rest: fc.Arbitrary<A>) =>
  rest.map((fields) => ({ _tag: tag, ...fields }))

const keyed = fc.record({ key, version })
const manyKeys = fc.record({ keys: fc.array(key, { maxLength: 4 }), version })
const valued = fc.record({ key, value, options })

const operation: fc.Arbitrary<Operation> = fc.oneof(
  tagged("get", keyed),
  tagged("has", keyed),
  tagged("delete", keyed),
  tagged("getMany", manyKeys),
  tagged("deleteMany", manyKeys),
  { weight: 3, arbitrary: tagged("set", valued) },
  { weight: 2, arbitrary: tagged("add", valued) },
  { weight: 3, arbitrary: tagged("getOrSet", valued) },
  tagged("setMany", fc.record({ entries: fc.array(fc.tuple(key, value), { maxLength: 4 }), options })),
  tagged("touch", fc.record({ key, ttl, version })),
  { weight: 2, arbitrary: tagged("increment", fc.record({ key, by: fc.integer({ min: -3, max: 3 }), version })) },
  { weight: 2, arbitrary: tagged("invalidateGroup", fc.record({ name: fc.constantFrom(...groupNames), version })) },
  tagged("clear", fc.constant({})),
  {
    weight: 3,
    arbitrary: tagged("advance", fc.record({ millis: fc.constantFrom(halfMinute, 2 * halfMinute, 10 * halfMinute) }))
  }
)

export const operations = (most: number): fc.Arbitrary<ReadonlyArray<Operation>> =>
  fc.array(operation, { minLength: 1, maxLength: most, size: "max" })
