/** What functions of another cache, and of a service's own cache, require. `npm run types` is what tests this file. */
import { type Context, Effect, type Layer, type Option, pipe, Schema, type Scope, type Stream } from "effect"
import {
  asCached,
  CacheBackend,
  type CachedEffect,
  type CachedEffectOf,
  type CachedFunction,
  type CachedFunctionOf,
  type CacheError,
  CacheEvent,
  type CacheInspection,
  cached,
  events,
  inspect,
  MemoryBackend,
  type NoCachedValue
} from "effect-cached"
import * as SqlBackend from "effect-cached/SqlBackend"
import { describe, expectTypeOf, it } from "vitest"

class Sessions extends CacheBackend.Tag("Sessions")<Sessions>() {}

declare class Repo {
  readonly find: () => void
}
declare class NotFound {
  readonly _tag: "NotFound"
}
interface Row {
  readonly id: number
  readonly name: string
}

declare const byId: (id: number, locale: string) => Effect.Effect<Row, NotFound, Repo>
declare const report: Effect.Effect<Row, NotFound, Repo>
declare const scoped: Effect.Effect<number, never, Scope.Scope>
declare const event: CacheEvent
declare const cache: Context.Tag.Service<typeof CacheBackend>

/** The types are the test: nothing in here runs. */
const typesOnly = (_: () => void): void => {}

