/** `get`, `getMany`, `set`, `setMany`, `add` and `getOrSet` with a schema. */
import { expect } from "@effect/vitest"
import { Effect, Either, Option, Schema, TestClock } from "effect"
import { add, get, getMany, getOrSet, set, setMany } from "effect-cached"
import { ground, type It } from "./ground.js"

class City extends Schema.Class<City>("City")({ name: Schema.String, founded: Schema.Date }) {}

const lisbon = new City({ name: "Lisbon", founded: new Date(0) })
const porto = new City({ name: "Porto", founded: new Date(1) })
const schema = City

export const schemaTests = (it: It): void => {
  it.effect("what set stores, get and getMany give back, as instances", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      yield* set(key("lisbon"), lisbon, { schema, ttl: "1 minute", groups: [key("g")] })
      const rejected = yield* setMany([[key("porto"), porto]], { schema, ttl: "1 minute" })
      expect(rejected).toStrictEqual([])
      const found = yield* get(key("lisbon"), { schema })
      expect(found).toStrictEqual(Option.some(lisbon))
      expect(Option.getOrThrow(found)).toBeInstanceOf(City)
      const many = yield* getMany([key("lisbon"), key("porto"), key("faro")], { schema })
      expect([...many]).toStrictEqual([
        [key("lisbon"), lisbon],
        [key("porto"), porto]
      ])
      yield* cache.invalidateGroup(key("g"))
      expect(yield* get(key("lisbon"), { schema })).toStrictEqual(Option.none())
      yield* TestClock.adjust("1 minute")
      expect(yield* get(key("porto"), { schema })).toStrictEqual(Option.none())
    })
  )

  it.effect("what the schema refuses is absent, and counted", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      yield* set(key("k"), { name: "Lisbon" })
      const before = yield* cache.stats
      expect(yield* get(key("k"), { schema })).toStrictEqual(Option.none())
      expect((yield* getMany([key("k")], { schema })).size).toBe(0)
      const after = yield* cache.stats
      expect([after.undecodable - before.undecodable, after.misses - before.misses]).toStrictEqual([2, 2])
      expect(yield* get(key("k"))).toStrictEqual(Option.some({ name: "Lisbon" }))
      expect(yield* add(key("k"), lisbon, { schema })).toBe(true)
      expect(yield* add(key("k"), porto, { schema })).toBe(false)
      expect(yield* get(key("k"), { schema })).toStrictEqual(Option.some(lisbon))
    })
  )

  it.effect("a value of another type is not stored", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      // A caller in JavaScript may pass anything.
      const wrong = { name: 1 } as unknown as City
      yield* set(key("k"), lisbon, { schema })
      expect(yield* Effect.flip(set(key("k"), wrong, { schema }))).toMatchObject({ reason: "Encode", operation: "set" })
      expect(yield* Effect.flip(add(key("none"), wrong, { schema }))).toMatchObject({ reason: "Encode" })
      expect(yield* get(key("k"), { schema })).toStrictEqual(Option.some(lisbon))
      const many = [
        [key("a"), lisbon],
        [key("b"), wrong]
      ] as const
      const before = (yield* cache.stats).refused
      expect(yield* setMany(many, { schema })).toStrictEqual([key("b")])
      expect((yield* cache.stats).refused - before).toBe(1)
      expect(yield* get(key("a"), { schema })).toStrictEqual(Option.some(lisbon))
    })
  )

  it.effect("a schema that throws stores nothing, and finds nothing", () =>
    Effect.gen(function* () {
      const { key } = yield* ground
      const throwing = Schema.String.pipe(
        Schema.filter(() => {
          throw new Error("thrown")
        })
      )
      const stored = yield* Effect.either(set(key("k"), "value", { schema: throwing }))
      expect(Either.isLeft(stored) && stored.left).toMatchObject({ reason: "Encode" })
      yield* set(key("k"), "value")
      expect(yield* get(key("k"), { schema: throwing })).toStrictEqual(Option.none())
    })
  )

  it.effect("an effectful schema", () =>
    Effect.gen(function* () {
      const { key } = yield* ground
      const slow = Schema.transformOrFail(Schema.String, Schema.Number, {
        decode: (text) => Effect.delay(Effect.succeed(Number(text)), 0),
        encode: (number) => Effect.delay(Effect.succeed(`${number}`), 0)
      })
      yield* set(key("k"), 7, { schema: slow })
      expect(yield* get(key("k"), { schema: slow })).toStrictEqual(Option.some(7))
    })
  )

  it.effect("getOrSet and get with one schema see the same value", () =>
    Effect.gen(function* () {
      const { key } = yield* ground
      expect(yield* getOrSet(key("k"), Effect.succeed(lisbon), { schema })).toStrictEqual(lisbon)
      expect(yield* get(key("k"), { schema })).toStrictEqual(Option.some(lisbon))
      yield* set(key("k"), porto, { schema })
      expect(yield* getOrSet(key("k"), Effect.succeed(lisbon), { schema })).toStrictEqual(porto)
    })
  )
}
