/**
 * Memoizes functions, methods and effects.
 *
 * @since 0.1.0
 */
import type { Context, Effect } from "effect"
import type { CacheBackend, CacheBackendService } from "./CacheBackend.js"
import type { CachedEffectOf, CachedFunctionOf, CachedOptions } from "./CachedFunction.js"
import type { Unscoped } from "./CacheOptions.js"
import * as internal from "./internal/memoized/lifting/lift.js"
import type {
  Inferred,
  Keeping,
  Schematic,
  Settled,
  Target,
  Uncontextual
} from "./internal/memoized/lifting/signatures.js"

/**
 * A memoized function in the program's `CacheBackend`. `CachedFunctionOf` says what its operations do.
 *
 * @example
 * import { Effect } from "effect"
 * import { cached } from "effect-cached"
 *
 * const square = cached((n: number) => Effect.sync(() => n * n), { key: "square", ttl: "1 hour" })
 *
 * const program = Effect.gen(function* () {
 *   yield* square(12) //              144
 *   yield* square.invalidate(12)
 *   yield* square.forceRecalc(12) //  144, computed again
 *   yield* square.requireCache(12) // 144, from the cache
 *   return square.cacheKey(12) //     "square(12)"
 * })
 *
 * @since 0.1.0
 * @category models
 */
export interface CachedFunction<Args extends ReadonlyArray<unknown>, out A, out E, out R, in This = unknown>
  extends CachedFunctionOf<CacheBackend, Args, A, E, R, This> {}

/**
 * A memoized effect in the program's `CacheBackend`. Its properties are the operations of `CachedFunctionOf`.
 *
 * @example
 * import { Effect } from "effect"
 * import { cached } from "effect-cached"
 *
 * const report = Effect.succeed({ total: 3 }).pipe(cached({ key: "report", ttl: "5 minutes" }))
 *
 * const program = Effect.zipRight(report.invalidate, report)
 *
 * @since 0.1.0
 * @category models
 */
export interface CachedEffect<out A, out E, out R> extends CachedEffectOf<CacheBackend, A, E, R> {}

/**
 * The option of `cached` that names its cache.
 *
 * @since 0.1.0
 * @category models
 */
export interface BackendOption<Backend> {
  /** The cache: a tag that `CacheBackend.Tag` has made. Its function requires this one then. Default: `CacheBackend`. */
  readonly backend?: Context.Tag<Backend, CacheBackendService>
}

/** A short name for the usual case. */
type FunctionIn<Backend, Args extends ReadonlyArray<unknown>, A, E, R, This> = [Backend] extends [CacheBackend]
  ? CachedFunction<Args, A, E, R, This>
  : CachedFunctionOf<Backend, Args, A, E, R, This>

type EffectIn<Backend, A, E, R> = [Backend] extends [CacheBackend]
  ? CachedEffect<A, E, R>
  : CachedEffectOf<Backend, A, E, R>

/**
 * What `cached(options)` returns. It takes a function, decorates a method, or ends a pipe.
 *
 * A decorated method must declare `CacheBackend` among its requirements, because a decorator can't add it. The method of an
 * instance is bound to it, and so are its operations: `asCached(city.bySlug).invalidate("lisbon")`.
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
  Known = unknown,
  Backend = CacheBackend
> = <E, R, B extends A, This extends Self, Own extends ReadonlyArray<unknown> = never>(
  target: Target<A, Args, Self, RefreshR, Known, B, E, R, This, Own>,
  context?: ClassMethodDecoratorContext<This>
) => [Own] extends [never]
  ? EffectIn<Backend, [Kept] extends [never] ? B : Kept, E | RefreshE, R | RefreshR>
  : FunctionIn<Backend, Own, [Kept] extends [never] ? B : Kept, E | RefreshE, R | RefreshR, This>

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
  <This, B extends A, E, R, Args extends ReadonlyArray<unknown> = never, A = B, Backend = CacheBackend>(
    f: ((this: This, ...args: Args) => Effect.Effect<B, E, R>) & Unscoped<R>,
    options: Keeping<A, Settled<Args>, NoInfer<This>, E, R> & BackendOption<Backend> & Inferred<Args>
  ): FunctionIn<Backend, Args, A, E, R, This>
  <This, Args extends ReadonlyArray<unknown>, B extends A, E, R, A = B, Backend = CacheBackend>(
    f: (((this: This, ...args: Args) => Effect.Effect<B, E, R>) & Unscoped<R>) | Uncontextual,
    options: Keeping<A, Settled<Args>, NoInfer<This>, E, R> & BackendOption<Backend>
  ): FunctionIn<Backend, Args, A, E, R, This>
  <B extends A, E, R, A = B, Backend = CacheBackend>(
    effect: Effect.Effect<B, E, R> & Unscoped<R>,
    options: Keeping<A, [], unknown, E, R> & BackendOption<Backend>
  ): EffectIn<Backend, A, E, R>
  <
    A,
    Args extends ReadonlyArray<unknown> = never,
    This = unknown,
    E = never,
    R = never,
    F = unknown,
    Backend = CacheBackend
  >(
    options: Schematic<A, Args, This, E, R, F> & BackendOption<Backend>
  ): Lift<A, Args, This, A, E, R, F, Backend>
  <
    A,
    Args extends ReadonlyArray<unknown> = never,
    This = unknown,
    E = never,
    R = never,
    F = unknown,
    Backend = CacheBackend
  >(
    options: CachedOptions<A, Args, This, E, R, F> & BackendOption<Backend>
  ): Lift<A, Args, This, never, E, R, F, Backend>
  // The implementation distinguishes the cases at run time and is untyped: these signatures are its types.
} = internal.cached as never

/**
 * A decorated method, typed as the memoized function that it is, with its operations: a decorator can't change the type of a
 * method. Throws a `TypeError` for a function that `cached` did not make.
 *
 * @param backend the option `backend` of the decorator, which says what the operations require
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
export const asCached: <This, Args extends ReadonlyArray<unknown>, A, E, R, Backend = CacheBackend>(
  method: (this: This, ...args: Args) => Effect.Effect<A, E, R>,
  backend?: Context.Tag<Backend, CacheBackendService>
) => FunctionIn<Backend, Args, A, E, R, This> =
  // Untyped as `internal.cached` is.
  internal.asCached as never
