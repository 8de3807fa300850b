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

describe("the result is what the schema keeps of the value", () => {
  const Id = Schema.Struct({ id: Schema.Number })
  type Id = typeof Id.Type
  type Expected = CachedFunction<[id: number, locale: string], Id, NotFound, Repo>

  it("of a function, data-first, data-last and in a pipe", () => {
    typesOnly(() => {
      expectTypeOf(cached(byId, { key: "a", schema: Id })).toEqualTypeOf<Expected>()
      expectTypeOf(cached({ key: "a", schema: Id })(byId)).toEqualTypeOf<Expected>()
      expectTypeOf(pipe(byId, cached({ key: "a", schema: Id }))).toEqualTypeOf<Expected>()
      // @ts-expect-error the second call has no name
      cached({ key: "a", schema: Id })(byId)(1, "pt").pipe(Effect.map((row) => row.name))
    })
  })

  it("of an effect and of getOrSet", () => {
    typesOnly(() => {
      expectTypeOf(cached(report, { key: "a", schema: Id })).toEqualTypeOf<CachedEffect<Id, NotFound, Repo>>()
      expectTypeOf(cached({ key: "a", schema: Id })(report)).toEqualTypeOf<CachedEffect<Id, NotFound, Repo>>()
      expectTypeOf(report.pipe(cached({ key: "a", schema: Id }))).toEqualTypeOf<CachedEffect<Id, NotFound, Repo>>()
      const got = getOrSet("a", report, { schema: Id })
      expectTypeOf(got).toEqualTypeOf<Effect.Effect<Id, NotFound | CacheError, Repo | CacheBackend>>()
    })
  })

  it("and the callbacks take it", () => {
    typesOnly(() => {
      const ttl = (value: Id) => value.id
      expectTypeOf(cached(byId, { key: "a", schema: Id, ttl })).toEqualTypeOf<Expected>()
      const first = cached(byId, { key: "a", schema: Id, ttl: (value, id) => value.id + id, keyArgs: (id) => id })
      expectTypeOf(first).toEqualTypeOf<Expected>()
      const piped = pipe(
        byId,
        cached({
          key: "a",
          schema: Id,
          ttl: (value, id) => {
            expectTypeOf(value).toEqualTypeOf<Id>()
            return id
          },
          cacheWhen: (value) => value.id > 0
        })
      )
      expectTypeOf(piped).toEqualTypeOf<Expected>()
      // Without a schema a callback that takes less says nothing of the result.
      expectTypeOf(cached(byId, { key: "a", ttl, cacheWhen: (_: unknown) => true })).toEqualTypeOf<
        CachedFunction<[id: number, locale: string], Row, NotFound, Repo>
      >()
    })
  })

  it("and the function returns all of it", () => {
    const More = Schema.Struct({ id: Schema.Number, more: Schema.String })
    typesOnly(() => {
      // @ts-expect-error a Row has no more
      cached(byId, { key: "a", schema: More })
      // @ts-expect-error a Row has no more
      cached({ key: "a", schema: More })(byId)
      // @ts-expect-error a Row has no more
      report.pipe(cached({ key: "a", schema: More }))
      // @ts-expect-error the schema has no undefined
      cached((id: number) => Effect.succeed(id > 0 ? { id } : undefined), { key: "a", schema: Id })
    })
  })
})