describe("a named cache", () => {
  type Expected = CachedFunctionOf<Sessions, [id: number, locale: string], Row, NotFound, Repo>

  it("has a layer with the errors and requirements of its backend", () => {
    typesOnly(() => {
      expectTypeOf(CacheBackend.layerOf(Sessions, MemoryBackend.layer())).toEqualTypeOf<
        Layer.Layer<Sessions, CacheError>
      >()
      const sql = SqlBackend.layer()
      expectTypeOf(CacheBackend.layerOf(Sessions, sql)).toEqualTypeOf<
        Layer.Layer<Sessions, Layer.Layer.Error<typeof sql>, Layer.Layer.Context<typeof sql>>
      >()
      expectTypeOf(Effect.flatMap(Sessions, (sessions) => sessions.get("a"))).toEqualTypeOf<
        Effect.Effect<Option.Option<unknown>, CacheError, Sessions>
      >()
      const elsewhere = Effect.provide(cached(report, { key: "a", backend: Sessions }), MemoryBackend.layer())
      expectTypeOf(elsewhere).toEqualTypeOf<Effect.Effect<Row, NotFound | CacheError, Repo | Sessions>>()
    })
  })

  it("is what a function requires, with all its operations", () => {
    typesOnly(() => {
      const f = cached(byId, { key: "row", backend: Sessions })
      expectTypeOf(f).toEqualTypeOf<Expected>()
      expectTypeOf(f(1, "pt")).toEqualTypeOf<Effect.Effect<Row, NotFound, Repo | Sessions>>()
      expectTypeOf(f.forceRecalc(1, "pt")).toEqualTypeOf<Effect.Effect<Row, NotFound, Repo | Sessions>>()
      expectTypeOf(f.invalidate(1, "pt")).toEqualTypeOf<Effect.Effect<void, CacheError, Sessions>>()
      expectTypeOf(f.requireCache(1, "pt")).toEqualTypeOf<Effect.Effect<Row, NoCachedValue | CacheError, Sessions>>()
      // @ts-expect-error the arguments are the function's
      f("1", "pt")
    })
  })

  it("in every form", () => {
    typesOnly(() => {
      expectTypeOf(cached({ key: "row", backend: Sessions })(byId)).toEqualTypeOf<Expected>()
      expectTypeOf(pipe(byId, cached({ key: "row", backend: Sessions }))).toEqualTypeOf<Expected>()
      type ExpectedEffect = CachedEffectOf<Sessions, Row, NotFound, Repo>
      expectTypeOf(cached(report, { key: "a", backend: Sessions })).toEqualTypeOf<ExpectedEffect>()
      expectTypeOf(report.pipe(cached({ key: "a", backend: Sessions }))).toEqualTypeOf<ExpectedEffect>()
      expectTypeOf(cached({ key: "a", backend: Sessions })(report)).toEqualTypeOf<ExpectedEffect>()
      const withDefault = cached((a: string, b = 3) => Effect.succeed(a.repeat(b)), { key: "a", backend: Sessions })
      expectTypeOf(withDefault).toEqualTypeOf<
        CachedFunctionOf<Sessions, [a: string, b?: number], string, never, never>
      >()

      class Rows {
        @cached({ key: "Rows.byId", backend: Sessions })
        byId(id: number): Effect.Effect<number, never, Sessions> {
          return Effect.succeed(id)
        }

        // @ts-expect-error it does not declare its cache
        @cached({ key: "Rows.other", backend: Sessions })
        other(id: number): Effect.Effect<number, never, CacheBackend> {
          return Effect.succeed(id)
        }
      }
      expectTypeOf(asCached(new Rows().byId, Sessions).invalidate(1)).toEqualTypeOf<
        Effect.Effect<void, CacheError, Sessions>
      >()
    })
  })

  it("with callbacks that know their parameters, and a schema that says what the result is", () => {
    typesOnly(() => {
      const Id = Schema.Struct({ id: Schema.Number })
      type Kept = CachedFunctionOf<Sessions, [id: number, locale: string], { readonly id: number }, NotFound, Repo>
      expectTypeOf(cached(byId, { key: "a", backend: Sessions, schema: Id })).toEqualTypeOf<Kept>()
      expectTypeOf(cached({ key: "a", backend: Sessions, schema: Id })(byId)).toEqualTypeOf<Kept>()
      const piped = pipe(
        byId,
        cached({
          key: "a",
          backend: Sessions,
          groups: (id) => {
            expectTypeOf(id).toEqualTypeOf<number>()
            return [`${id}`]
          },
          ttl: (value, id, locale) => {
            expectTypeOf(value).toEqualTypeOf<Row>()
            expectTypeOf(locale).toEqualTypeOf<string>()
            return id
          }
        })
      )
      expectTypeOf(piped).toEqualTypeOf<Expected>()
      const method = cached(
        function (this: { readonly factor: number }, n: number) {
          return Effect.succeed(this.factor * n)
        },
        { key: "times", backend: Sessions }
      )
      expectTypeOf(method).toEqualTypeOf<
        CachedFunctionOf<Sessions, [n: number], number, never, never, { readonly factor: number }>
      >()
    })
  })

  it("is CacheBackend where it is named so, or not at all", () => {
    typesOnly(() => {
      const f = cached(byId, { key: "row", backend: CacheBackend })
      expectTypeOf(f).toEqualTypeOf<CachedFunction<[id: number, locale: string], Row, NotFound, Repo>>()
      const effect = report.pipe(cached({ key: "row", backend: CacheBackend }))
      expectTypeOf(effect).toEqualTypeOf<CachedEffect<Row, NotFound, Repo>>()
      // A program may have its cache by a parameter.
      const of = <Cache>(backend: Context.Tag<Cache, Context.Tag.Service<typeof CacheBackend>>) =>
        cached(byId, { key: "row", backend })
      expectTypeOf(of(Sessions)).toEqualTypeOf<Expected>()
    })
  })
})

