/**
 * The options of `cached`, and what it makes, in whatever cache.
 *
 * @since 0.1.0
 */
import type { Effect } from "effect"
import type { CacheError, NoCachedValue } from "./CacheError.js"
import type { MemoOptions } from "./CacheOptions.js"

/**
 * The options of `cached`.
 *
 * @since 0.1.0
 * @category models
 */
export interface CachedOptions<
  A,
  Args extends ReadonlyArray<unknown> = [],
  This = unknown,
  // biome-ignore lint/suspicious/noExplicitAny: as in `MemoOptions`
  E = any,
  // biome-ignore lint/suspicious/noExplicitAny: as in `MemoOptions`
  R = any,
  F = E
> extends MemoOptions<A, Args, This, E, R, F> {
  /**
   * The name of the entries; the arguments are added to it. Required, because a function's own name changes with refactoring and
   * minifying. The name is also a label of the metrics, so it must not hold an id. An effect that depends on one has
   * `["city", id]`: the name, and what stands before the arguments. Its key is `city("lisbon")`, that of a function
   * with the key `"city"` which is called with `"lisbon"`.
   */
  readonly key: string | readonly [name: string, ...parts: ReadonlyArray<unknown>]
  /**
   * Which part of the arguments makes the key: one value, or an array of values. Needed if an argument is a function or an
   * instance. A method's `this` is no part of the key, unless `keyArgs` is a `function` that picks from it. It is asked again
   * before a value is stored: if the key is another one then, because an argument was changed meanwhile, nothing is stored.
   *
   * Default: all arguments that the function sees. So the index that `ids.map(f)` and `Effect.forEach(ids, f)` pass is no part of
   * the key, if the function has neither a default nor a rest parameter, is not bound, and does not come out of a wrapper such as
   * `Effect.fn`; else write `(id) => f(id)`.
   */
  readonly keyArgs?: (this: This, ...args: Args) => unknown
}

/**
 * A memoized function. It fails with the errors of the memoized effect only: when the store fails, it computes as if there were no
 * cache. It requires what the effect requires, and its cache: `Backend` is `CacheBackend`, the cache that the option `backend`
 * names, or `never` for a function that `cached` of a service has made. An argument that can't be printed and an option out of its
 * range are mistakes of the program: the call dies with `CacheError` (`InvalidKey`, `InvalidOption`).
 *
 * `This` is the type of `this` in a method; in other functions it is `unknown`. A round trip (RT) is one exchange with the store.
 *
 * @since 0.1.0
 * @category models
 */
export interface CachedFunctionOf<
  out Backend,
  Args extends ReadonlyArray<unknown>,
  out A,
  out E,
  out R,
  in This = unknown
> {
  /** The value: from the cache, or computed by one caller of all processes. 1 RT on a hit, 3 for the caller that computes. */
  (this: This, ...args: Args): Effect.Effect<A, E, R | Backend>
  /** Removes the entry and voids running computations, so what they compute is not stored. Fails if the store fails. 1 RT. */
  readonly invalidate: (this: unknown, ...args: Args) => Effect.Effect<void, CacheError, Backend>
  /**
   * Computes now, stores the value and returns it. Other callers are served the old value until then, and never after. 3 RT.
   * A method that uses `this` needs `service.method.forceRecalc.call(service, …)`, and if `keyArgs` uses it, so do the other
   * operations; a decorated method is bound already.
   */
  readonly forceRecalc: (this: unknown, ...args: Args) => Effect.Effect<A, E, R | Backend>
  /**
   * The cached value, fresh or stale. Never computes: without a value it fails with `NoCachedValue`, also where
   * an error is kept (`failures`). 1 RT.
   */
  readonly requireCache: (this: unknown, ...args: Args) => Effect.Effect<A, NoCachedValue | CacheError, Backend>
  /** The key for the direct operations: readable, without namespace and version. Throws `CacheError` (`InvalidKey`). */
  readonly cacheKey: (this: unknown, ...args: Args) => string
}

/**
 * A memoized effect. Its properties are the operations of `CachedFunctionOf`.
 *
 * @since 0.1.0
 * @category models
 */
export interface CachedEffectOf<out Backend, out A, out E, out R> extends Effect.Effect<A, E, R | Backend> {
  readonly invalidate: Effect.Effect<void, CacheError, Backend>
  readonly forceRecalc: Effect.Effect<A, E, R | Backend>
  readonly requireCache: Effect.Effect<A, NoCachedValue | CacheError, Backend>
  readonly cacheKey: string
}
