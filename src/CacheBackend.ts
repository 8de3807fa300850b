/**
 * The service that a program receives from a Layer: a shared cache under one namespace and version.
 *
 * @since 0.1.0
 */
import { Context, type Duration, type Effect, type Option, type Schema } from "effect"
import type { CacheError, NoCachedValue } from "./CacheError.js"
import type { Engine, engine } from "./internal/backend/engine.js"

/**
 * Names an entry: a text, or an array of plain values (numbers, texts, dates, objects, …). Never the empty text.
 *
 * @since 0.1.0
 * @category models
 */
export type Key = string | ReadonlyArray<unknown>

/**
 * @since 0.1.0
 * @category models
 */
export interface VersionOption {
  /** The key version to address, instead of the layer's. */
  readonly version?: string | number
}

/**
 * @since 0.1.0
 * @category models
 */
export interface SetOptions extends VersionOption {
  /**
   * Time to live; the layer's `defaultTtl` when absent. `Duration.infinity` is for ever, zero or negative is already
   * expired: nothing is kept.
   */
  readonly ttl?: Duration.DurationInput
  /**
   * How long past `ttl` the value may be served by `cached` and `getOrSet` while one caller recomputes it. Default 0.
   * The direct operations see a value up to its `ttl` only.
   */
  readonly stale?: Duration.DurationInput
  /** Names of groups: invalidating any of them invalidates the entry. */
  readonly groups?: ReadonlyArray<string>
}

/**
 * How a computed value is kept. `A` is the value, `Args` the arguments it was computed from.
 *
 * @since 0.1.0
 * @category models
 */
export interface MemoOptions<A, Args extends ReadonlyArray<unknown> = []> {
  /**
   * Time to live, or a function of the value and the arguments; the layer's `defaultTtl` when absent.
   * `Duration.infinity` is for ever, zero or negative stores nothing.
   */
  readonly ttl?: Duration.DurationInput | ((value: A, ...args: Args) => Duration.DurationInput)
  /** How long past `ttl` a value may be served while one caller recomputes. Default 30 seconds. */
  readonly stale?: Duration.DurationInput
  /** Names of groups, or a function of the arguments: invalidating any of them invalidates the entry. */
  readonly groups?: ReadonlyArray<string> | ((...args: Args) => ReadonlyArray<string>)
  /** Encodes and decodes the value where the store keeps bytes. Without it, only plain data can be stored there. */
  // The encoded side is the schema's own affair, and Schema is invariant in it: no narrower type accepts them all.
  // biome-ignore lint/suspicious/noExplicitAny: see above
  readonly schema?: Schema.Schema<A, any>
  /** Which values are kept. Default: all but `undefined`, `null` and `Option.none()`, which bypass the cache. */
  readonly cacheWhen?: (value: A) => boolean
  /** Who recomputes a stale value: the caller that leased it (default), or a fiber of the layer behind its back. */
  readonly revalidate?: "caller" | "background"
  /**
   * Whether a stale value answers for a failed recomputation. Default true. Otherwise the caller that recomputed gets the
   * error; the others are served the stale value, and nobody tries again until the lease has run out.
   */
  readonly staleOnError?: boolean
  /** How long a lease holds without being renewed: what a killed process can delay the others. Default 10 seconds. */
  readonly lease?: Duration.DurationInput
  /** β of XFetch: how eagerly fresh values are recomputed before their end; 1 is usual. Default 0: never. */
  readonly earlyRefresh?: number
  /** The share of the ttl, 0 to 1, of which a random part is taken off each entry, to spread expiry. Default 0. */
  readonly jitter?: number
}

/**
 * @since 0.1.0
 * @category models
 */
export interface GetOrSetOptions<A> extends MemoOptions<A>, VersionOption {}

/**
 * Counts since the layer was built, and what the store knows of its own size.
 *
 * @since 0.1.0
 * @category models
 */
export interface CacheStats {
  readonly entries: Option.Option<number>
  readonly bytes: Option.Option<number>
  readonly evictions: Option.Option<number>
  readonly hits: number
  readonly staleHits: number
  readonly misses: number
  /** Callers that were given the result of a computation that another caller had started. */
  readonly joined: number
  readonly computed: number
  /** Computations that ended in an error or a defect. */
  readonly failed: number
  readonly stored: number
  /** Results not stored because the key was invalidated, set or leased anew while they were computed. */
  readonly discarded: number
  /** Records met that could not be decoded. */
  readonly undecodable: number
  readonly storeErrors: number
}

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
