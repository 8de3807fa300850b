/** What `cachedMany` returns, and what it loads. */
import { expect } from "@effect/vitest"
import { Effect, Fiber, Option, Schema, TestClock } from "effect"
import { cached, cachedMany } from "effect-cached"
import { ground, type It, live, noting, range, rounds } from "./ground.js"

class City extends Schema.Class<City>("City")({ slug: Schema.String, founded: Schema.Date }) {}

export const valueTests = (it: It): void => {
  it.effect("loads what is missing in one load, and returns all in the caller's order", () =>
    Effect.gen(function* () {
      const { key } = yield* ground
      const { load, loads } = noting()
      const f = cachedMany(load, { key: key("f"), ttl: "1 hour" })
      expect(rounds(yield* f([3, 1, 2]))).toStrictEqual([
        [3, 1],
        [1, 1],
        [2, 1]
      ])
      expect(rounds(yield* f([4, 1, 5, 3]))).toStrictEqual([
        [4, 2],
        [1, 1],
        [5, 2],
        [3, 1]
      ])
      expect(loads).toStrictEqual([
        [3, 1, 2],
        [4, 5]
      ])
    })
  )

  it.effect("answers the keys of the call, whatever the caller does to its array meanwhile", () =>
    Effect.gen(function* () {
      const { key } = yield* ground
      const f = cachedMany(
        (ids: ReadonlyArray<number>) =>
          live(
            Effect.delay(
              Effect.sync(() => ids.map((id) => [id, `v${id}`] as const)),
              20
            )
          ),
        { key: key("f"), ttl: "1 hour" }
      )
      const expected = [1, 2, 3].map((id) => [id, `v${id}`])
      yield* f([1])
      for (const call of [f, f.forceRecalc, f.requireCache]) {
        const mine = [1, 2, 3]
        const fiber = yield* Effect.fork(call(mine))
        yield* Effect.yieldNow()
        mine[0] = 7
        mine.push(9)
        expect([...(yield* Fiber.join(fiber))]).toStrictEqual(expected)
      }
    })
  )

  it.effect("asks nobody without keys, and each key once", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      const { load, loads } = noting()
      const f = cachedMany(load, { key: key("f"), ttl: "1 hour" })
      expect(yield* f([])).toStrictEqual(new Map())
      expect(yield* f.requireCache([])).toStrictEqual(new Map())
      expect(yield* f.forceRecalc([])).toStrictEqual(new Map())
      yield* f.invalidate([])
      expect(loads).toStrictEqual([])
      expect([...(yield* f([1, 2, 1, 2])).keys()]).toStrictEqual([1, 2])
      expect(loads).toStrictEqual([[1, 2]])
      const before = yield* cache.stats
      yield* f([1, 1, 1, 2])
      expect((yield* cache.stats).hits - before.hits).toBe(2)
    })
  )

  it.effect("returns the caller's own key objects; equal are keys with the same cacheKey", () =>
    Effect.gen(function* () {
      const { key } = yield* ground
      const loads: Array<number> = []
      const f = cachedMany(
        (keys: ReadonlyArray<{ readonly page: number; readonly tag: string }>) =>
          Effect.sync(() => {
            loads.push(keys.length)
            // Other objects than those that were asked, in another order.
            return keys.map(({ page, tag }) => [{ tag, page }, `${tag} ${page}`] as const).reverse()
          }),
        { key: key("f"), ttl: "1 hour" }
      )
      const [one, same, other] = [
        { page: 1, tag: "a" },
        { tag: "a", page: 1 },
        { page: 2, tag: "a" }
      ]
      for (const _ of ["cold", "warm"]) {
        const found = yield* f([one, other, same])
        expect([...found.keys()].map((given) => [one, other, same].indexOf(given))).toStrictEqual([0, 1, 2])
        expect([...found.values()]).toStrictEqual(["a 1", "a 2", "a 1"])
      }
      expect(loads).toStrictEqual([2])
      expect(f.cacheKey(one)).toBe(f.cacheKey(same))
    })
  )

  it.effect("has the entries of `cached` under the same key", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      const many = cachedMany(
        (ids: ReadonlyArray<number>) => Effect.succeed(ids.map((id) => [id, `v${id}`] as const)),
        {
          key: [key("f"), "part"],
          ttl: "1 hour"
        }
      )
      const one = cached((_id: number) => Effect.die("not computed"), { key: [key("f"), "part"] })
      yield* many([1])
      expect(yield* one(1)).toBe("v1")
      expect(many.cacheKey(1)).toBe(one.cacheKey(1))
      expect(yield* cache.get(many.cacheKey(1))).toStrictEqual(Option.some("v1"))
    })
  )

  it.effect("leaves out keys that load leaves out, and loads them again", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      const { load, loads } = noting()
      const f = cachedMany(load, { key: key("f"), ttl: "1 hour" })
      for (const _ of [1, 2]) expect([...(yield* f([1_000, 1, 1_001])).keys()]).toStrictEqual([1])
      expect(loads).toStrictEqual([
        [1_000, 1, 1_001],
        [1_000, 1_001]
      ])
      expect(yield* f.one(1_000)).toStrictEqual(Option.none())
      expect(yield* cache.get(f.cacheKey(1_000))).toStrictEqual(Option.none())
    })
  )

  it.effect("keeps for `missing` that a key has no value", () =>
    Effect.gen(function* () {
      const { key } = yield* ground
      const { load, loads } = noting()
      const f = cachedMany(load, {
        key: key("f"),
        ttl: "1 hour",
        stale: 0,
        missing: "1 minute",
        groups: (id) => [key(`g${id}`)]
      })
      for (const _ of [1, 2]) {
        expect([...(yield* f([1_000, 1])).keys()]).toStrictEqual([1])
        expect(yield* f.one(1_000)).toStrictEqual(Option.none())
        expect([...(yield* f.requireCache([1, 1_000])).keys()]).toStrictEqual([1])
      }
      expect(loads).toStrictEqual([[1_000, 1]])
      yield* TestClock.adjust("59 seconds")
      yield* f([1_000])
      expect(loads).toHaveLength(1)
      yield* TestClock.adjust("2 seconds")
      yield* f([1_000, 1])
      expect(loads).toStrictEqual([[1_000, 1], [1_000]])
      yield* f.invalidate([1_000])
      yield* f([1_000])
      expect(loads).toHaveLength(3)
    })
  )

  it.effect("keeps values with a schema, and that one is missing beside it", () =>
    Effect.gen(function* () {
      const { key } = yield* ground
      const f = cachedMany(
        (slugs: ReadonlyArray<string>) =>
          Effect.succeed(
            new Map(
              slugs.filter((slug) => slug !== "none").map((slug) => [slug, new City({ slug, founded: new Date(0) })])
            )
          ),
        { key: key("f"), ttl: "1 hour", missing: "1 hour", schema: City }
      )
      for (const _ of ["cold", "warm"]) {
        const found = yield* f(["lisbon", "none", "porto"])
        expect([...found.keys()]).toStrictEqual(["lisbon", "porto"])
        expect(found.get("porto")).toBeInstanceOf(City)
        expect(found.get("porto")).toStrictEqual(new City({ slug: "porto", founded: new Date(0) }))
      }
    })
  )

  it.effect("splits loads by batchSize; one that fails fails only those who need its keys", () =>
    Effect.gen(function* () {
      const { key } = yield* ground
      const loads: Array<ReadonlyArray<number>> = []
      const f = cachedMany(
        (ids: ReadonlyArray<number>) =>
          Effect.suspend(() => {
            loads.push(ids)
            return ids.includes(5) ? Effect.fail("five" as const) : Effect.succeed(ids.map((id) => [id, id] as const))
          }),
        { key: key("f"), ttl: "1 hour", batchSize: 2 }
      )
      expect(yield* Effect.flip(f([1, 2, 3, 4, 5]))).toBe("five")
      expect(loads).toStrictEqual([[1, 2], [3, 4], [5]])
      expect([...(yield* f([4, 3, 2, 1])).keys()]).toStrictEqual([4, 3, 2, 1])
      expect(loads).toHaveLength(3)
    })
  )

  it.effect("one: keys asked in one turn are loaded together", () =>
    Effect.gen(function* () {
      const { key } = yield* ground
      const { load, loads } = noting()
      const f = cachedMany(load, { key: key("f"), ttl: "1 hour" })
      const ids = [1, 2, 1, 3, 1_000]
      for (const _ of ["cold", "warm"]) {
        const found = yield* Effect.forEach(ids, f.one, { concurrency: "unbounded" })
        expect(found.map(Option.map(({ id }) => id))).toStrictEqual([1, 2, 1, 3].map(Option.some).concat(Option.none()))
      }
      expect(loads.map((asked) => [...asked].sort())).toStrictEqual([[1, 1_000, 2, 3], [1_000]])
      yield* f([1, 2, 3])
      expect(loads).toHaveLength(2)
    })
  )

  it.effect("refuses options out of their range, and keys that can't be printed, by their names", () =>
    Effect.gen(function* () {
      const { key } = yield* ground
      const { load } = noting()
      for (const [options, description] of [
        [{ batchSize: 0 }, /batchSize must be a whole number/],
        [{ batchSize: 1.5 }, /batchSize must be a whole number/],
        [{ missing: Number.NaN }, /missing is NaN/],
        [{ ttl: "soon" as "1 day" }, /ttl is not a duration: soon/]
      ] as const) {
        const f = cachedMany(load, { key: key("f"), ...options })
        const defect = yield* Effect.catchAllDefect(Effect.asVoid(f([1])), Effect.succeed)
        expect(defect).toMatchObject({ reason: "InvalidOption", operation: "cachedMany" })
        expect(`${defect}`).toMatch(description)
        expect(yield* Effect.flip(f.invalidate([1]))).toMatchObject({
          reason: "InvalidOption",
          operation: "invalidate"
        })
        expect(yield* Effect.flip(f.requireCache([1]))).toMatchObject({ operation: "requireCache" })
      }
      const f = cachedMany((keys: ReadonlyArray<unknown>) => Effect.succeed(keys.map((one) => [one, 1] as const)), {
        key: key("f")
      })
      const defect = yield* Effect.catchAllDefect(Effect.asVoid(f([1, () => 1])), Effect.succeed)
      expect(defect).toMatchObject({ reason: "InvalidKey", operation: "cachedMany" })
      expect(() => f.cacheKey(() => 1)).toThrow()
    })
  )
}

