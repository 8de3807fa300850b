/**
 * Groups: one write invalidates all entries of a group, and only those.
 */
import { expect } from "@effect/vitest"
import { Duration, Effect, Option } from "effect"
import { ground, type It, later, reasonOf } from "./ground.js"

export const groupTests = (it: It): void => {
  it.effect("invalidates all entries of the group and no other", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      const inside = Array.from({ length: 20 }, (_, index) => key(`inside ${index}`))
      yield* cache.setMany(
        inside.map((name) => [name, 1] as const),
        { groups: [key("group")] }
      )
      yield* cache.set(key("other group"), 2, { groups: [key("other")] })
      yield* cache.set(key("no group"), 3)
      yield* cache.invalidateGroup(key("group"))
      expect(yield* cache.getMany([...inside, key("other group"), key("no group")])).toStrictEqual(
        new Map([
          [key("other group"), 2],
          [key("no group"), 3]
        ])
      )
    })
  )

  it.effect("counts an invalidated entry as absent in every operation", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      const dead = (name: string) => cache.set(key(name), 1, { groups: [key("group")] })
      for (const name of ["get", "touch", "increment", "delete", "deleteMany", "add", "getOrSet"]) yield* dead(name)
      yield* cache.invalidateGroup(key("group"))
      expect(yield* cache.get(key("get"))).toStrictEqual(Option.none())
      expect(yield* cache.has(key("get"))).toBe(false)
      expect(yield* cache.touch(key("touch"))).toBe(false)
      expect(yield* Effect.flip(cache.increment(key("increment")))).toMatchObject({ _tag: "NoCachedValue" })
      expect(yield* cache.delete(key("delete"))).toBe(false)
      expect(yield* cache.deleteMany([key("deleteMany")])).toBe(0)
      expect(yield* cache.add(key("add"), 2)).toBe(true)
      expect(yield* cache.getOrSet(key("getOrSet"), Effect.succeed(2), { groups: [key("group")] })).toBe(2)
    })
  )

  it.effect("invalidates an entry of several groups by any of them", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      const groups = ["a", "b", "c"].map(key)
      for (const group of groups) {
        yield* cache.set(key("entry"), 1, { groups: [...groups, key("a")] })
        expect(yield* cache.has(key("entry"))).toBe(true)
        yield* cache.invalidateGroup(group)
        expect(yield* cache.has(key("entry"))).toBe(false)
      }
    })
  )

  it.effect("serves what is set after an invalidation, again and again", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      for (let round = 0; round < 5; round++) {
        yield* cache.set(key("a"), round, { groups: [key("group")] })
        expect(yield* cache.get(key("a"))).toStrictEqual(Option.some(round))
        yield* cache.invalidateGroup(key("group"))
        expect(yield* cache.get(key("a"))).toStrictEqual(Option.none())
      }
    })
  )

  it.effect("takes the name of a group that nobody uses", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      yield* cache.set(key("a"), 1)
      yield* cache.invalidateGroup(key("unknown"))
      expect(yield* cache.has(key("a"))).toBe(true)
    })
  )

  it.effect("takes an entry out of its group when it is set without one", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      yield* cache.set(key("a"), 1, { groups: [key("group")] })
      yield* cache.set(key("a"), 2)
      yield* cache.invalidateGroup(key("group"))
      expect(yield* cache.get(key("a"))).toStrictEqual(Option.some(2))
    })
  )

  it.effect("does not forget a group, however long nobody uses it", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      yield* cache.set(key("a"), 1, { groups: [key("group")], ttl: Duration.infinity })
      const year = Duration.days(365)
      expect(yield* later(year, cache.get(key("a")))).toStrictEqual(Option.some(1))
      yield* later(year, cache.invalidateGroup(key("group")))
      expect(yield* later(year, cache.has(key("a")))).toBe(false)
    })
  )

  it.effect("separates groups from keys, and hostile names from each other", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      const own = key("")
      const names = ["", " ", "\n", "%", "%group:", ":", "../", "'", "é", "e\u0301", "🔑", "x".repeat(500)]
      const groups = names.map((name) => `${name}${own}${name}`)
      for (const group of groups) yield* cache.set(group, group, { groups: [group] })
      for (const [index, group] of groups.entries()) {
        yield* cache.invalidateGroup(group)
        expect(yield* cache.getMany(groups)).toStrictEqual(new Map(groups.slice(index + 1).map((rest) => [rest, rest])))
      }
      yield* cache.set(own, "the key of a group's name")
      yield* cache.invalidateGroup(own)
      expect(yield* cache.has(own)).toBe(true)
    })
  )

  it.effect("refuses an empty name with InvalidKey", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      expect(yield* reasonOf(cache.invalidateGroup(""))).toBe("InvalidKey")
      expect(yield* reasonOf(cache.set(key("a"), 1, { groups: [""] }))).toBe("InvalidKey")
      expect(yield* reasonOf(cache.getOrSet(key("a"), Effect.succeed(1), { groups: [""] }))).toBe("InvalidKey")
      expect(yield* cache.has(key("a"))).toBe(false)
    })
  )
}
