/**
 * Types of `cachedMany` and `cachedResolver` infer without annotations. `npm run types` tests this file; run, it only has to load.
 */
import { Context, Effect, type Option, Request, RequestResolver, Schema, type Scope } from "effect"
import {
  CacheBackend,
  type CachedManyFunction,
  type CachedManyFunctionOf,
  type CacheError,
  cachedMany,
  cachedResolver
} from "effect-cached"
import { describe, expectTypeOf, it } from "vitest"

class Sessions extends CacheBackend.Tag("Sessions")<Sessions>() {}
class Repo extends Context.Tag("test/Repo")<Repo, { readonly find: (id: number) => string }>() {}
class NotFound extends Schema.TaggedError<NotFound>()("NotFound", {}) {}
interface Row {
  readonly id: number
  readonly name: string
}
class City extends Schema.Class<City>("City")({ slug: Schema.String }) {}

declare const rows: (ids: ReadonlyArray<number>) => Effect.Effect<ReadonlyArray<Row>, NotFound, Repo>
declare const byId: (ids: ReadonlyArray<number>) => Effect.Effect<ReadonlyMap<number, Row>, NotFound, Repo>

/** The types are the test: nothing in here runs. */
const typesOnly = (_: () => void): void => {}

describe("the types of many keys", () => {
  it("are those of load, plus CacheBackend", () => {
    typesOnly(() => {
      const f = cachedMany(byId, { key: "row" })
      expectTypeOf(f).toEqualTypeOf<CachedManyFunction<number, Row, NotFound, Repo>>()
      expectTypeOf(f([1])).toEqualTypeOf<Effect.Effect<ReadonlyMap<number, Row>, NotFound, Repo | CacheBackend>>()
      expectTypeOf(f.one(1)).toEqualTypeOf<Effect.Effect<Option.Option<Row>, NotFound, Repo | CacheBackend>>()
      expectTypeOf(f.forceRecalc([1])).toEqualTypeOf<
        Effect.Effect<ReadonlyMap<number, Row>, NotFound, Repo | CacheBackend>
      >()
      expectTypeOf(f.requireCache([1])).toEqualTypeOf<
        Effect.Effect<ReadonlyMap<number, Row>, CacheError, CacheBackend>
      >()
      expectTypeOf(f.invalidate([1])).toEqualTypeOf<Effect.Effect<void, CacheError, CacheBackend>>()
      expectTypeOf(f.cacheKey(1)).toEqualTypeOf<string>()
      // @ts-expect-error the keys are those of load
      f(["1"])
      // @ts-expect-error a list of keys
      f(1)
      // @ts-expect-error a key is required
      cachedMany(byId, { ttl: "1 day" })
      // @ts-expect-error a number
      cachedMany(byId, { key: "row", batchSize: "1" })
      // @ts-expect-error a load does not refresh one value
      cachedMany(byId, { key: "row", refresh: () => Effect.succeedNone })
    })
  })

  it("are inferred from arrow functions, whatever pairs they return", () => {
    typesOnly(() => {
      type Wanted = CachedManyFunction<number, Row, NotFound, Repo>
      const pairs = cachedMany(
        (ids: ReadonlyArray<number>) => Effect.map(rows(ids), (found) => found.map((row) => [row.id, row] as const)),
        { key: "row" }
      )
      expectTypeOf(pairs).toEqualTypeOf<Wanted>()
      const map = cachedMany(
        (ids: ReadonlyArray<number>) => Effect.map(rows(ids), (found) => new Map(found.map((row) => [row.id, row]))),
        { key: "row" }
      )
      expectTypeOf(map).toEqualTypeOf<Wanted>()
      const generator = cachedMany(
        (ids: ReadonlyArray<number>) =>
          Effect.gen(function* () {
            const found = yield* rows(ids)
            return found.map((row) => [row.id, row] as const)
          }),
        { key: "row" }
      )
      expectTypeOf(generator).toEqualTypeOf<Wanted>()
      const traced = cachedMany(
        Effect.fn("rows")(function* (ids: ReadonlyArray<number>) {
          return new Map((yield* rows(ids)).map((row) => [row.id, row]))
        }),
        { key: "row" }
      )
      expectTypeOf(traced).toEqualTypeOf<Wanted>()
    })
  })

  it("reach the callbacks of the options", () => {
    typesOnly(() => {
      cachedMany(byId, {
        key: "row",
        ttl: (value, key) => {
          expectTypeOf(value).toEqualTypeOf<Row>()
          expectTypeOf(key).toEqualTypeOf<number>()
          return "1 day"
        },
        groups: (key) => {
          expectTypeOf(key).toEqualTypeOf<number>()
          return []
        },
        keyArgs: (key) => key,
        cacheWhen: (value) => {
          expectTypeOf(value).toEqualTypeOf<Row>()
          return true
        },
        missing: "1 minute"
      })
    })
  })

  it("of values are the schema's", () => {
    typesOnly(() => {
      const f = cachedMany(
        (slugs: ReadonlyArray<string>) => Effect.succeed(slugs.map((slug) => [slug, new City({ slug })] as const)),
        { key: "city", schema: City }
      )
      expectTypeOf(f).toEqualTypeOf<CachedManyFunction<string, City, never, never>>()
      // @ts-expect-error another schema
      cachedMany(byId, { key: "row", schema: Schema.String })
    })
  })

  it("name the cache that the option backend names", () => {
    typesOnly(() => {
      const f = cachedMany(byId, { key: "row", backend: Sessions, groups: (key) => [`${key}`] })
      expectTypeOf(f).toEqualTypeOf<CachedManyFunctionOf<Sessions, number, Row, NotFound, Repo>>()
      expectTypeOf(f([1])).toEqualTypeOf<Effect.Effect<ReadonlyMap<number, Row>, NotFound, Repo | Sessions>>()
      expectTypeOf(f.one(1)).toEqualTypeOf<Effect.Effect<Option.Option<Row>, NotFound, Repo | Sessions>>()
      expectTypeOf(f.invalidate([1])).toEqualTypeOf<Effect.Effect<void, CacheError, Sessions>>()
      expectTypeOf(cachedMany(byId, { key: "row", backend: CacheBackend })).toEqualTypeOf<
        CachedManyFunction<number, Row, NotFound, Repo>
      >()
      const row = Schema.Struct({ id: Schema.Number, name: Schema.String })
      expectTypeOf(cachedMany(byId, { key: "row", backend: Sessions, schema: row })).toEqualTypeOf<
        CachedManyFunctionOf<Sessions, number, { readonly id: number; readonly name: string }, NotFound, Repo>
      >()
      // @ts-expect-error no cache
      cachedMany(byId, { key: "row", backend: Repo })

      class NameOf extends Request.TaggedClass("NameOf")<string, NotFound, { readonly id: number }> {}
      const resolver = RequestResolver.fromEffect((_: NameOf) => Effect.succeed(""))
      expectTypeOf(cachedResolver(resolver, { key: "name", backend: Sessions })).toEqualTypeOf<
        Effect.Effect<RequestResolver.RequestResolver<NameOf>, never, Sessions>
      >()
    })
  })

  it("refuse Scope", () => {
    typesOnly(() => {
      const scoped = (ids: ReadonlyArray<number>) => Effect.as(Effect.scope, new Map(ids.map((id) => [id, id])))
      expectTypeOf(scoped).returns.toEqualTypeOf<Effect.Effect<Map<number, number>, never, Scope.Scope>>()
      // @ts-expect-error wrap it in Effect.scoped
      cachedMany(scoped, { key: "row" })
    })
  })

  it("of a resolver are the resolver's", () => {
    typesOnly(() => {
      class NameOf extends Request.TaggedClass("NameOf")<string, NotFound, { readonly id: number }> {}
      const resolver = RequestResolver.fromEffect((_: NameOf) => Effect.succeed(""))
      const made = cachedResolver(resolver, {
        key: "name",
        groups: (request) => [`${request.id}`],
        ttl: (name, request) => {
          expectTypeOf(name).toEqualTypeOf<string>()
          expectTypeOf(request).toEqualTypeOf<NameOf>()
          return "1 day"
        }
      })
      expectTypeOf(made).toEqualTypeOf<Effect.Effect<RequestResolver.RequestResolver<NameOf>, never, CacheBackend>>()
    })
  })
})
