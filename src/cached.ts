/**
 * Memoizes functions, methods and effects.
 *
 * @since 0.1.0
 */
import type { Effect, Schema } from "effect"
import type { CachedEffect, CachedFunction, CachedOptions } from "./CachedFunction.js"
import type { Unscoped } from "./CacheOptions.js"
import * as internal from "./internal/memoized/lift.js"

/** `T` itself, but nothing is inferred from it. With `NoInfer` a callback could not take fewer parameters than the function. */
type Settled<T extends ReadonlyArray<unknown>> = [T][T extends unknown ? 0 : never]

/** Whether option callbacks that take `Args` can be called with the function's own arguments. */
type Matching<Args extends ReadonlyArray<unknown>, Own extends ReadonlyArray<unknown>> = [Args] extends [never]
  ? unknown
  : ((...args: Args) => void) extends (...args: Own) => void
    ? unknown
    : "the option callbacks take other arguments than the function"

/** The options, of which only the schema says what the value is. */
type Keeping<A, Args extends ReadonlyArray<unknown>, This, E, R> = CachedOptions<
  NoInfer<A>,
  Args,
  This,
  NoInfer<E>,
  NoInfer<R>
> & {
  // biome-ignore lint/suspicious/noExplicitAny: as in `MemoOptions`
  readonly schema?: Schema.Schema<A, any>
}

/** Whether the option `failures` knows all errors that the function may fail with. */
type Knowing<Known, E> = [E] extends [Known] ? unknown : "the option failures does not know all errors of the function"

/** Refuses arguments that neither the function's annotations nor the type that is expected of the result tell. */
type Inferred<Args extends ReadonlyArray<unknown>> = [Args] extends [never] ? "the arguments have no types" : unknown

/** In a union with a function type it takes the context away: in `(a: string, b = 3) => …` `b` is then a number, not `unknown`. */
type Uncontextual = (uncontextual: Uncontextual) => Uncontextual

/**
 * What `cached(options)` returns. It takes a function, decorates a method, or ends a pipe.
 *
 * A decorated method must declare `CacheBackend` among its requirements, because a decorator can't add it. The method of an instance
 * is bound to it, and so are its operations: `asCached(city.bySlug).invalidate("lisbon")`.
 *
 * It has a single signature, because TypeScript infers nothing through overloads in a pipe.
 *
 * @since 0.1.0
 * @category models
 */
export type Lift<
  A,
  Args extends ReadonlyArray<unknown>,
  Self = unknown,
  Kept = never,
  RefreshE = never,
  RefreshR = never,
  Known = unknown
> = <E, R, B extends A, This extends Self, Own extends ReadonlyArray<unknown> = never>(
  target:
    | (Effect.Effect<A, E, R> &
        Effect.Effect<B, E, R> &
        Matching<Args, []> &
        Unscoped<R | RefreshR> &
        Knowing<Known, E>)
    | (((this: This, ...args: Own) => Effect.Effect<A, E, R> & Effect.Effect<B, E, R>) &
        Matching<Args, Own> &
        Unscoped<R | RefreshR> &
        Knowing<Known, E>)
    // Gives the callbacks of the options the argument types of the function in the pipe.
    | (((this: Self, ...args: Args) => Effect.Effect<A, E, R> & Effect.Effect<B, E, R>) &
        Unscoped<R | RefreshR> &
        Knowing<Known, E>),
  context?: ClassMethodDecoratorContext<This>
) => [Own] extends [never]
  ? CachedEffect<[Kept] extends [never] ? B : Kept, E | RefreshE, R | RefreshR>
  : CachedFunction<Own, [Kept] extends [never] ? B : Kept, E | RefreshE, R | RefreshR, This>

