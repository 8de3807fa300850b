/** A store that replaces nothing, as PostgreSQL under a policy that hides rows from updates: no operation may try for ever. */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { CacheBackend, cached, cachedMany, StoreBackend } from "effect-cached"
import type { CacheStore } from "../../src/CacheStore.js"
import { asyncStore } from "../support/asyncStore.js"
import { memoryStore } from "../support/backend.js"
import { warned } from "../support/warned.js"

const ground = Effect.gen(function* () {
  const store = asyncStore(yield* memoryStore)
  const state = { replaces: true }
  const moody: CacheStore = {
    ...store,
    replace: (...args) => (state.replaces ? store.replace(...args) : Effect.succeedNone)
  }
  const log = warned()
  const context = yield* Layer.build(Layer.merge(StoreBackend.layer(Effect.succeed(moody)), log.layer))
  const provide = <A, E>(effect: Effect.Effect<A, E, CacheBackend>) => Effect.provide(effect, context)
  return { state, log, provide }
})

describe("a store that replaces nothing", () => {
  it.scopedLive("makes touch and increment fail", () =>
    Effect.gen(function* () {
      const { provide, state } = yield* ground
      const cache = yield* provide(CacheBackend)
      yield* cache.set("count", 1)
      state.replaces = false
      const changes = [Effect.flip(cache.increment("count")), Effect.flip(cache.touch("count", "1 hour"))]
      const errors = yield* Effect.all(changes, { concurrency: "unbounded" })
      for (const error of errors) expect(error).toMatchObject({ _tag: "CacheError", reason: "StoreFailed" })
      state.replaces = true
      expect(yield* cache.increment("count")).toBe(2)
    })
  )

  it.scopedLive("does not keep forceRecalc from computing, and its old value is gone", () =>
    Effect.gen(function* () {
      const { log, provide, state } = yield* ground
      let computations = 0
      const one = cached(() => Effect.sync(() => ++computations), { key: "one", groups: ["group"] })
      const many = cachedMany(
        (keys: ReadonlyArray<string>) => Effect.sync(() => keys.map((key) => [key, ++computations] as const)),
        { key: "many" }
      )
      expect([yield* provide(one()), ...(yield* provide(many(["a", "b"])))]).toEqual([1, ["a", 2], ["b", 3]])
      state.replaces = false
      expect(yield* provide(one.forceRecalc())).toBe(4)
      expect([...(yield* provide(many.forceRecalc(["a", "b"])))].map(([, value]) => value).sort()).toEqual([5, 6])
      expect(log.lines.join()).toContain("computing without a lease")
      expect([yield* provide(one()), (yield* provide(many(["a"]))).get("a")]).toEqual([7, 8])
    })
  )
})
