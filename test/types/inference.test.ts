/** Types infer without annotations. `npm run types` is what tests this file; run by vitest it only has to load. */

import { Context, Effect, type Layer, pipe, Schema } from "effect"
import {
  asCached,
  CacheBackend as Backend,
  type CacheBackend,
  type CachedEffect,
  type CachedFunction,
  type CacheError,
  cached,
  getOrSet,
  invalidateGroup,
  MemoryBackend,
  type NoCachedValue,
  NoopBackend
} from "effect-cached"
import { describe, expectTypeOf, it } from "vitest"

class Repo extends Context.Tag("test/Repo")<Repo, { readonly find: (id: number) => string }>() {}

class NotFound extends Schema.TaggedError<NotFound>()("NotFound", {}) {}

interface Row {
  readonly id: number
  readonly name: string
}

declare const byId: (id: number, locale: string) => Effect.Effect<Row, NotFound, Repo>
declare const report: Effect.Effect<Row, NotFound, Repo>

/** The types are the test: nothing in here runs. */
const typesOnly = (_: () => void): void => {}

describe("the channels are the lifted effect's, plus CacheBackend", () => {
  it("of a function", () => {
    typesOnly(() => {
      const f = cached(byId, { key: "row" })
      expectTypeOf(f).toEqualTypeOf<CachedFunction<[id: number, locale: string], Row, NotFound, Repo>>()
      expectTypeOf(f(1, "pt")).toEqualTypeOf<Effect.Effect<Row, NotFound, Repo | CacheBackend>>()
      expectTypeOf(f.forceRecalc(1, "pt")).toEqualTypeOf<Effect.Effect<Row, NotFound, Repo | CacheBackend>>()
      expectTypeOf(f.requireCache(1, "pt")).toEqualTypeOf<
        Effect.Effect<Row, NoCachedValue | CacheError, CacheBackend>
      >()
      expectTypeOf(f.invalidate(1, "pt")).toEqualTypeOf<Effect.Effect<void, CacheError, CacheBackend>>()
      expectTypeOf(f.cacheKey(1, "pt")).toEqualTypeOf<string>()
      // @ts-expect-error the arguments are the function's
      f("1", "pt")
      // @ts-expect-error the operations take them too
      f.invalidate(1)
    })
  })

  it("of a function without errors and requirements", () => {
    typesOnly(() => {
      const f = cached(() => Effect.succeed(1), { key: "one" })
      expectTypeOf(f()).toEqualTypeOf<Effect.Effect<number, never, CacheBackend>>()
    })
  })

  it("of an effect, in a pipe, data-first and data-last", () => {
    typesOnly(() => {
      expectTypeOf(report.pipe(cached({ key: "a" }))).toEqualTypeOf<CachedEffect<Row, NotFound, Repo>>()
      expectTypeOf(pipe(report, cached({ key: "a" }))).toEqualTypeOf<CachedEffect<Row, NotFound, Repo>>()
      expectTypeOf(cached({ key: "a" })(report)).toEqualTypeOf<CachedEffect<Row, NotFound, Repo>>()
      const effect = cached(report, { key: "a" })
      expectTypeOf(effect).toEqualTypeOf<CachedEffect<Row, NotFound, Repo>>()
      expectTypeOf(effect).toMatchTypeOf<Effect.Effect<Row, NotFound, Repo | CacheBackend>>()
      expectTypeOf(effect.forceRecalc).toEqualTypeOf<Effect.Effect<Row, NotFound, Repo | CacheBackend>>()
      expectTypeOf(effect.requireCache).toEqualTypeOf<Effect.Effect<Row, NoCachedValue | CacheError, CacheBackend>>()
      expectTypeOf(effect.invalidate).toEqualTypeOf<Effect.Effect<void, CacheError, CacheBackend>>()
      expectTypeOf(effect.cacheKey).toEqualTypeOf<string>()
    })
  })

  it("of a pipe that goes on", () => {
    typesOnly(() => {
      const length = report.pipe(
        Effect.map((row) => row.name),
        cached({ key: "a", ttl: (name) => name.length }),
        Effect.map((name) => name.length)
      )
      expectTypeOf(length).toEqualTypeOf<Effect.Effect<number, NotFound, Repo | CacheBackend>>()
    })
  })

  it("of a function, data-last", () => {
    type Expected = CachedFunction<[id: number, locale: string], Row, NotFound, Repo>
    typesOnly(() => {
      expectTypeOf(pipe(byId, cached({ key: "row" }))).toEqualTypeOf<Expected>()
      expectTypeOf(cached({ key: "row" })(byId)).toEqualTypeOf<Expected>()
    })
  })

  it("of a method, with its this", () => {
    typesOnly(() => {
      const times = cached(
        function (this: { readonly factor: number }, n: number) {
          return Effect.succeed(this.factor * n)
        },
        { key: "times" }
      )
      const double = { factor: 2, times }
      expectTypeOf(double.times(3)).toEqualTypeOf<Effect.Effect<number, never, CacheBackend>>()
      // @ts-expect-error `this` must have a factor
      times(3)
    })
  })

  it("of getOrSet and invalidateGroup", () => {
    typesOnly(() => {
      const got = getOrSet("a", report, { ttl: (row) => row.id })
      expectTypeOf(got).toEqualTypeOf<Effect.Effect<Row, NotFound | CacheError, Repo | CacheBackend>>()
      const direct = Effect.flatMap(Backend, (cache) => cache.getOrSet("a", report, { cacheWhen: (row) => row.id > 0 }))
      expectTypeOf(direct).toEqualTypeOf<Effect.Effect<Row, NotFound | CacheError, Repo | CacheBackend>>()
      expectTypeOf(invalidateGroup("rows")).toEqualTypeOf<Effect.Effect<void, CacheError, CacheBackend>>()
    })
  })

  it("of the layers, which stand for one another", () => {
    typesOnly(() => {
      expectTypeOf(MemoryBackend.layer()).toEqualTypeOf<Layer.Layer<CacheBackend, CacheError>>()
      expectTypeOf(NoopBackend.layer).toMatchTypeOf<Layer.Layer<CacheBackend, CacheError>>()
    })
  })
})