/**
 * Memoizes an effect, or what a function or method returns, in the `CacheBackend` of the program.
 *
 * One caller of all processes computes a missing value (Facebook's leases: Nishtala et al., NSDI 2013) or a stale one (Django's
 * MintCache: the others are served the stale value meanwhile). The callers in one process wait for one computation, which none of
 * them owns: it is interrupted when its last caller is. A value that is invalidated while it is computed is not stored. When the
 * store fails, it computes without it. Inside a SQL transaction it reads the cache and stores nothing. 1 round trip on a hit, 3 for
 * the caller that computes, 4 where a group has no version yet.
 *
 * @example
 * import { Effect } from "effect"
 * import { cached, MemoryBackend } from "effect-cached"
 *
 * const square = cached((n: number) => Effect.sync(() => n * n), { key: "square", ttl: "1 hour" })
 *
 * const program = Effect.gen(function* () {
 *   yield* square(12) // computes
 *   yield* square(12) // from the cache
 *   yield* square.invalidate(12)
 *   return square.cacheKey(12) // "square(12)"
 * })
 *
 * Effect.runPromise(program.pipe(Effect.provide(MemoryBackend.layer({ maxEntries: 1_000 }))))
 *
 * @example
 * import { Effect } from "effect"
 * import { cached } from "effect-cached"
 *
 * const report = Effect.succeed({ total: 3 }).pipe(cached({ key: "report", ttl: "5 minutes", groups: ["sales"] }))
 * const recalculated = report.forceRecalc
 *
 * @since 0.1.0
 * @category combinators
 */
export const cached: {
  <This, B extends A, E, R, Args extends ReadonlyArray<unknown> = never, A = B>(
    f: ((this: This, ...args: Args) => Effect.Effect<B, E, R>) & Unscoped<R>,
    options: Keeping<A, Settled<Args>, NoInfer<This>, E, R> & Inferred<Args>
  ): CachedFunction<Args, A, E, R, This>
  <This, Args extends ReadonlyArray<unknown>, B extends A, E, R, A = B>(
    f: (((this: This, ...args: Args) => Effect.Effect<B, E, R>) & Unscoped<R>) | Uncontextual,
    options: Keeping<A, Settled<Args>, NoInfer<This>, E, R>
  ): CachedFunction<Args, A, E, R, This>
  <B extends A, E, R, A = B>(
    effect: Effect.Effect<B, E, R> & Unscoped<R>,
    options: Keeping<A, [], unknown, E, R>
  ): CachedEffect<A, E, R>
  <A, Args extends ReadonlyArray<unknown> = never, This = unknown, E = never, R = never, F = unknown>(
    // biome-ignore lint/suspicious/noExplicitAny: as in `MemoOptions`
    options: CachedOptions<NoInfer<A>, Args, This, E, R, F> & { readonly schema: Schema.Schema<A, any> }
  ): Lift<A, Args, This, A, E, R, F>
  <A, Args extends ReadonlyArray<unknown> = never, This = unknown, E = never, R = never, F = unknown>(
    options: CachedOptions<A, Args, This, E, R, F>
  ): Lift<A, Args, This, never, E, R, F>
  // The implementation distinguishes the cases at run time and is untyped: these signatures are its types.
} = internal.cached as never

/**
 * A decorated method, typed as the memoized function that it is, with its operations: a decorator can't change the type of a method.
 * Throws a `TypeError` for a function that `cached` did not make.
 *
 * @example
 * import { Effect } from "effect"
 * import { asCached, type CacheBackend, cached } from "effect-cached"
 *
 * class Cities {
 *   \@cached({ key: "Cities.bySlug", ttl: "1 day" })
 *   bySlug(slug: string): Effect.Effect<string, never, CacheBackend> {
 *     return Effect.succeed(slug.toUpperCase())
 *   }
 * }
 *
 * const cities = new Cities()
 * const invalidated = asCached(cities.bySlug).invalidate("lisbon")
 *
 * @since 0.1.0
 * @category combinators
 */
export const asCached: <This, Args extends ReadonlyArray<unknown>, A, E, R>(
  method: (this: This, ...args: Args) => Effect.Effect<A, E, R>
) => CachedFunction<Args, A, E, R, This> =
  // Untyped as `internal.cached` is.
  internal.asCached as never
