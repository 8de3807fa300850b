/** Caching switched off: programs behave as if `cached` were not there. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Option, Request, RequestResolver } from "effect"
import { CacheBackend, cached, getOrSet, NoopBackend } from "effect-cached"

class ById extends Request.TaggedClass("ById")<string, never, { readonly id: number }> {}

const batched = () => {
  const queries: Array<ReadonlyArray<number>> = []
  const resolver = RequestResolver.makeBatched((requests: ReadonlyArray<ById>) =>
    Effect.suspend(() => {
      queries.push(requests.map(({ id }) => id))
      return Effect.forEach(requests, (request) => Request.succeed(request, `row ${request.id}`), { discard: true })
    })
  )
  return { queries, byId: (id: number) => Effect.request(new ById({ id }), resolver) }
}

const ids = Array.from({ length: 20 }, (_, id) => id)
const rows = ids.map((id) => `row ${id}`)

describe("with NoopBackend", () => {
  it.effect("20 batched requests inside cached are one query", () =>
    Effect.gen(function* () {
      const { queries, byId } = batched()
      const cachedById = cached(byId, { key: "row" })
      const forms: Record<string, (id: number) => Effect.Effect<string, unknown, CacheBackend>> = {
        cached: cachedById,
        forceRecalc: (id) => cachedById.forceRecalc(id),
        getOrSet: (id) => getOrSet(["row", id], byId(id))
      }
      for (const [name, form] of Object.entries(forms)) {
        queries.length = 0
        assert.deepStrictEqual(yield* Effect.forEach(ids, (id) => form(id), { batching: true }), rows, name)
        assert.deepStrictEqual(queries, [ids], name)
      }
      queries.length = 0
      assert.deepStrictEqual(
        yield* Effect.forEach(ids, (id) => cachedById(id), { batching: true, concurrency: "unbounded" }),
        rows
      )
      assert.deepStrictEqual(queries, [ids])
    }).pipe(Effect.provide(NoopBackend.layer))
  )

  it.effect("every call computes, in the caller's own fiber", () =>
    Effect.gen(function* () {
      const fiberId = cached(Effect.fiberId, { key: "fiber" })
      assert.deepStrictEqual(yield* fiberId, yield* Effect.fiberId)
      let begun = 0
      const value = cached(
        Effect.sync(() => ++begun),
        { key: "value" }
      )
      assert.deepStrictEqual(yield* Effect.all([value, value, value.forceRecalc], { concurrency: 3 }), [1, 2, 3])
      assert.strictEqual((yield* Effect.flip(value.requireCache))._tag, "NoCachedValue")
      assert.deepStrictEqual(yield* Effect.flatMap(CacheBackend, (cache) => cache.get("value")), Option.none())
      const { computed, misses } = yield* Effect.flatMap(CacheBackend, (cache) => cache.stats)
      assert.deepStrictEqual([computed, misses], [4, 5])
    }).pipe(Effect.provide(NoopBackend.layer))
  )
})
