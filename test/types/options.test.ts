/** The types of `failures`, `refresh` and `schema`. `npm run types` is what tests this file; run by vitest it only has to load. */
import { Context, Effect, Option, pipe, Schema } from "effect"
import {
  CacheBackend,
  type CachedEffect,
  type CachedFunction,
  type CacheError,
  cached,
  get,
  getMany,
  getOrSet,
  type MemoOptions,
  set,
  setMany
} from "effect-cached"
import { describe, expectTypeOf, it } from "vitest"

class Repo extends Context.Tag("test/OptionsRepo")<Repo, { readonly find: (id: number) => string }>() {}
class Http extends Context.Tag("test/OptionsHttp")<Http, { readonly get: () => string }>() {}
class NotFound extends Schema.TaggedError<NotFound>()("NotFound", { id: Schema.Number }) {}
class Limited extends Schema.TaggedError<Limited>()("Limited", { seconds: Schema.Number }) {}

interface Row {
  readonly id: number
  readonly name: string
}

declare const byId: (id: number, locale: string) => Effect.Effect<Row, NotFound | Limited, Repo>
declare const report: Effect.Effect<Row, NotFound, Repo>

const typesOnly = (_: () => void): void => {}

describe("failures", () => {
  it("know the function's errors", () => {
    typesOnly(() => {
      const f = cached(byId, {
        key: "row",
        failures: {
          ttl: (error) => (error._tag === "Limited" ? error.seconds : "1 hour"),
          when: (error) => error._tag === "NotFound" && error.id > 0,
          schema: Schema.Union(NotFound, Limited)
        }
      })
      expectTypeOf(f).toEqualTypeOf<CachedFunction<[id: number, locale: string], Row, NotFound | Limited, Repo>>()
      cached(report, { key: "report", failures: { ttl: (error) => error.id, schema: NotFound } })
      getOrSet("report", report, { failures: { ttl: "1 minute", when: (error) => error.id > 0, schema: NotFound } })
    })
  })

  it("refuse the schema of another error", () => {
    typesOnly(() => {
      // @ts-expect-error Limited is none of its errors
      cached(report, { key: "report", failures: { ttl: "1 minute", schema: Limited } })
      // @ts-expect-error nor is it for getOrSet
      getOrSet("report", report, { failures: { ttl: "1 minute", schema: Limited } })
      // @ts-expect-error the schema must know all of the errors
      cached(byId, { key: "row", failures: { ttl: "1 minute", schema: NotFound } })
    })
  })

  it("in a pipe", () => {
    typesOnly(() => {
      // @ts-expect-error its errors must be annotated, and all known
      pipe(byId, cached({ key: "row", failures: { ttl: "1 minute", when: (error: NotFound) => error.id > 0 } }))
      // @ts-expect-error the schema must know all of them
      pipe(byId, cached({ key: "row", failures: { ttl: "1 minute", schema: NotFound } }))
      const f = pipe(
        byId,
        cached({ key: "row", failures: { ttl: "1 minute", schema: Schema.Union(NotFound, Limited) } })
      )
      expectTypeOf(f).toEqualTypeOf<CachedFunction<[id: number, locale: string], Row, NotFound | Limited, Repo>>()
    })
  })
})

