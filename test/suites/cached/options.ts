/** The options of `cached` that say what is kept, and for how long. */
import { expect } from "@effect/vitest"
import { Cause, Duration, Effect, Exit, Option, Schema, TestClock } from "effect"
import { CacheError, cached, invalidateGroup } from "effect-cached"
import { ground, type It } from "./ground.js"

class City extends Schema.Class<City>("City")({
  slug: Schema.String,
  founded: Schema.Date,
  mayor: Schema.Option(Schema.String)
}) {}

/** As `Random.fixed`, which older versions of `effect` lack. */
const withRandom =
  (value: number) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>) =>
    Effect.flatMap(Effect.random, (random) =>
      Effect.withRandom(effect, Object.create(random, { next: { value: Effect.succeed(value) } }))
    )

export const optionTests = (it: It): void => {
  it.effect("ttl: a duration", () =>
    Effect.gen(function* () {
      const { key } = yield* ground
      let runs = 0
      const f = cached(() => Effect.sync(() => ++runs), { key: key("f"), ttl: "10 seconds", stale: 0 })
      expect(yield* f()).toBe(1)
      yield* TestClock.adjust(9_999)
      expect(yield* f()).toBe(1)
      yield* TestClock.adjust(1)
      expect(yield* f()).toBe(2)
    })
  )

  it.effect("ttl: five minutes where none is given, for ever at infinity", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      const usual = cached(() => Effect.succeed(1), { key: key("usual") })
      const eternal = cached(() => Effect.succeed(1), { key: key("eternal"), ttl: Duration.infinity })
      yield* usual()
      yield* eternal()
      yield* TestClock.adjust("299 seconds")
      expect(yield* cache.has(usual.cacheKey())).toBe(true)
      yield* TestClock.adjust("1 second")
      expect(yield* cache.has(usual.cacheKey())).toBe(false)
      expect(yield* cache.has(eternal.cacheKey())).toBe(true)
    })
  )

  it.effect("ttl: a function of the value and the arguments", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      const f = cached((seconds: number, factor: number) => Effect.succeed({ seconds: seconds * factor }), {
        key: key("f"),
        ttl: (value, seconds, factor) => {
          expect(value.seconds).toBe(seconds * factor)
          return Duration.seconds(value.seconds)
        }
      })
      yield* f(5, 2)
      yield* f(10, 2)
      yield* TestClock.adjust("10 seconds")
      expect(yield* cache.has(f.cacheKey(5, 2))).toBe(false)
      expect(yield* cache.has(f.cacheKey(10, 2))).toBe(true)
    })
  )

  it.effect("ttl: zero or negative stores nothing", () =>
    Effect.gen(function* () {
      const { key } = yield* ground
      let runs = 0
      for (const ttl of [0, -1, () => 0, () => Duration.zero]) {
        const f = cached(() => Effect.sync(() => ++runs), { key: key("f"), ttl })
        const before = runs
        expect(yield* f()).toBe(before + 1)
        expect(yield* f()).toBe(before + 2)
      }
    })
  )

  it.effect("ttl and cacheWhen that fail cost the storing, not the value", () =>
    Effect.gen(function* () {
      const { key } = yield* ground
      const broken = (): never => {
        throw new Error("broken")
      }
      let runs = 0
      for (const options of [{ ttl: broken }, { ttl: () => Number.NaN }, { cacheWhen: broken }]) {
        const f = cached(() => Effect.sync(() => ++runs), { key: key("f"), ...options })
        const before = runs
        expect(yield* f()).toBe(before + 1)
        expect(yield* f()).toBe(before + 2)
      }
    })
  )

  for (const [name, groups] of [
    ["names", (key: string) => [key]],
    ["a function of the arguments", (key: string) => (id: number) => [`${key} ${id % 2}`]]
  ] as const) {
    it.effect(`groups: ${name}`, () =>
      Effect.gen(function* () {
        const { key } = yield* ground
        let runs = 0
        const f = cached((_id: number) => Effect.sync(() => ++runs), { key: key("f"), groups: groups(key("group")) })
        const all = Effect.forEach([1, 2, 3], (id) => f(id))
        expect(yield* all).toStrictEqual([1, 2, 3])
        expect(yield* all).toStrictEqual([1, 2, 3])
        yield* invalidateGroup(name === "names" ? key("group") : `${key("group")} 1`)
        expect(yield* all).toStrictEqual(name === "names" ? [4, 5, 6] : [4, 2, 5])
        expect(yield* all).toStrictEqual(name === "names" ? [4, 5, 6] : [4, 2, 5])
      })
    )
  }

  it.effect("groups: an entry made without today's groups does not count", () =>
    Effect.gen(function* () {
      const { key } = yield* ground
      const before = cached(() => Effect.succeed("before"), { key: key("f") })
      const after = cached(() => Effect.succeed("after"), { key: key("f"), groups: [key("group")] })
      expect(yield* before()).toBe("before")
      expect(yield* after()).toBe("after")
      expect(yield* after.requireCache()).toBe("after")
    })
  )

  it.effect("groups: neither their order nor a repetition makes another entry", () =>
    Effect.gen(function* () {
      const { key } = yield* ground
      const [a, b] = [key("a"), key("b")]
      const one = cached(() => Effect.succeed("one"), { key: key("f"), groups: [a, b] })
      const other = cached(() => Effect.succeed("other"), { key: key("f"), groups: [b, a, b] })
      expect(yield* one()).toBe("one")
      expect(yield* other()).toBe("one")
    })
  )

  it.effect("schema: values that are no plain data come back equal", () =>
    Effect.gen(function* () {
      const { key } = yield* ground
      let runs = 0
      const bySlug = cached(
        (slug: string) =>
          Effect.sync(() => {
            runs++
            return new City({ slug, founded: new Date(-1), mayor: Option.some("Ann") })
          }),
        { key: key("city"), schema: City }
      )
      const computed = yield* bySlug("lisbon")
      const found = yield* bySlug("lisbon")
      expect(found).toBeInstanceOf(City)
      expect(found).toStrictEqual(computed)
      expect(yield* bySlug.requireCache("lisbon")).toStrictEqual(computed)
      expect(runs).toBe(1)
    })
  )

  it.effect("schema: a value that does not fit is returned all the same", () =>
    Effect.gen(function* () {
      const { key } = yield* ground
      const Even = Schema.Number.pipe(Schema.filter((n) => n % 2 === 0))
      const f = cached((n: number) => Effect.succeed(n), { key: key("f"), schema: Even })
      expect(yield* f(3)).toBe(3)
      expect(yield* f(3)).toBe(3)
      expect(yield* f(4)).toBe(4)
      expect(yield* f.requireCache(4)).toBe(4)
    })
  )

  it.effect("a value that can't be stored is returned each time", () =>
    Effect.gen(function* () {
      const { key } = yield* ground
      const value = { f: () => 1 }
      const f = cached(() => Effect.succeed(value), { key: key("f") })
      expect(yield* f()).toBe(value)
      expect(yield* f()).toBe(value)
      expect(yield* f.forceRecalc()).toBe(value)
    })
  )

  it.effect("cacheWhen: undefined, null and Option.none() bypass the cache", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      for (const value of [undefined, null, Option.none()]) {
        let runs = 0
        const f = cached(
          () =>
            Effect.sync(() => {
              runs++
              return value
            }),
          { key: key("f") }
        )
        expect(yield* f()).toBe(value)
        expect(yield* f()).toBe(value)
        expect(runs).toBe(2)
        expect(yield* cache.has(f.cacheKey())).toBe(false)
        expect(yield* Effect.flip(f.requireCache())).toMatchObject({ _tag: "NoCachedValue" })
      }
    })
  )

  it.effect("cacheWhen: a value that is not kept removes the one before it", () =>
    Effect.gen(function* () {
      const { key } = yield* ground
      const answers: Array<string | null> = ["old", null, "new"]
      const f = cached(() => Effect.sync(() => answers.shift() ?? null), { key: key("f"), ttl: "10 seconds" })
      expect(yield* f()).toBe("old")
      yield* TestClock.adjust("10 seconds")
      expect(yield* f()).toBe(null)
      expect(yield* Effect.flip(f.requireCache())).toMatchObject({ _tag: "NoCachedValue" })
      expect(yield* f()).toBe("new")
    })
  )

  it.effect("cacheWhen: a rule of one's own, which may also keep null", () =>
    Effect.gen(function* () {
      const { key } = yield* ground
      let runs = 0
      const odd = cached((_: string) => Effect.sync(() => ++runs), { key: key("odd"), cacheWhen: (n) => n % 2 === 1 })
      expect(yield* odd("a")).toBe(1)
      expect(yield* odd("a")).toBe(1)
      expect(yield* odd("b")).toBe(2)
      expect(yield* odd("b")).toBe(3)
      const nothing = cached(
        () =>
          Effect.sync(() => {
            runs++
            return null
          }),
        { key: key("null"), cacheWhen: () => true }
      )
      expect(yield* nothing()).toBe(null)
      expect(yield* nothing()).toBe(null)
      expect(yield* nothing.requireCache()).toBe(null)
      expect(runs).toBe(4)
    })
  )

  it.effect("jitter: takes a random part off the ttl", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      const f = cached((_: number) => Effect.succeed(1), { key: key("f"), ttl: "100 seconds", jitter: 0.5 })
      yield* f(0).pipe(withRandom(0))
      yield* f(1).pipe(withRandom(0.5))
      yield* TestClock.adjust(74_999)
      expect(yield* cache.has(f.cacheKey(1))).toBe(true)
      yield* TestClock.adjust(1)
      expect(yield* cache.has(f.cacheKey(1))).toBe(false)
      yield* TestClock.adjust(24_999)
      expect(yield* cache.has(f.cacheKey(0))).toBe(true)
      yield* TestClock.adjust(1)
      expect(yield* cache.has(f.cacheKey(0))).toBe(false)
    })
  )

  it.effect(
    "earlyRefresh: recomputes before the end with a probability that rises, the more so the slower it was",
    () =>
      Effect.gen(function* () {
        const { key } = yield* ground
        let runs = 0
        const slow = Effect.zipRight(
          Effect.suspend(() => TestClock.adjust("1 second")),
          Effect.sync(() => ++runs)
        )
        const f = cached(() => slow, { key: key("f"), ttl: "100 seconds", earlyRefresh: 1 })
        const off = cached(() => slow, { key: key("off"), ttl: "100 seconds" })
        yield* f()
        yield* off()
        // One second of computing and β = 1: at random 0.99 it refreshes ln(100) = 4.6 seconds before the end.
        yield* TestClock.adjust("94 seconds")
        expect(yield* f().pipe(withRandom(0.99))).toBe(1)
        yield* TestClock.adjust("2 seconds")
        expect(yield* f().pipe(withRandom(0))).toBe(1)
        expect(yield* off().pipe(withRandom(0.99))).toBe(2)
        expect(yield* f().pipe(withRandom(0.99))).toBe(3)
        expect(yield* f().pipe(withRandom(0))).toBe(3)
      })
  )

  it.effect("earlyRefresh that fails: the value is fresh, so it answers, whatever staleOnError says", () =>
    Effect.gen(function* () {
      const { key } = yield* ground
      let runs = 0
      const f = cached(
        () =>
          Effect.zipRight(
            Effect.suspend(() => TestClock.adjust("1 second")),
            Effect.suspend(
              (): Effect.Effect<number, "down"> => (++runs > 1 ? Effect.fail("down") : Effect.succeed(runs))
            )
          ),
        { key: key("f"), ttl: "100 seconds", earlyRefresh: 1, staleOnError: false }
      )
      yield* f()
      yield* TestClock.adjust("96 seconds")
      expect(yield* f().pipe(withRandom(0.99))).toBe(1)
      expect(runs).toBe(2)
    })
  )

  for (const [name, options, reason] of [
    ["an empty key", { key: "" }, "InvalidKey"],
    ["a key that is no text", { key: 5 as unknown as string }, "InvalidKey"],
    ["NaN as ttl", { ttl: Number.NaN }, "InvalidOption"],
    ["a ttl that is no duration", { ttl: "soon" as "1 second" }, "InvalidOption"],
    ["NaN as stale", { stale: Number.NaN }, "InvalidOption"],
    ["a lease of zero", { lease: 0 }, "InvalidOption"],
    ["an infinite lease", { lease: Duration.infinity }, "InvalidOption"],
    ["a negative earlyRefresh", { earlyRefresh: -1 }, "InvalidOption"],
    ["a jitter over one", { jitter: 1.1 }, "InvalidOption"],
    ["NaN as jitter", { jitter: Number.NaN }, "InvalidOption"],
    ["a group without a name", { groups: [""] }, "InvalidKey"],
    ["a group that is no text", { groups: [7 as unknown as string] }, "InvalidOption"],
    ["groups that are no array", { groups: "cities" as unknown as Array<string> }, "InvalidOption"]
    // Some of these come only from callers without types.
  ] as const) {
    it.effect(`refuses ${name} at the call, and computes nothing`, () =>
      Effect.gen(function* () {
        const { key } = yield* ground
        let runs = 0
        const count = Effect.sync(() => ++runs)
        const defaults = { key: key("f") }
        const all = { ...defaults, ...options }
        const f = cached(() => count, all)
        const effect = cached(count, all)
        for (const call of [f(), f.forceRecalc(), effect, effect.forceRecalc]) {
          const exit = yield* Effect.exit(call)
          const defects = Exit.isFailure(exit) ? [...Cause.defects(exit.cause)] : []
          expect(defects).toHaveLength(1)
          expect(defects[0]).toBeInstanceOf(CacheError)
          expect(defects[0]).toMatchObject({ reason })
        }
        const required = [f.requireCache(), effect.requireCache].map(Effect.asVoid)
        for (const failing of [f.invalidate(), effect.invalidate, ...required]) {
          expect(yield* Effect.flip(failing)).toMatchObject({ _tag: "CacheError", reason })
        }
        expect(runs).toBe(0)
      })
    )
  }
}
