/**
 * `getMany`, `setMany` and `deleteMany`: none, some, all, and the same twice.
 */
import { expect } from "@effect/vitest"
import { Effect, Option, TestClock } from "effect"
import { ground, type It } from "./ground.js"

const hundreds = 300

export const manyTests = (it: It): void => {
  it.effect("reads those that are there", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      yield* cache.set(key("a"), 1)
      yield* cache.set(key("b"), null)
      yield* cache.set(key("c"), undefined)
      yield* cache.set(key("expired"), 1, { ttl: "10 seconds" })
      yield* TestClock.adjust("20 seconds")
      expect(yield* cache.getMany([key("a"), key("missing"), key("b"), key("expired"), key("c")])).toStrictEqual(
        new Map<string, unknown>([
          [key("a"), 1],
          [key("b"), null],
          [key("c"), undefined]
        ])
      )
    })
  )

  it.effect("takes no keys at all", () =>
    Effect.gen(function* () {
      const { cache } = yield* ground
      expect(yield* cache.getMany([])).toStrictEqual(new Map())
      expect(yield* cache.setMany([])).toStrictEqual([])
      expect(yield* cache.deleteMany([])).toBe(0)
    })
  )

  it.effect("takes the same key twice: the last value wins, and it is deleted once", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      expect(
        yield* cache.setMany([
          [key("a"), 1],
          [key("b"), 2],
          [key("a"), 3]
        ])
      ).toStrictEqual([])
      expect(yield* cache.getMany([key("a"), key("b"), key("a")])).toStrictEqual(
        new Map([
          [key("a"), 3],
          [key("b"), 2]
        ])
      )
      expect(yield* cache.deleteMany([key("a"), key("b"), key("a")])).toBe(2)
      expect(yield* cache.getMany([key("a"), key("b")])).toStrictEqual(new Map())
    })
  )

  it.effect("takes any iterable", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      const entries = new Map([
        [key("a"), 1],
        [key("b"), 2]
      ])
      expect(yield* cache.setMany(entries)).toStrictEqual([])
      expect(yield* cache.getMany(entries.keys())).toStrictEqual(entries)
      expect(yield* cache.deleteMany(new Set(entries.keys()))).toBe(2)
    })
  )

  it.effect("answers by the very keys that were asked", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      yield* cache.set([key("a"), 1], "one")
      const first = [key("a"), 1]
      const second = [key("a"), 1]
      const found = yield* cache.getMany([first, second])
      expect([...found]).toStrictEqual([
        [first, "one"],
        [second, "one"]
      ])
      expect(found.get(first)).toBe("one")
      expect(found.get(second)).toBe("one")
    })
  )

  it.effect("stores all with the ttl and the groups", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      const names = ["a", "b"].map(key)
      yield* cache.setMany(
        names.map((name) => [name, 1] as const),
        { ttl: "10 seconds" }
      )
      yield* TestClock.adjust("20 seconds")
      expect(yield* cache.getMany(names)).toStrictEqual(new Map())
      yield* cache.setMany(
        names.map((name) => [name, 1] as const),
        { groups: [key("group")] }
      )
      expect((yield* cache.getMany(names)).size).toBe(2)
      yield* cache.invalidateGroup(key("group"))
      expect(yield* cache.getMany(names)).toStrictEqual(new Map())
    })
  )

  it.effect("stores what it can and names what it could not", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      const value = () => 1
      const rejected = yield* cache.setMany([
        [key("a"), 1],
        [key("bad"), value],
        [key("b"), 2]
      ])
      expect(yield* cache.get(key("a"))).toStrictEqual(Option.some(1))
      expect(yield* cache.get(key("b"))).toStrictEqual(Option.some(2))
      // A store of references keeps anything.
      if (rejected.length === 0) expect(Option.getOrNull(yield* cache.get(key("bad")))).toBe(value)
      else {
        expect(rejected).toStrictEqual([key("bad")])
        expect(yield* cache.has(key("bad"))).toBe(false)
      }
    })
  )

  it.effect("takes the last value of a key, also if one of two can't be stored", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      const value = () => 1
      expect(
        yield* cache.setMany([
          [key("good last"), value],
          [key("good last"), "good"]
        ])
      ).toStrictEqual([])
      expect(yield* cache.get(key("good last"))).toStrictEqual(Option.some("good"))
      const rejected = yield* cache.setMany([
        [key("bad last"), "good"],
        [key("bad last"), value]
      ])
      const found = yield* cache.get(key("bad last"))
      // A store of references keeps anything.
      expect(Option.getOrUndefined(found)).toBe(rejected.length === 0 ? value : undefined)
    })
  )

  it.effect("says how many fresh values it deleted", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      yield* cache.set(key("a"), 1)
      yield* cache.set(key("expired"), 1, { ttl: "10 seconds" })
      yield* cache.set(key("kept"), 1)
      yield* TestClock.adjust("20 seconds")
      expect(yield* cache.deleteMany([key("a"), key("missing"), key("expired")])).toBe(1)
      expect(yield* cache.deleteMany([key("a"), key("missing"), key("expired")])).toBe(0)
      expect(yield* cache.has(key("kept"))).toBe(true)
    })
  )

  it.effect(`takes ${hundreds} keys, with values of many sizes`, () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      const entries = Array.from(
        { length: hundreds },
        (_, index) => [key(`${index}`), `${index}`.repeat((index * 37) % 1_000)] as const
      )
      expect(yield* cache.setMany(entries)).toStrictEqual([])
      const missing = Array.from({ length: hundreds }, (_, index) => key(`missing ${index}`))
      expect(yield* cache.getMany([...entries.map(([name]) => name), ...missing])).toStrictEqual(new Map(entries))
      expect(yield* cache.deleteMany([...missing, ...entries.map(([name]) => name)])).toBe(hundreds)
      expect(yield* cache.getMany(entries.map(([name]) => name))).toStrictEqual(new Map())
    })
  )
}
