/** `key: ["city", id]`: an effect with the key of a function that is called. */
import { describe, expect, it } from "@effect/vitest"
import { Cause, Effect, Exit, Metric } from "effect"
import { CacheError, cached, MemoryBackend } from "effect-cached"

const layer = MemoryBackend.layer()

let computations = 0
const load = (name: string) => Effect.sync(() => `${name} ${++computations}`)

const city = cached((id: string, page?: number) => load(`${id} ${page}`), { key: "city" })

describe("a key with parts", () => {
  it.effect("is that of a function which is called with the parts: they share an entry", () =>
    Effect.gen(function* () {
      const lisbon = load("lisbon").pipe(cached({ key: ["city", "lisbon"] }))
      expect(lisbon.cacheKey).toBe('city("lisbon")')
      expect(lisbon.cacheKey).toBe(city.cacheKey("lisbon"))
      const first = yield* lisbon
      expect(yield* city("lisbon")).toBe(first)
      yield* city.invalidate("lisbon")
      expect(yield* lisbon).not.toBe(first)
      yield* lisbon.invalidate
      expect(yield* Effect.flip(city.requireCache("lisbon"))).toMatchObject({ key: 'city("lisbon")' })
      const paged = cached(load("lisbon"), { key: ["city", "lisbon", 2] })
      expect(yield* paged).toBe(yield* city("lisbon", 2))
      expect(cached(load("all"), { key: ["city"] }).cacheKey).toBe("city()")
      expect(cached(load("all"), { key: "city" }).cacheKey).toBe("city")
    }).pipe(Effect.provide(layer))
  )

  it.effect("of a function stands before the arguments", () =>
    Effect.gen(function* () {
      const ofTenant = (tenant: string) => cached((id: number) => load(`${tenant} ${id}`), { key: ["city", tenant] })
      expect(ofTenant("acme").cacheKey(1)).toBe('city("acme",1)')
      expect(yield* ofTenant("acme")(1)).toBe(yield* ofTenant("acme")(1))
      expect(yield* ofTenant("acme")(1)).not.toBe(yield* ofTenant("other")(1))
    }).pipe(Effect.provide(layer))
  )

  it.effect("has the name as label of its metrics", () =>
    Effect.gen(function* () {
      for (let id = 0; id < 20; id++) yield* cached(load("x"), { key: ["labelled", id] })
      const labels = (yield* Metric.snapshot).flatMap(({ metricKey }) =>
        metricKey.tags.filter(({ value }) => value.startsWith("labelled")).map(({ value }) => value)
      )
      expect([...new Set(labels)]).toEqual(["labelled"])
    }).pipe(Effect.provide(layer))
  )

  it.effect("is refused as an argument is: the call dies, cacheKey throws", () =>
    Effect.gen(function* () {
      for (const key of [
        ["city", () => 1],
        ["", 1]
      ] as const) {
        const refused = load("x").pipe(cached({ key }))
        const exit = yield* Effect.exit(refused)
        const defect = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
        expect(defect).toMatchObject({ _tag: "CacheError", reason: "InvalidKey" })
        expect(yield* Effect.flip(refused.invalidate)).toMatchObject({ reason: "InvalidKey" })
        if (key[0] !== "") expect(() => refused.cacheKey).toThrow(CacheError)
      }
    }).pipe(Effect.provide(layer))
  )
})
