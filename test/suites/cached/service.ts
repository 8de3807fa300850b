/** `cached` of a service: what it makes does not require the cache. */
import { expect } from "@effect/vitest"
import { Effect, Fiber, Option } from "effect"
import { asCached, CacheBackend, cached } from "effect-cached"
import { crowd, ground, held, type It, promptly, waiting } from "./ground.js"

export const serviceTests = (it: It): void => {
  it.effect("a function, with its operations", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      let runs = 0
      const f = cache.cached((n: number) => Effect.sync(() => n * 100 + ++runs), { key: key("f"), groups: [key("g")] })
      // Nothing is provided to these.
      const alone = <A, E>(effect: Effect.Effect<A, E>) => Effect.promise(() => Effect.runPromise(effect))
      expect(yield* alone(f(1))).toBe(101)
      expect(yield* alone(f(1))).toBe(101)
      expect(yield* alone(f.requireCache(1))).toBe(101)
      expect(yield* alone(f.forceRecalc(1))).toBe(102)
      yield* alone(f.invalidate(1))
      expect(yield* alone(Effect.flip(f.requireCache(1)))).toMatchObject({ _tag: "NoCachedValue" })
      expect(yield* alone(f(1))).toBe(103)
      yield* alone(cache.invalidateGroup(key("g")))
      expect(yield* alone(f(1))).toBe(104)
      expect(yield* cache.get(f.cacheKey(1))).toStrictEqual(Option.some(104))
    })
  )

  it.effect("shares its entries with the same function of the program", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      const compute = (n: number) => Effect.succeed({ n })
      yield* cached(compute, { key: key("f") })(1)
      expect(yield* cache.cached(compute, { key: key("f") }).requireCache(1)).toStrictEqual({ n: 1 })
    })
  )

  it.effect("an effect, a function in a pipe, and a method", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      let runs = 0
      const report = Effect.sync(() => ++runs).pipe(cache.cached({ key: key("report") }))
      expect(yield* report).toBe(1)
      expect(yield* report).toBe(1)
      expect(yield* report.forceRecalc).toBe(2)
      yield* report.invalidate
      expect(yield* cache.cached(Effect.succeed(7), { key: key("seven") })).toBe(7)
      const piped = cache.cached({ key: key("piped") })((n: number) => Effect.succeed(n + ++runs))
      expect(yield* piped(1)).toBe(4)
      expect(yield* piped(1)).toBe(4)

      class Cities {
        constructor(readonly country: string) {}

        @cache.cached({ key: key("Cities.bySlug") })
        bySlug(slug: string): Effect.Effect<string> {
          return Effect.sync(() => `${this.country} ${slug} ${++runs}`)
        }
      }
      const cities = new Cities("pt")
      expect(yield* cities.bySlug("lisbon")).toBe("pt lisbon 4")
      expect(yield* cities.bySlug("lisbon")).toBe("pt lisbon 4")
      yield* asCached(cities.bySlug).invalidate("lisbon")
      expect(yield* cities.bySlug("lisbon")).toBe("pt lisbon 5")
    })
  )

  it.effect("a function of many keys", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      const loads: Array<ReadonlyArray<number>> = []
      const squares = cache.cachedMany(
        (numbers: ReadonlyArray<number>) =>
          Effect.sync(() => {
            loads.push(numbers)
            return numbers.map((n) => [n, n * n] as const)
          }),
        { key: key("squares") }
      )
      const alone = <A, E>(effect: Effect.Effect<A, E>) => Effect.promise(() => Effect.runPromise(effect))
      const both = new Map([
        [1, 1],
        [2, 4]
      ])
      expect(yield* alone(squares([1, 2]))).toStrictEqual(both)
      expect(yield* alone(squares([1, 2]))).toStrictEqual(both)
      expect(yield* alone(squares.one(2))).toStrictEqual(Option.some(4))
      yield* alone(squares.invalidate([1]))
      expect(yield* alone(squares.requireCache([1, 2]))).toStrictEqual(new Map([[2, 4]]))
      expect(yield* alone(squares([1, 2]))).toStrictEqual(both)
      expect(loads).toEqual([[1, 2], [1]])
    })
  )

  it.effect("is of that cache, whatever cache its caller has", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      let runs = 0
      const f = cache.cached(() => Effect.sync(() => ++runs), { key: key("f") })
      yield* f()
      // A caller with something that is no cache at all.
      const other = Effect.provideService(f(), CacheBackend, {} as never)
      expect(yield* other).toBe(1)
      for (let n = 0; n < 10; n++) expect(yield* f()).toBe(1)
    })
  )

  it.effect("one computation for all callers; the last one to be interrupted ends it", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      const slow = yield* held("value")
      let ended = 0
      const f = cache.cached(() => Effect.onInterrupt(slow.effect, () => Effect.sync(() => ended++)), { key: key("f") })
      const waited = yield* waiting(cache)
      const callers = yield* Effect.forEach(Array.from({ length: crowd }), () => Effect.fork(f()))
      yield* slow.begun
      yield* waited(crowd)
      yield* Fiber.interruptAll(callers.slice(1))
      expect(ended).toBe(0)
      yield* Fiber.interruptAll(callers)
      yield* promptly(Effect.repeat(Effect.yieldNow(), { until: () => ended === 1 }))
      yield* slow.letGo
      expect(yield* promptly(f())).toBe("value")
    })
  )
}
