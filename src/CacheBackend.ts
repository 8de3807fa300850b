/**
 * The service that a program receives from a Layer: a shared cache under one namespace and version.
 *
 * @since 0.1.0
 */
import { Context, type Duration, type Effect, type Option } from "effect"
import type { CacheError, NoCachedValue } from "./CacheError.js"
import type { CacheStats, GetOrSetOptions, Key, SetOptions, VersionOption } from "./CacheOptions.js"
import type { Engine, engine } from "./internal/backend/engine.js"

export * from "./CacheOptions.js"

/**
 * The operations of a cache. Unless said otherwise each fails with `CacheError`: `InvalidKey` for a key that has no
 * spelling, `InvalidOption` for an option out of its range, `Encode` and `TooLarge` for a value that can't be kept,
 * `Unavailable`, `Timeout` and `StoreFailed` when the store can't do it. A round trip (RT) is one exchange with the
 * store; the memory store has none.
 *
 * @since 0.1.0
 * @category models
 */
export interface CacheBackendService {
  /** The fresh value under the key. 1 RT, 2 for an entry with groups. */
  readonly get: (key: Key, options?: VersionOption) => Effect.Effect<Option.Option<unknown>, CacheError>
  /** The fresh values of those keys that have one, by the keys as they were given. 1 RT, 2 if any has groups. */
  readonly getMany: (
    keys: Iterable<Key>,
    options?: VersionOption
  ) => Effect.Effect<ReadonlyMap<Key, unknown>, CacheError>
  /** Whether a fresh value stands under the key. 1 RT, 2 for an entry with groups. */
  readonly has: (key: Key, options?: VersionOption) => Effect.Effect<boolean, CacheError>
  /** Stores the value, whatever was there; what is being computed for the key will not overwrite it. 1 RT, 2 with groups. */
  readonly set: (key: Key, value: unknown, options?: SetOptions) => Effect.Effect<void, CacheError>
  /**
   * Stores many values; the answer lists the keys that were not stored (too large, not serialisable: the reason is
   * logged), the others were. 1 RT, 2 with groups.
   */
  readonly setMany: (
    entries: Iterable<readonly [Key, unknown]>,
    options?: SetOptions
  ) => Effect.Effect<ReadonlyArray<Key>, CacheError>
  /** Stores the value only where no fresh one stands: `true` for exactly one of many callers. 2 RT. */
  readonly add: (key: Key, value: unknown, options?: SetOptions) => Effect.Effect<boolean, CacheError>
  /**
   * The value under the key, or else the effect's, which is then stored: one computation for all callers of all
   * processes, as with `cached`. Its `CacheError` is for a bad key or option; a failing store computes. 1 RT on a hit.
   */
  readonly getOrSet: <A, E, R>(
    key: Key,
    effect: Effect.Effect<A, E, R>,
    options?: GetOrSetOptions<A>
  ) => Effect.Effect<A, E | CacheError, R>
  /**
   * Gives a fresh value a new time to live from now (the layer's `defaultTtl` when absent); `false` where there is
   * none. Zero or negative expires it. 2 RT.
   */
  readonly touch: (
    key: Key,
    ttl?: Duration.DurationInput,
    options?: VersionOption
  ) => Effect.Effect<boolean, CacheError>
  /**
   * Adds `by` (default 1, may be negative) to a stored number and returns the sum; keeps the time to live. Fails with
   * `NoCachedValue` where there is none, with reason `NotNumeric` for anything else. 2 RT, more under contention.
   */
  readonly increment: (
    key: Key,
    by?: number,
    options?: VersionOption
  ) => Effect.Effect<number, CacheError | NoCachedValue>
  /** Removes the entry and voids its lease; says whether a fresh value was there. 2 RT. */
  readonly delete: (key: Key, options?: VersionOption) => Effect.Effect<boolean, CacheError>
  /** Removes the entries and voids their leases; says how many fresh values were there. 2 RT. */
  readonly deleteMany: (keys: Iterable<Key>, options?: VersionOption) => Effect.Effect<number, CacheError>
  /** Invalidates every entry of the group, whatever their number, by one write. 1 RT. */
  readonly invalidateGroup: (name: string, options?: VersionOption) => Effect.Effect<void, CacheError>
  /** Removes everything in this namespace, in all its versions, and no one else's keys. */
  readonly clear: Effect.Effect<void, CacheError>
  /** What this layer has seen and done. Never fails: what the store can't tell is `None`. */
  readonly stats: Effect.Effect<CacheStats>
  /** @internal */
  readonly [engine]: Engine
}

/**
 * The cache that a program runs against; provided by `MemoryBackend.layer`, `SqlBackend.layer`, … .
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