describe("parameters keep their types", () => {
  it("with a default", () => {
    type Expected = CachedFunction<[a: string, b?: number], string, never, never>
    typesOnly(() => {
      const f = cached((a: string, b = 3) => Effect.succeed(a.repeat(b)), { key: "a" })
      expectTypeOf(f).toEqualTypeOf<Expected>()
      // @ts-expect-error b is a number
      f("a", { anything: true })
      expectTypeOf(cached({ key: "a" })((a: string, b = 3) => Effect.succeed(a.repeat(b)))).toEqualTypeOf<Expected>()
      expectTypeOf(
        pipe((a: string, b = 3) => Effect.succeed(a.repeat(b)), cached({ key: "a" }))
      ).toEqualTypeOf<Expected>()
      const all = cached((a = "x", { b = 1, c = [""] } = {}) => Effect.succeed(`${a}${b}${c}`), {
        key: "a",
        keyArgs: (a, rest) => [a, rest?.b]
      })
      expectTypeOf(all).parameters.toEqualTypeOf<[a?: string, { b?: number; c?: Array<string> }?]>()
    })
  })

  it("optional, and as a rest", () => {
    typesOnly(() => {
      const optional = cached((a: string, b?: number) => Effect.succeed([a, b]), { key: "a" })
      expectTypeOf(optional).parameters.toEqualTypeOf<[a: string, b?: number]>()
      const rest = cached((a: string, ...b: Array<number>) => Effect.succeed([a, b]), { key: "a" })
      expectTypeOf(rest).parameters.toEqualTypeOf<[a: string, ...b: Array<number>]>()
    })
  })

  it("where the type of the result tells them", () => {
    typesOnly(() => {
      const f: (a: string) => Effect.Effect<string, never, CacheBackend> = cached((a) => Effect.succeed(a.trim()), {
        key: "a"
      })
      return f
    })
  })
})

describe("the callbacks of the options know the method's `this`", () => {
  interface Service {
    readonly tenant: string
  }
  function bySlug(this: Service, slug: string): Effect.Effect<string> {
    return Effect.succeed(this.tenant + slug)
  }

  it("data-first and in a pipe", () => {
    type Expected = CachedFunction<[slug: string], string, never, never, Service>
    typesOnly(() => {
      const first = cached(bySlug, {
        key: "a",
        keyArgs: function (slug) {
          expectTypeOf(this).toEqualTypeOf<Service>()
          return [this.tenant, slug]
        },
        groups: function () {
          return [this.tenant]
        },
        ttl: function (value) {
          return this.tenant.length + value.length
        }
      })
      expectTypeOf(first).toEqualTypeOf<Expected>()
      const piped = pipe(
        bySlug,
        cached({
          key: "a",
          keyArgs: function (slug) {
            return [this.tenant, slug]
          }
        })
      )
      expectTypeOf(piped).toEqualTypeOf<Expected>()
    })
  })

  it("where they name it", () => {
    const options = {
      key: "a",
      keyArgs: function (this: Service, slug: string) {
        return [this.tenant, slug]
      }
    }
    const foreign = {
      key: "a",
      keyArgs: function (this: { readonly locale: string }, slug: string) {
        return [this.locale, slug]
      }
    }
    typesOnly(() => {
      expectTypeOf(cached(options)(bySlug)).toEqualTypeOf<
        CachedFunction<[slug: string], string, never, never, Service>
      >()
      // @ts-expect-error a Service has no locale
      cached(foreign)(bySlug)
      // @ts-expect-error a function that is no method has no `this`
      cached((slug: string) => Effect.succeed(slug), foreign)
      class Cities {
        readonly tenant = "acme"

        @cached(options)
        bySlug(slug: string): Effect.Effect<string, never, CacheBackend> {
          return Effect.succeed(slug)
        }

        // @ts-expect-error the class has no locale
        @cached(foreign)
        byName(slug: string): Effect.Effect<string, never, CacheBackend> {
          return Effect.succeed(slug)
        }
      }
      return Cities
    })
  })
})

describe("the decorator", () => {
  it("refuses a declared type with more than the schema keeps", () => {
    const Id = Schema.Struct({ id: Schema.Number })
    typesOnly(() => {
      class Rows {
        @cached({ key: "Rows.byId", schema: Id })
        byId(id: number): Effect.Effect<typeof Id.Type, NotFound, Repo | CacheBackend> {
          return byId(id, "pt")
        }

        // @ts-expect-error the second call has no name
        @cached({ key: "Rows.all", schema: Id })
        all(id: number): Effect.Effect<Row, NotFound, Repo | CacheBackend> {
          return byId(id, "pt")
        }
      }
      return Rows
    })
  })

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