/** Of so many thousands of keys. */
export const largeTests = (it: It, count: number): void => {
  it.effect(`${count} keys, 500 of them stale, 500 missing: at most two loads, the right value for each`, () =>
    live(
      Effect.gen(function* () {
        const { key } = yield* ground
        const [fresh, stored, loadsBefore] = [count - 1_000, count - 500, count / 1_000]
        const { load, loads } = noting()
        const large = (ids: ReadonlyArray<number>) =>
          Effect.map(load(ids.map((id) => id % 1_000)), (values) =>
            ids.map((id, index) => [id, values[index]?.[1].round ?? 0] as const)
          )
        const f = cachedMany(large, {
          key: key("f"),
          ttl: (_, id) => (id >= fresh && id < stored ? "1 milli" : "1 hour"),
          stale: "1 hour",
          groups: [key("g")]
        })
        yield* f(range(0, stored))
        // At most 1,000 at once.
        const full = Array.from({ length: loadsBefore - 1 }, () => 1_000)
        expect(loads.map(({ length }) => length)).toStrictEqual([...full, 500])
        yield* Effect.sleep("10 millis")
        const found = yield* f(range(0, count))
        expect(loads.slice(loadsBefore).map(({ length }) => length)).toStrictEqual([1_000])
        expect([...found.keys()]).toStrictEqual(range(0, count))
        expect([...found.values()]).toStrictEqual(
          range(0, count).map((id) => (id < fresh ? Math.floor(id / 1_000) : loadsBefore) + 1)
        )
      })
    )
  )
}
