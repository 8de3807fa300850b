/** `cachedResolver` batches as the resolver does that it wraps. */
import { expect } from "@effect/vitest"
import { Data, Effect, Exit, Request, RequestResolver } from "effect"
import { cachedResolver } from "effect-cached"
import { ground, type It } from "./ground.js"

class NameOf extends Request.TaggedClass("NameOf")<string, "unlucky", { readonly id: number }> {}
interface AgeOf extends Request.Request<number> {
  readonly _tag: "AgeOf"
  readonly id: number
}
const AgeOf = Request.tagged<AgeOf>("AgeOf")
class Place extends Data.Class<{ readonly slug: string }> {}
class WeatherIn extends Request.Class<string, never, { readonly place: Place }> {}

const noting = () => {
  const batches: Array<ReadonlyArray<number>> = []
  const resolver = RequestResolver.makeBatched((requests: ReadonlyArray<NameOf>) =>
    Effect.suspend(() => {
      batches.push(requests.map(({ id }) => id))
      return Effect.forEach(
        requests,
        (request) =>
          request.id === 13 ? Request.fail(request, "unlucky") : Request.succeed(request, `name ${request.id}`),
        { discard: true }
      )
    })
  )
  return { batches, resolver }
}

const ids = Array.from({ length: 50 }, (_, id) => id)

/** The one of Effect is global. */
const withOwnRequestCache = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.flatMap(Request.makeCache({ capacity: 100, timeToLive: "1 minute" }), (requests) =>
    Effect.withRequestCache(effect, requests)
  )

export const resolverTests = (it: It): void => {
  it.effect("50 requests are one batch cold, and none warm", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      const { batches, resolver } = noting()
      const names = yield* cachedResolver(resolver, { key: key("name"), ttl: "1 hour" })
      const asked = ids.filter((id) => id !== 13)
      const all = Effect.forEach(asked, (id) => Effect.request(new NameOf({ id }), names), { batching: true })
      const before = yield* cache.stats
      expect(yield* all).toStrictEqual(asked.map((id) => `name ${id}`))
      expect(batches).toStrictEqual([asked])
      expect(yield* all).toStrictEqual(asked.map((id) => `name ${id}`))
      expect(batches).toHaveLength(1)
      expect((yield* cache.stats).hits - before.hits).toBe(49)
    })
  )

  it.effect("a request that fails fails alone, and is not kept", () =>
    Effect.gen(function* () {
      const { key } = yield* ground
      const { batches, resolver } = noting()
      const names = yield* cachedResolver(resolver, { key: key("name"), ttl: "1 hour" })
      const all = Effect.forEach(ids, (id) => Effect.exit(Effect.request(new NameOf({ id }), names)), {
        batching: true
      })
      for (const _ of [1, 2]) {
        const exits = yield* all
        expect(exits[13]).toStrictEqual(Exit.fail("unlucky"))
        expect(exits.filter(Exit.isSuccess)).toHaveLength(49)
      }
      expect(batches).toStrictEqual([ids, [13]])
    })
  )

  it.effect("equal requests are asked once, and each is answered", () =>
    Effect.gen(function* () {
      const { key } = yield* ground
      const { batches, resolver } = noting()
      const names = yield* cachedResolver(resolver, { key: key("name"), ttl: "1 hour" })
      const all = Effect.forEach([1, 2, 1, 1], (id) => Effect.request(new NameOf({ id }), names), { batching: true })
      expect(yield* all).toStrictEqual(["name 1", "name 2", "name 1", "name 1"])
      expect(batches).toStrictEqual([[1, 2]])
    })
  )

  it.effect("it answers inside withRequestCaching, where what the resolver itself asks for stays cached", () =>
    Effect.gen(function* () {
      const { key } = yield* ground
      const asked: Array<string> = []
      const ages = RequestResolver.fromEffect(({ id }: AgeOf) => Effect.sync(() => asked.push(`age ${id}`)))
      const resolver = RequestResolver.makeBatched((requests: ReadonlyArray<NameOf>) =>
        Effect.zipRight(
          Effect.request(AgeOf({ id: 7 }), ages),
          Effect.forEach(
            requests,
            (request) => {
              asked.push(`name ${request.id}`)
              return Request.succeed(request, `name ${request.id}`)
            },
            { discard: true }
          )
        )
      )
      const names = yield* cachedResolver(resolver, { key: key("name"), ttl: "1 hour" })
      const all = (ids: ReadonlyArray<number>) =>
        Effect.forEach(ids, (id) => Effect.request(new NameOf({ id }), names), { batching: true })
      expect(yield* all([1, 2, 1])).toStrictEqual(["name 1", "name 2", "name 1"])
      expect(yield* all([2, 3])).toStrictEqual(["name 2", "name 3"])
      expect(asked).toStrictEqual(["age 7", "name 1", "name 2", "name 3"])
    }).pipe(Effect.withRequestCaching(true), withOwnRequestCache)
  )

  it.effect("requests of every making have a key, and keyArgs may pick it", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      let runs = 0
      const ages = yield* cachedResolver(
        RequestResolver.fromFunction(({ id }: AgeOf) => ++runs + id),
        { key: key("age"), ttl: "1 hour" }
      )
      const weather = yield* cachedResolver(
        RequestResolver.fromFunction(({ place }: WeatherIn) => `${++runs} in ${place.slug}`),
        { key: key("weather"), ttl: "1 hour", keyArgs: ({ place }) => place.slug, groups: [key("weather")] }
      )
      const both = Effect.all([
        Effect.request(AgeOf({ id: 10 }), ages),
        Effect.request(new WeatherIn({ place: new Place({ slug: "lisbon" }) }), weather)
      ])
      expect(yield* both).toStrictEqual([11, "2 in lisbon"])
      expect(yield* both).toStrictEqual([11, "2 in lisbon"])
      yield* cache.invalidateGroup(key("weather"))
      expect(yield* both).toStrictEqual([11, "3 in lisbon"])
    })
  )
}
