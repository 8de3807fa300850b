/**
 * What `cached` takes and gives.
 *
 * @since 0.1.0
 */
import type { Effect } from "effect"
import type { CacheBackend, MemoOptions } from "./CacheBackend.js"
import type { CacheError, NoCachedValue } from "./CacheError.js"

/**
 * @since 0.1.0
 * @category models
 */
export interface CachedOptions<A, Args extends ReadonlyArray<unknown> = []> extends MemoOptions<A, Args> {
  /** Names the entries; the arguments are added to it. It survives refactoring and minifying, so it is required. */
  readonly key: string
  /**
   * Which part of the arguments makes the key: one value, or an array of them. Needed where an argument is a function or
   * an instance. Default: all of them.
   */
  readonly keyArgs?: (...args: Args) => unknown
}

/**
 * A memoized function. Its error and requirement channels are the lifted effect's, plus `CacheBackend`: while the store
 * fails it computes as if there were no cache. A key that can't be spelled and an option out of its range are mistakes of
 * the program, hence defects (`CacheError` with reason `InvalidKey` or `InvalidOption`).
 *
 * `This` is what a method needs as its `this`; of other functions it is `unknown`.
 *
 * @since 0.1.0
 * @category models
 */
export interface CachedFunction<Args extends ReadonlyArray<unknown>, out A, out E, out R, in This = unknown> {
  /** The value, from the cache or computed by one caller of all processes. 1 RT on a hit. */
  (this: This, ...args: Args): Effect.Effect<A, E, R | CacheBackend>
  /** Makes what is cached, and what is being computed, for these arguments count no more. 1 RT. */
  readonly invalidate: (...args: Args) => Effect.Effect<void, CacheError, CacheBackend>
  /**
   * Computes now, stores and returns. What was there is served to others until then, and never after. 3 RT.
   * For a method that uses `this`: `service.method.forceRecalc.call(service, …)`, or the decorator, which binds it.
   */
  readonly forceRecalc: (this: unknown, ...args: Args) => Effect.Effect<A, E, R | CacheBackend>
  /** The cached value, fresh or stale; never computes: fails with `NoCachedValue`. 1 RT. */
  readonly requireCache: (...args: Args) => Effect.Effect<A, NoCachedValue | CacheError, CacheBackend>
  /** The readable key, without namespace and version, for the direct operations. Throws `CacheError` (`InvalidKey`). */
  readonly cacheKey: (...args: Args) => string
}

/**
 * A memoized effect, with the operations of `CachedFunction`.
 *
 * @since 0.1.0
 * @category models
 */
export interface CachedEffect<out A, out E, out R> extends Effect.Effect<A, E, R | CacheBackend> {
  readonly invalidate: Effect.Effect<void, CacheError, CacheBackend>
  readonly forceRecalc: Effect.Effect<A, E, R | CacheBackend>
  readonly requireCache: Effect.Effect<A, NoCachedValue | CacheError, CacheBackend>
  readonly cacheKey: string
}