describe("the callbacks of the options know their parameters", () => {
  it("on a function", () => {
    typesOnly(() => {
      cached(byId, {
        key: "row",
        ttl: (value, id, locale) => {
          expectTypeOf(value).toEqualTypeOf<Row>()
          expectTypeOf(id).toEqualTypeOf<number>()
          expectTypeOf(locale).toEqualTypeOf<string>()
          return "1 minute"
        },
        groups: (id, locale) => {
          expectTypeOf(id).toEqualTypeOf<number>()
          expectTypeOf(locale).toEqualTypeOf<string>()
          return [locale]
        },
        keyArgs: (id, locale) => [id, locale],
        cacheWhen: (value) => {
          expectTypeOf(value).toEqualTypeOf<Row>()
          return true
        }
      })
    })
  })

  it("and may take fewer of them", () => {
    typesOnly(() => {
      const f = cached(byId, { key: "row", keyArgs: (id) => id, groups: (id) => [`${id}`], ttl: (row) => row.id })
      expectTypeOf(f).toEqualTypeOf<CachedFunction<[id: number, locale: string], Row, NotFound, Repo>>()
    })
  })

  it("in a pipe", () => {
    typesOnly(() => {
      report.pipe(
        cached({
          key: "a",
          ttl: (value) => {
            expectTypeOf(value).toEqualTypeOf<Row>()
            return value.id
          },
          cacheWhen: (value) => {
            expectTypeOf(value).toEqualTypeOf<Row>()
            return value.name !== ""
          }
        })
      )
      pipe(
        byId,
        cached({
          key: "a",
          groups: (id) => {
            expectTypeOf(id).toEqualTypeOf<number>()
            return [`${id}`]
          },
          ttl: (value, id, locale) => {
            expectTypeOf(value).toEqualTypeOf<Row>()
            expectTypeOf(id).toEqualTypeOf<number>()
            expectTypeOf(locale).toEqualTypeOf<string>()
            return id
          }
        })
      )
    })
  })

  it("and do not widen what is lifted", () => {
    typesOnly(() => {
      const f = cached((id: 1 | 2) => Effect.succeed(id), { key: "a", cacheWhen: () => true, groups: () => [] })
      expectTypeOf(f(1)).toEqualTypeOf<Effect.Effect<1 | 2, never, CacheBackend>>()
    })
  })

  it("are refused where they take something else", () => {
    typesOnly(() => {
      // @ts-expect-error the first argument is a number
      cached(byId, { key: "row", keyArgs: (id: string) => id })
      // @ts-expect-error the value is a Row
      cached(byId, { key: "row", ttl: (value: string) => value.length })
      // @ts-expect-error the value is a Row
      report.pipe(cached({ key: "a", ttl: (value: string) => value.length }))
      // @ts-expect-error an effect has no arguments
      report.pipe(cached({ key: "a", groups: (id: number) => [`${id}`] }))
      // @ts-expect-error the first argument is a number
      cached({ key: "a", groups: (id: string) => [id] })(byId)
      // @ts-expect-error the key is required
      cached(byId, { ttl: "1 minute" })
      // @ts-expect-error the schema is of another type
      cached(byId, { key: "a", schema: Schema.String })
    })
  })

  it("and a schema fits the value, whatever it encodes to", () => {
    typesOnly(() => {
      const Rows = Schema.Struct({ id: Schema.NumberFromString, name: Schema.String })
      expectTypeOf(cached(byId, { key: "a", schema: Rows })).toEqualTypeOf<
        CachedFunction<[id: number, locale: string], Row, NotFound, Repo>
      >()
    })
  })
})

