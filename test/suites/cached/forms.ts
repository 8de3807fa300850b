/** `cached` on a function, a method, a decorated method, an effect, data-first and data-last. */
import { expect } from "@effect/vitest"
import { Context, Effect, FiberRef, Option, pipe } from "effect"
import { asCached, type CacheBackend, cached, NoCachedValue } from "effect-cached"
import { ground, type It } from "./ground.js"

class Suffix extends Context.Tag("test/Suffix")<Suffix, string>() {}

export const formTests = (it: It): void => {
  it.effect("a function computes once per argument list, and has its four operations", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      const calls: Array<string> = []
      const greet = cached(
        (name: string, greeting = "hello") =>
          Effect.sync(() => {
            calls.push(name)
            return `${greeting} ${name} ${calls.length}`
          }),
        { key: key("greet") }
      )
      expect(yield* greet("ann")).toBe("hello ann 1")
      expect(yield* greet("ann")).toBe("hello ann 1")
      expect(yield* greet("bob", "bye")).toBe("bye bob 2")
      expect(yield* greet("ann")).toBe("hello ann 1")
      expect(yield* greet.requireCache("bob", "bye")).toBe("bye bob 2")
      expect(yield* greet.forceRecalc("ann")).toBe("hello ann 3")
      expect(yield* greet("ann")).toBe("hello ann 3")
      yield* greet.invalidate("ann")
      expect(yield* Effect.flip(greet.requireCache("ann"))).toStrictEqual(
        new NoCachedValue({ key: greet.cacheKey("ann") })
      )
      expect(yield* greet("bob", "bye")).toBe("bye bob 2")
      expect(greet.cacheKey("ann")).toBe(`${key("greet")}("ann")`)
      expect(yield* cache.get(greet.cacheKey("bob", "bye"))).toStrictEqual(Option.some("bye bob 2"))
    })
  )

  it.effect("data-last, a function", () =>
    Effect.gen(function* () {
      const { key } = yield* ground
      let runs = 0
      const f = pipe((n: number) => Effect.sync(() => n + ++runs), cached({ key: key("f") }))
      expect(yield* f(10)).toBe(11)
      expect(yield* f(10)).toBe(11)
      expect(yield* f.forceRecalc(10)).toBe(12)
      expect(yield* f.requireCache(10)).toBe(12)
      yield* f.invalidate(10)
      expect(yield* f(10)).toBe(13)
      expect(f.cacheKey(10)).toBe(`${key("f")}(10)`)
    })
  )

  for (const form of ["in a pipe", "data-first"] as const) {
    it.effect(`an effect ${form}, with its four operations`, () =>
      Effect.gen(function* () {
        const { cache, key } = yield* ground
        let runs = 0
        const count = Effect.sync(() => ++runs)
        const options = { key: key("report"), ttl: "5 minutes" } as const
        const report = form === "in a pipe" ? count.pipe(cached(options)) : cached(count, options)
        expect(Effect.isEffect(report)).toBe(true)
        expect(yield* Effect.flip(report.requireCache)).toStrictEqual(new NoCachedValue({ key: report.cacheKey }))
        expect(yield* report).toBe(1)
        expect(yield* report.pipe(Effect.map((n) => n + 1))).toBe(2)
        expect(yield* report.requireCache).toBe(1)
        expect(yield* report.forceRecalc).toBe(2)
        expect(yield* report).toBe(2)
        yield* report.invalidate
        expect(yield* report).toBe(3)
        expect(report.cacheKey).toBe(key("report"))
        expect(yield* cache.get(report.cacheKey)).toStrictEqual(Option.some(3))
      })
    )
  }

  it.effect("an effect and a function without arguments under one key are two entries", () =>
    Effect.gen(function* () {
      const { key } = yield* ground
      const effect = cached(Effect.succeed("effect"), { key: key("a") })
      const call = cached(() => Effect.succeed("function"), { key: key("a") })
      expect(yield* effect).toBe("effect")
      expect(yield* call()).toBe("function")
      expect(yield* effect).toBe("effect")
    })
  )

  it.effect("a method keeps `this`, which is not part of the key", () =>
    Effect.gen(function* () {
      const { key } = yield* ground
      let runs = 0
      const times = cached(
        function (this: { readonly factor: number }, n: number) {
          return Effect.sync(() => [++runs, this.factor * n] as const)
        },
        { key: key("times") }
      )
      const double = { factor: 2, times }
      const triple = { factor: 3, times }
      expect(yield* double.times(5)).toStrictEqual([1, 10])
      expect(yield* triple.times(5)).toStrictEqual([1, 10])
      expect(yield* triple.times(6)).toStrictEqual([2, 18])
      expect(yield* times.call({ factor: 4 }, 7)).toStrictEqual([3, 28])
      expect(yield* times.forceRecalc.call({ factor: 5 }, 7)).toStrictEqual([4, 35])
      expect(yield* double.times(7)).toStrictEqual([4, 35])
    })
  )

  it.effect("a decorated method is bound, and asCached shows its operations", () =>
    Effect.gen(function* () {
      const { key } = yield* ground
      let runs = 0
      class Cities {
        constructor(private readonly country: string) {}

        @cached({ key: key("Cities.bySlug"), groups: [key("cities")] })
        bySlug(slug: string): Effect.Effect<string, never, CacheBackend> {
          return Effect.sync(() => `${slug} in ${this.country} ${++runs}`)
        }

        @cached({ key: key("Cities.count") })
        static count(): Effect.Effect<number, never, CacheBackend> {
          return Effect.sync(() => ++runs)
        }
      }
      class Towns extends Cities {
        override bySlug(slug: string): Effect.Effect<string, never, CacheBackend> {
          return Effect.map(super.bySlug(slug), (city) => `town ${city}`)
        }
      }
      const cities = new Cities("Portugal")
      expect(yield* cities.bySlug("lisbon")).toBe("lisbon in Portugal 1")
      expect(yield* cities.bySlug("lisbon")).toBe("lisbon in Portugal 1")
      const { bySlug } = cities
      expect(yield* bySlug("porto")).toBe("porto in Portugal 2")
      const operations = asCached(cities.bySlug)
      expect(operations.cacheKey("porto")).toBe(`${key("Cities.bySlug")}("porto")`)
      expect(yield* operations.requireCache("porto")).toBe("porto in Portugal 2")
      expect(yield* operations.forceRecalc("porto")).toBe("porto in Portugal 3")
      yield* operations.invalidate("porto")
      expect(yield* cities.bySlug("porto")).toBe("porto in Portugal 4")
      expect(yield* new Cities("Brazil").bySlug("porto")).toBe("porto in Portugal 4")
      expect(yield* new Cities("Brazil").bySlug("recife")).toBe("recife in Brazil 5")
      expect(yield* new Towns("Peru").bySlug("cusco")).toBe("town cusco in Peru 6")
      expect(yield* new Towns("Peru").bySlug("lisbon")).toBe("town lisbon in Portugal 1")
      expect(yield* Cities.count()).toBe(7)
      expect(yield* Cities.count()).toBe(7)
      yield* asCached(Cities.count).invalidate()
      expect(yield* Cities.count()).toBe(8)
    })
  )

  it("asCached refuses a function that cached did not make", () => {
    expect(() => asCached(() => Effect.void)).toThrow(TypeError)
  })

  it.scoped("a computation sees the context and the fiber refs of its caller", () =>
    Effect.gen(function* () {
      const { key } = yield* ground
      const ref = yield* FiberRef.make("unset")
      const f = cached(
        (n: number) => Effect.map(Effect.zip(Suffix, FiberRef.get(ref)), ([suffix, seen]) => `${n} ${suffix} ${seen}`),
        { key: key("f") }
      )
      const answer = yield* f(1).pipe(Effect.provideService(Suffix, "ours"), Effect.locally(ref, "set"))
      expect(answer).toBe("1 ours set")
    })
  )

  it.effect("a function that takes part in its own computation with other arguments", () =>
    Effect.gen(function* () {
      const { key } = yield* ground
      let runs = 0
      const fibonacci: (n: number) => Effect.Effect<number, never, CacheBackend> = cached(
        (n: number): Effect.Effect<number, never, CacheBackend> => {
          runs++
          return n < 2
            ? Effect.succeed(n)
            : Effect.zipWith(fibonacci(n - 1), fibonacci(n - 2), (a, b) => a + b, { concurrent: true })
        },
        { key: key("fibonacci") }
      )
      expect(yield* fibonacci(12)).toBe(144)
      expect(runs).toBe(13)
    })
  )

  it.effect("a function that needs its own result dies and says so", () =>
    Effect.gen(function* () {
      const { key } = yield* ground
      const needsItself: Effect.Effect<number, never, CacheBackend> = cached(
        Effect.suspend(() => needsItself),
        { key: key("self") }
      )
      const message = (effect: Effect.Effect<unknown, unknown, CacheBackend>) =>
        Effect.map(Effect.flip(Effect.sandbox(effect)), String)
      expect(yield* message(needsItself)).toContain("needs its own result")
      const ping: Effect.Effect<number, never, CacheBackend> = cached(
        Effect.suspend(() => pong),
        { key: key("ping") }
      )
      const pong: Effect.Effect<number, never, CacheBackend> = cached(
        Effect.suspend(() => ping),
        { key: key("pong") }
      )
      expect(yield* message(ping)).toContain(`${key("ping")} → ${key("pong")}`)
    })
  )
}
