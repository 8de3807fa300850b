/**
 * Lifts functions, methods and effects into memoized ones.
 *
 * @since 0.1.0
 */
import type { Effect } from "effect"
import type { CachedEffect, CachedFunction, CachedOptions } from "./CachedFunction.js"
import * as internal from "./internal/memoized/lift.js"

/** `T` itself, but nothing is inferred from it. `NoInfer` does not do for rest parameters: callbacks could not be shorter. */
type Settled<T extends ReadonlyArray<unknown>> = [T][T extends unknown ? 0 : never]

/** Whether option callbacks that take `Args` can be called with the function's own arguments. */
type Matching<Args extends ReadonlyArray<unknown>, Own extends ReadonlyArray<unknown>> = [Args] extends [never]
  ? unknown
  : ((...args: Args) => void) extends (...args: Own) => void
    ? unknown
    : "the option callbacks take other arguments than the function"

/**
 * What `cached(options)` gives: takes a function, decorates a method, or ends a pipe.
 *
 * A decorated method must declare `CacheBackend` among its requirements (a decorator can't add them). On an instance the
 * method is bound to it, its four operations too: `asCached(city.bySlug).invalidate("lisbon")`.
 *
 * It is a single signature because a pipe infers nothing through overloads.
 *
 * @since 0.1.0
 * @category models
 */
export type Lift<A, Args extends ReadonlyArray<unknown>> = <
  E,
  R,
  B extends A,
  This,
  Own extends ReadonlyArray<unknown> = never
>(
  target:
    | (Effect.Effect<A, E, R> & Effect.Effect<B, E, R> & Matching<Args, []>)
    | (((this: This, ...args: Own) => Effect.Effect<A, E, R> & Effect.Effect<B, E, R>) & Matching<Args, Own>)
    // Gives the callbacks of the options the argument types of the function in the pipe.
    | ((...args: Args) => Effect.Effect<A, E, R> & Effect.Effect<B, E, R>),
  context?: ClassMethodDecoratorContext
) => [Own] extends [never] ? CachedEffect<B, E, R> : CachedFunction<Own, B, E, R, This>

/**
 * Memoizes an effect, or what a function or method returns, in the `CacheBackend` of the program.
 *
 * One caller of all processes computes a missing value (Facebook's leases: Nishtala et al., NSDI 2013) or a stale one
 * (MintCache: the others are served the stale value meanwhile); callers in one process wait on one computation, which
 * none of them owns: it is interrupted when the last of them is. What was invalidated while it was computed is not
 * stored. Inside a SQL transaction it reads the cache and stores nothing.
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
  <This, Args extends ReadonlyArray<unknown>, A, E, R>(
    f: (this: This, ...args: Args) => Effect.Effect<A, E, R>,
    options: CachedOptions<NoInfer<A>, Settled<Args>>
  ): CachedFunction<Args, A, E, R, This>
  <A, E, R>(effect: Effect.Effect<A, E, R>, options: CachedOptions<NoInfer<A>>): CachedEffect<A, E, R>
  <A, Args extends ReadonlyArray<unknown> = never>(options: CachedOptions<A, Args>): Lift<A, Args>
  // The implementation tells its cases apart at run time, where there are no types: these signatures are its types.
} = internal.cached as never

/**
 * The memoized function that a decorated method is, with its four operations, which a decorator can't show in the
 * method's type. Throws a `TypeError` for a function that `cached` did not make.
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
  // As above.
  internal.asCached as never
