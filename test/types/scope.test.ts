/** A computation that requires `Scope` is a type error that says what to do. Nothing else is: these types are the test. */
import { type Context, Effect, pipe, type Scope } from "effect"
import { asCached, CacheBackend, type CachedEffect, type CachedFunction, cached, getOrSet } from "effect-cached"
import { describe, expectTypeOf, it } from "vitest"

declare class Repo {
  readonly find: () => void
}
declare const query: Effect.Effect<number, "refused", Repo | Scope.Scope>
declare const byId: (id: number) => Effect.Effect<number, "refused", Repo | Scope.Scope>

/** The types are the test: nothing in here runs. */
const typesOnly = (_: () => void): void => {}

describe("a computation that requires Scope", () => {
  it("is a type error in every form", () => {
    typesOnly(() => {
      // @ts-expect-error an effect
      cached(query, { key: "a" })
      // @ts-expect-error a function
      cached(byId, { key: "a" })
      // @ts-expect-error a function written in place
      cached((id: number) => Effect.andThen(Effect.scope, byId(id)), { key: "a" })
      // @ts-expect-error an effect in a pipe
      query.pipe(cached({ key: "a" }))
      // @ts-expect-error an effect, data-last
      cached({ key: "a" })(query)
      // @ts-expect-error a function in a pipe
      pipe(byId, cached({ key: "a" }))
      // @ts-expect-error a function, data-last, with callbacks
      cached({ key: "a", groups: (id: number) => [`${id}`] })(byId)
      // @ts-expect-error a scope that can be closed is one too
      cached(Effect.asVoid(Effect.context<Scope.CloseableScope>()), { key: "a" })
      // @ts-expect-error getOrSet
      getOrSet("a", query)
      // @ts-expect-error getOrSet of the service
      Effect.flatMap(CacheBackend, (cache) => cache.getOrSet("a", query))

      class Rows {
        // @ts-expect-error a method
        @cached({ key: "Rows.byId" })
        byId(id: number): Effect.Effect<number, "refused", Repo | Scope.Scope | CacheBackend> {
          return byId(id)
        }
      }
      return new Rows()
    })
  })

  it("is none once it has a scope of its own", () => {
    typesOnly(() => {
      expectTypeOf(cached(Effect.scoped(query), { key: "a" })).toEqualTypeOf<CachedEffect<number, "refused", Repo>>()
      expectTypeOf(cached((id: number) => Effect.scoped(byId(id)), { key: "a" })).toEqualTypeOf<
        CachedFunction<[id: number], number, "refused", Repo>
      >()
    })
  })
})

describe("no type error are", () => {
  it("requirements that are a type parameter of the caller", () => {
    typesOnly(() => {
      const effect = <A, E, R>(self: Effect.Effect<A, E, R>) => cached(self, { key: "a" })
      const piped = <A, E, R>(self: Effect.Effect<A, E, R>) => self.pipe(cached({ key: "a" }))
      const f = <A, E, R>(self: (id: number) => Effect.Effect<A, E, R>) => cached(self, { key: "a" })
      const set = <A, E, R>(self: Effect.Effect<A, E, R>) => getOrSet("a", self)
      const method = <A, E, R>(self: (id: number) => Effect.Effect<A, E, R>) => asCached(self)
      return [effect, piped, f, set, method]
    })
  })

  it("requirements that are not known, any, or empty", () => {
    typesOnly(() => {
      // biome-ignore lint/complexity/noBannedTypes: an identifier without members, which Scope would extend
      type Empty = {}
      cached(Effect.asVoid(Effect.context<Empty>()), { key: "a" })
      const unknown = Effect.void as Effect.Effect<void, never, unknown>
      cached(unknown, { key: "a" })
      const any = Effect.void as Effect.Effect<void, never, Context.Context<never> & ReturnType<typeof JSON.parse>>
      cached(any, { key: "a" })
    })
  })
})
