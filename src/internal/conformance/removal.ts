/**
 * `delete` and `clear`: what is removed stays removed, and nothing else is removed.
 */
import { expect } from "@effect/vitest"
import { Deferred, Effect, Fiber, Option, TestClock } from "effect"
import { crowd, ground, type It, live, together } from "./ground.js"

export const deleteTests = (it: It): void => {
  it.effect("removes a value and says whether there was one", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      yield* cache.set(key("a"), 1)
      yield* cache.set(key("b"), 2)
      expect(yield* cache.delete(key("a"))).toBe(true)
      expect(yield* cache.get(key("a"))).toStrictEqual(Option.none())
      expect(yield* cache.delete(key("a"))).toBe(false)
      expect(yield* cache.delete(key("missing"))).toBe(false)
      expect(yield* cache.get(key("b"))).toStrictEqual(Option.some(2))
    })
  )

  it.effect("counts null, false and 0 as values, and an expired value as none", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      for (const value of [null, undefined, 0, "", false]) {
        yield* cache.set(key("a"), value)
        expect(yield* cache.delete(key("a"))).toBe(true)
      }
      yield* cache.set(key("a"), 1, { ttl: "10 seconds" })
      yield* TestClock.adjust("10 seconds")
      expect(yield* cache.delete(key("a"))).toBe(false)
    })
  )

  it.effect("lets a value be set again at once", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      for (let round = 0; round < 5; round++) {
        yield* cache.set(key("a"), round)
        yield* cache.delete(key("a"))
        yield* cache.set(key("a"), `again ${round}`)
        expect(yield* cache.get(key("a"))).toStrictEqual(Option.some(`again ${round}`))
      }
    })
  )

  it.effect(`leaves nothing after ${crowd} callers at once`, () =>
    live(
      Effect.gen(function* () {
        const { cache, key } = yield* ground
        yield* cache.set(key("a"), 1)
        expect(yield* together(() => cache.delete(key("a")))).toContain(true)
        expect(yield* cache.has(key("a"))).toBe(false)
      })
    )
  )
}

export const clearTests = (it: It): void => {
  it.effect("removes everything, in all versions, and lets it be set again at once", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      const names = Array.from({ length: 20 }, (_, index) => key(`${index}`))
      yield* cache.setMany(names.map((name) => [name, 1] as const))
      yield* cache.set(key("grouped"), 1, { groups: [key("group")] })
      yield* cache.set(key("other version"), 1, { version: key("version") })
      yield* cache.clear
      expect(yield* cache.getMany([...names, key("grouped")])).toStrictEqual(new Map())
      expect(yield* cache.has(key("other version"), { version: key("version") })).toBe(false)
      expect(yield* cache.add(key("0"), 2)).toBe(true)
      yield* cache.set(key("1"), 3)
      yield* cache.set(key("grouped"), 4, { groups: [key("group")] })
      expect(yield* cache.get(key("0"))).toStrictEqual(Option.some(2))
      expect(yield* cache.get(key("1"))).toStrictEqual(Option.some(3))
      expect(yield* cache.get(key("grouped"))).toStrictEqual(Option.some(4))
      yield* cache.invalidateGroup(key("group"))
      expect(yield* cache.has(key("grouped"))).toBe(false)
    })
  )

  it.effect("does nothing to an empty cache", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      yield* cache.clear
      yield* cache.clear
      expect(yield* cache.has(key("a"))).toBe(false)
    })
  )

  it.effect("voids what is being computed", () =>
    live(
      Effect.gen(function* () {
        const { cache, key } = yield* ground
        const begun = yield* Deferred.make<void>()
        const cleared = yield* Deferred.make<void>()
        const caller = yield* Effect.fork(
          cache.getOrSet(
            key("a"),
            Effect.as(Effect.zipRight(Deferred.succeed(begun, undefined), Deferred.await(cleared)), "old")
          )
        )
        yield* Deferred.await(begun)
        yield* cache.clear
        yield* Deferred.succeed(cleared, undefined)
        expect(yield* Fiber.join(caller)).toBe("old")
        expect(yield* cache.has(key("a"))).toBe(false)
      })
    )
  )
}