describe("cached of a service", () => {
  type Expected = CachedFunctionOf<never, [id: number, locale: string], Row, NotFound, Repo>

  it("requires no cache, in every form", () => {
    typesOnly(() => {
      const f = cache.cached(byId, { key: "row", groups: (id) => [`${id}`], ttl: (row) => row.id })
      expectTypeOf(f).toEqualTypeOf<Expected>()
      expectTypeOf(f(1, "pt")).toEqualTypeOf<Effect.Effect<Row, NotFound, Repo>>()
      expectTypeOf(f.forceRecalc(1, "pt")).toEqualTypeOf<Effect.Effect<Row, NotFound, Repo>>()
      expectTypeOf(f.invalidate(1, "pt")).toEqualTypeOf<Effect.Effect<void, CacheError>>()
      expectTypeOf(f.requireCache(1, "pt")).toEqualTypeOf<Effect.Effect<Row, NoCachedValue | CacheError>>()
      expectTypeOf(cache.cached({ key: "row" })(byId)).toEqualTypeOf<Expected>()
      expectTypeOf(pipe(byId, cache.cached({ key: "row" }))).toEqualTypeOf<Expected>()
      type ExpectedEffect = CachedEffectOf<never, Row, NotFound, Repo>
      expectTypeOf(cache.cached(report, { key: "a" })).toEqualTypeOf<ExpectedEffect>()
      expectTypeOf(report.pipe(cache.cached({ key: "a" }))).toEqualTypeOf<ExpectedEffect>()
      expectTypeOf(cache.cached(report, { key: "a" }).invalidate).toEqualTypeOf<Effect.Effect<void, CacheError>>()
      const Id = Schema.Struct({ id: Schema.Number })
      expectTypeOf(cache.cached(byId, { key: "a", schema: Id })(1, "pt")).toEqualTypeOf<
        Effect.Effect<{ readonly id: number }, NotFound, Repo>
      >()
      const withDefault = cache.cached((a: string, b = 3) => Effect.succeed(a.repeat(b)), { key: "a" })
      expectTypeOf(withDefault).parameters.toEqualTypeOf<[a: string, b?: number]>()
    })
  })

  it("makes the methods of a service, which then require nothing of the cache", () => {
    typesOnly(() => {
      class Cities extends Effect.Service<Cities>()("Cities", {
        effect: Effect.gen(function* () {
          const cache = yield* CacheBackend
          return {
            byId: cache.cached((id: number) => Effect.succeed({ id }), { key: "city", ttl: "1 day" }),
            all: cache.cached(Effect.succeed([1, 2]), { key: "cities" })
          }
        })
      }) {}
      expectTypeOf(Effect.flatMap(Cities, (cities) => cities.byId(1))).toEqualTypeOf<
        Effect.Effect<{ id: number }, never, Cities>
      >()
      expectTypeOf(Effect.flatMap(Cities, (cities) => cities.all)).toEqualTypeOf<
        Effect.Effect<Array<number>, never, Cities>
      >()
      expectTypeOf(Cities.Default).toEqualTypeOf<Layer.Layer<Cities, never, CacheBackend>>()
    })
  })

  it("refuses what `cached` refuses", () => {
    typesOnly(() => {
      // @ts-expect-error the first argument is a number
      cache.cached(byId, { key: "row", keyArgs: (id: string) => id })
      // @ts-expect-error the key is required
      cache.cached(byId, { ttl: "1 minute" })
      // @ts-expect-error the schema is of another type
      cache.cached(byId, { key: "a", schema: Schema.String })
      // @ts-expect-error the computation requires Scope
      cache.cached(scoped, { key: "a" })
      // @ts-expect-error the computation requires Scope
      scoped.pipe(cache.cached({ key: "a" }))
    })
  })
})

describe("events and inspect", () => {
  it("of the service, and as functions", () => {
    typesOnly(() => {
      expectTypeOf(cache.events).toEqualTypeOf<Stream.Stream<CacheEvent>>()
      expectTypeOf(events).toEqualTypeOf<Stream.Stream<CacheEvent, never, CacheBackend>>()
      expectTypeOf(cache.inspect(["a", 1], { version: 2 })).toEqualTypeOf<
        Effect.Effect<Option.Option<CacheInspection>, CacheError>
      >()
      expectTypeOf(inspect("a")).toEqualTypeOf<
        Effect.Effect<Option.Option<CacheInspection>, CacheError, CacheBackend>
      >()
      if (event._tag === "Computed") expectTypeOf(event.millis).toEqualTypeOf<number>()
      if (CacheEvent.$is("Hit")(event)) expectTypeOf(event.tier).toEqualTypeOf<boolean>()
    })
  })
})