describe("the decorator", () => {
  it("keeps the method's type", () => {
    typesOnly(() => {
      class Rows {
        @cached({ key: "Rows.byId", ttl: "1 day" })
        byId(id: number, _page = 1): Effect.Effect<Row, NotFound, Repo | CacheBackend> {
          return byId(id, "pt")
        }

        @cached({ key: "Rows.all", groups: (locale: string) => [locale] })
        static all(locale: string): Effect.Effect<Row, NotFound, Repo | CacheBackend> {
          return byId(1, locale)
        }
      }
      const rows = new Rows()
      expectTypeOf(rows.byId(1)).toEqualTypeOf<Effect.Effect<Row, NotFound, Repo | CacheBackend>>()
      expectTypeOf(asCached(rows.byId).invalidate(1)).toEqualTypeOf<Effect.Effect<void, CacheError, CacheBackend>>()
      expectTypeOf(asCached(Rows.all).requireCache("pt")).toEqualTypeOf<
        Effect.Effect<Row, NoCachedValue | CacheError, CacheBackend>
      >()
    })
  })

  it("is a type error where it would hide a requirement or take other arguments", () => {
    typesOnly(() => {
      class Rows {
        // @ts-expect-error a decorator can't add CacheBackend to the declared requirements
        @cached({ key: "Rows.hidden" })
        hidden(id: number): Effect.Effect<number> {
          return Effect.succeed(id)
        }

        // @ts-expect-error the method takes a number
        @cached({ key: "Rows.other", groups: (id: string) => [id] })
        other(id: number): Effect.Effect<number, never, CacheBackend> {
          return Effect.succeed(id)
        }

        // @ts-expect-error the method returns no effect
        @cached({ key: "Rows.plain" })
        plain(id: number): number {
          return id
        }
      }
      return new Rows()
    })
  })
})