describe("refresh", () => {
  it("in a pipe adds its errors and requirements", () => {
    typesOnly(() => {
      const f = pipe(report, cached({ key: "row", refresh: (previous: Row) => Effect.as(Http, Option.some(previous)) }))
      expectTypeOf(f).toEqualTypeOf<CachedEffect<Row, NotFound, Repo | Http>>()
      const g = pipe(
        byId,
        cached({
          key: "row",
          refresh: (_: Row, id: number): Effect.Effect<Option.Option<Row>, string> => Effect.fail(`${id}`)
        })
      )
      expectTypeOf(g).toEqualTypeOf<
        CachedFunction<[id: number, locale: string], Row, NotFound | Limited | string, Repo>
      >()
    })
  })

  it("gets the old value and the arguments", () => {
    typesOnly(() => {
      const f = cached(byId, {
        key: "row",
        refresh: (previous, id, locale) => {
          expectTypeOf(previous).toEqualTypeOf<Row>()
          expectTypeOf(id).toEqualTypeOf<number>()
          expectTypeOf(locale).toEqualTypeOf<string>()
          return Effect.map(Repo, (repo) => Option.some({ id, name: repo.find(id) }))
        }
      })
      expectTypeOf(f).toEqualTypeOf<CachedFunction<[id: number, locale: string], Row, NotFound | Limited, Repo>>()
      cached(report, { key: "report", refresh: (previous) => Effect.succeed(Option.some(previous)) })
    })
  })

  it("has no errors and requirements that the function lacks", () => {
    typesOnly(() => {
      // @ts-expect-error Limited is none of its errors
      cached(report, { key: "report", refresh: () => Effect.fail(new Limited({ seconds: 1 })) })
      // @ts-expect-error it does not require Http
      cached(report, { key: "report", refresh: () => Effect.as(Http, Option.none<Row>()) })
      // @ts-expect-error nor does getOrSet
      getOrSet("report", report, { refresh: () => Effect.as(Http, Option.none<Row>()) })
      // @ts-expect-error the value is another one
      cached(report, { key: "report", refresh: () => Effect.succeed(Option.some(1)) })
    })
  })
})

it("options whose type says nothing of errors fit every function", () => {
  typesOnly(() => {
    const options: MemoOptions<Row> = { ttl: "1 minute" }
    expectTypeOf(getOrSet("report", report, options)).toMatchTypeOf<
      Effect.Effect<Row, NotFound | CacheError, Repo | CacheBackend>
    >()
  })
})

describe("schema", () => {
  const schema = Schema.Struct({ id: Schema.Number, at: Schema.Date })
  interface Stamped {
    readonly id: number
    readonly at: Date
  }

  it("is the type of what get and getMany find", () => {
    typesOnly(() => {
      expectTypeOf(get("k", { schema })).toEqualTypeOf<
        Effect.Effect<Option.Option<Stamped>, CacheError, CacheBackend>
      >()
      expectTypeOf(get("k", { version: 2 })).toEqualTypeOf<
        Effect.Effect<Option.Option<unknown>, CacheError, CacheBackend>
      >()
      expectTypeOf(getMany(["k"], { schema })).toEqualTypeOf<
        Effect.Effect<ReadonlyMap<string | ReadonlyArray<unknown>, Stamped>, CacheError, CacheBackend>
      >()
      Effect.flatMap(CacheBackend, (cache) => {
        expectTypeOf(cache.get("k", { schema, version: 2 })).toEqualTypeOf<
          Effect.Effect<Option.Option<Stamped>, CacheError>
        >()
        expectTypeOf(cache.get("k")).toEqualTypeOf<Effect.Effect<Option.Option<unknown>, CacheError>>()
        return Effect.void
      })
      // @ts-expect-error without a schema the value is unknown
      const text: Effect.Effect<Option.Option<string>, CacheError, CacheBackend> = get("k")
      return text
    })
  })

  it("is the type of what set and setMany take", () => {
    typesOnly(() => {
      set("k", { id: 1, at: new Date() }, { schema, ttl: "1 minute" })
      set("k", "anything", { ttl: "1 minute" })
      setMany([["k", { id: 1, at: new Date() }]], { schema })
      // @ts-expect-error `at` is missing
      set("k", { id: 1 }, { schema })
      // @ts-expect-error `at` is no Date
      setMany([["k", { id: 1, at: "today" }]], { schema })
    })
  })

  it("is the type of what getOrSet gives", () => {
    typesOnly(() => {
      const row = getOrSet("k", Effect.succeed({ id: 1, at: new Date(), more: true }), { schema })
      expectTypeOf(row).toEqualTypeOf<Effect.Effect<Stamped, CacheError, CacheBackend>>()
      // @ts-expect-error `at` is missing
      getOrSet("k", Effect.succeed({ id: 1 }), { schema })
    })
  })
})
