/**
 * The options of `cachedMany`, and what it makes.
 *
 * @since 0.1.0
 */
import type { Duration, Effect, Option } from "effect"
import type { CachedOptions } from "./CachedFunction.js"
import type { CacheError } from "./CacheError.js"

/**
 * The options of `cachedMany`: those of `cached` but `refresh`, which say of each key what they say there of a call, and two more.
 * `A` is the type of the values, `K` that of the keys: the callbacks take one key.
 *
 * @since 0.1.0
 * @category models
 */
// biome-ignore lint/suspicious/noExplicitAny: as in `MemoOptions`
export interface CachedManyOptions<A, K, E = any> extends Omit<CachedOptions<A, [key: K], unknown, E>, "refresh"> {
  /**
   * How many keys one load has at most. A call leases, loads and stores 1,000 keys at once, and then the next 1,000: if that is
   * more than `batchSize`, in several loads at once. Default: 1,000.
   */
  readonly batchSize?: number
  /**
   * How long it is kept that `load` left out a key; `stale` and `groups` are as for values. Default: it is not kept, so the key is
   * loaded again by the next call.
   */
  readonly missing?: Duration.DurationInput
}

/**
 * A memoized function of many keys. It fails with the errors of `load` only: when the store fails, it loads as if there were no
 * cache. It requires what `load` requires, and its cache: `Backend`. A key that can't be printed and an option out of its range are
 * mistakes of the program: the call dies with `CacheError` (`InvalidKey`, `InvalidOption`).
 *
 * Equal keys are one entry, and equal are keys with the same `cacheKey`. A call without keys asks nobody. A round trip (RT) is one
 * exchange with the store, whatever the number of keys.
 *
 * @since 0.1.0
 * @category models
 */
export interface CachedManyFunctionOf<out Backend, in out K, out A, out E, out R> {
  /**
   * The values of those keys that have one, by the very keys that were passed and in their order. 1 RT where all are cached. The
   * others are loaded together, each by one caller of all processes: 3 RT, 4 where a group has no version yet.
   */
  (keys: ReadonlyArray<K>): Effect.Effect<ReadonlyMap<K, A>, E, R | Backend>
  /**
   * The value of one key, from the same entries. Keys that are asked by several fibers in one turn are loaded together. 1 RT on a
   * hit, 3 for the caller that loads.
   */
  readonly one: (key: K) => Effect.Effect<Option.Option<A>, E, R | Backend>
  /** Removes the entries and voids running loads, so what they load of these keys is not stored. Fails if the store fails. 1 RT. */
  readonly invalidate: (keys: ReadonlyArray<K>) => Effect.Effect<void, CacheError, Backend>
  /**
   * Loads all keys now, and stores and returns what they have. Other callers are served the old values until then, and never after.
   * 3 RT.
   */
  readonly forceRecalc: (keys: ReadonlyArray<K>) => Effect.Effect<ReadonlyMap<K, A>, E, R | Backend>
  /** The values that are cached, fresh or stale, without those that are not. Never loads. 1 RT. */
  readonly requireCache: (keys: ReadonlyArray<K>) => Effect.Effect<ReadonlyMap<K, A>, CacheError, Backend>
  /** The key for the direct operations: readable, without namespace and version. Throws `CacheError` (`InvalidKey`). */
  readonly cacheKey: (key: K) => string
}
