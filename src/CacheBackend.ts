/**
 * The service that a program receives from a Layer: a shared cache under one namespace and version.
 *
 * @since 0.1.0
 */
import { Context, type Duration, type Effect, type Option, type Schema } from "effect"
import type { CacheError, NoCachedValue } from "./CacheError.js"
import type {
  CacheStats,
  GetOrSetOptions,
  Key,
  SetOptions,
  TypedOptions,
  Unscoped,
  VersionOption
} from "./CacheOptions.js"
import type { Engine, engine } from "./internal/backend/engine.js"

export * from "./CacheOptions.js"

/**
 * The operations of a cache. Unless said otherwise each fails with `CacheError`: `InvalidKey` for a key that is empty or can't be
 * printed, `InvalidOption` for an option out of its range, `Encode` and `TooLarge` for a value that can't be stored, `Unavailable`,
 * `Timeout` and `StoreFailed` when the store fails. A round trip (RT) is one exchange with the store; the memory store has none.
 *
 * @since 0.1.0
 * @category models
 */
export interface CacheBackendService {
  /** The fresh value of the key, of the type of the option `schema`. 1 RT, 2 if the entry has groups. */
  readonly get: {
    <A>(key: Key, options: TypedOptions<A>): Effect.Effect<Option.Option<A>, CacheError>
    (key: Key, options?: VersionOption): Effect.Effect<Option.Option<unknown>, CacheError>
  }
  /**
   * The fresh values of those keys that have one, by the very keys that were passed, all of the type of the option `schema`. 1 RT, 2
   * if any entry has groups.
   */
  readonly getMany: {
    <A>(keys: Iterable<Key>, options: TypedOptions<A>): Effect.Effect<ReadonlyMap<Key, A>, CacheError>
    (keys: Iterable<Key>, options?: VersionOption): Effect.Effect<ReadonlyMap<Key, unknown>, CacheError>
  }
  /** Whether the key has a fresh value. 1 RT, 2 if the entry has groups. */
  readonly has: (key: Key, options?: VersionOption) => Effect.Effect<boolean, CacheError>
  /** Stores the value, whatever was there. A running computation of the key does not overwrite it. 1 RT, 2 with groups. */
  readonly set: <A = unknown>(key: Key, value: NoInfer<A>, options?: SetOptions<A>) => Effect.Effect<void, CacheError>
  /**
   * Stores many values. Returns the keys that could not be stored (too large, not serialisable; the reason is logged); all others
   * are stored. If a key is there twice, its last value counts. 1 RT, 2 with groups.
   */
  readonly setMany: <A = unknown>(
    entries: Iterable<readonly [Key, NoInfer<A>]>,
    options?: SetOptions<A>
  ) => Effect.Effect<ReadonlyArray<Key>, CacheError>
  /** Stores the value only if the key has no fresh one: `true` for exactly one of many callers. 2 RT, 3 with groups. */
  readonly add: <A = unknown>(
    key: Key,
    value: NoInfer<A>,
    options?: SetOptions<A>
  ) => Effect.Effect<boolean, CacheError>
  /**
   * The value of the key. If there is none, it computes one with the effect and stores it: one computation for all callers of all
   * processes, as with `cached`, whose options it has. Fails with `CacheError` only for a bad key or option; when the store fails, it computes without
   * it. 1 RT on a hit, 3 when it computes.
   */
  readonly getOrSet: <B extends A, E, R, A = B>(
    key: Key,
    effect: Effect.Effect<B, E, R> & Unscoped<R>,
    options?: GetOrSetOptions<NoInfer<A>, NoInfer<E>, NoInfer<R>> & {
      // biome-ignore lint/suspicious/noExplicitAny: as in `MemoOptions`
      readonly schema?: Schema.Schema<A, any>
    }
  ) => Effect.Effect<A, E | CacheError, R>
  /**
   * Gives a fresh value a new time to live from now; `false` if there is no fresh value. Without `ttl` it is the layer's
   * `defaultTtl`; zero or negative removes the value. 2 RT, 3 if the entry has groups.
   */
  readonly touch: (
    key: Key,
    ttl?: Duration.DurationInput,
    options?: VersionOption
  ) => Effect.Effect<boolean, CacheError>
  /**
   * Adds `by` (default 1, may be negative) to a fresh number and returns the sum; the time to live stays. Fails with
   * `NoCachedValue` if there is no fresh value, with the reason `NotNumeric` if it is no number, and with `InvalidOption` if the sum
   * would be beyond ±(2^53 − 1) or rounded to the old number; the number is unchanged then. 2 RT, 3 if the entry has groups, more if
   * other callers change the same number.
   */
  readonly increment: (
    key: Key,
    by?: number,
    options?: VersionOption
  ) => Effect.Effect<number, CacheError | NoCachedValue>
  /** Removes the entry and voids running computations; returns whether there was a fresh value. 2 RT, 3 if it had groups. */
  readonly delete: (key: Key, options?: VersionOption) => Effect.Effect<boolean, CacheError>
  /** Removes the entries and voids running computations; returns how many fresh values there were. 2 RT, 3 with groups. */
  readonly deleteMany: (keys: Iterable<Key>, options?: VersionOption) => Effect.Effect<number, CacheError>
  /** Invalidates all entries of the group by one write, whatever their number, and voids running computations. 1 RT. */
  readonly invalidateGroup: (name: string, options?: VersionOption) => Effect.Effect<void, CacheError>
  /** Removes all entries of this namespace, in all its versions, and no others. 1 RT, to each server. */
  readonly clear: Effect.Effect<void, CacheError>
  /** What this layer has counted, and the size of the store. Never fails: what the store does not know is `None`. At most 1 RT. */
  readonly stats: Effect.Effect<CacheStats>
  /** @internal */
  readonly [engine]: Engine
}

/**
 * The cache of a program. `MemoryBackend.layer`, `SqlBackend.layer`, `MemcachedBackend.layer`, … provide it.
 *
 * @example
 * import { Effect } from "effect"
 * import { CacheBackend, MemoryBackend } from "effect-cached"
 *
 * const program = Effect.gen(function* () {
 *   const cache = yield* CacheBackend
 *   yield* cache.set("greeting", "hello", { ttl: "1 minute" })
 *   return yield* cache.get("greeting") // Option.some("hello")
 * })
 *
 * Effect.runPromise(program.pipe(Effect.provide(MemoryBackend.layer({ maxEntries: 1_000 }))))
 *
 * @since 0.1.0
 * @category tags
 */
export class CacheBackend extends Context.Tag("effect-cached/CacheBackend")<CacheBackend, CacheBackendService>() {}
