/**
 * The service that a program receives from a Layer: a shared cache under one namespace and version.
 *
 * @since 0.1.0
 */
import { Context, type Duration, type Effect, Layer, type Option, type Schema, type Stream } from "effect"
import type { CacheError, NoCachedValue } from "./CacheError.js"
import type { CacheEvent } from "./CacheEvent.js"
import type {
  CacheInspection,
  CacheStats,
  GetOrSetOptions,
  Key,
  SetOptions,
  TypedOptions,
  Unscoped,
  VersionOption
} from "./CacheOptions.js"
import { CacheName } from "./internal/backend/cacheName.js"
import type { BackendOptions } from "./internal/backend/options.js"
import type { Engine, engine } from "./internal/memoized/engine.js"
import type { CachedHere, CachedManyHere } from "./internal/memoized/lifting/signatures.js"

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
  /**
   * The same as the function `cached`, in all its forms, but what it makes belongs to this cache and does not require
   * `CacheBackend`: for the constructor of a service, whose methods then require nothing of the cache. It has no option `backend`.
   * After the end of the cache's layer it computes without a cache.
   */
  readonly cached: CachedHere
  /** The same as the function `cachedMany`, but what it makes belongs to this cache and does not require `CacheBackend`. */
  readonly cachedMany: CachedManyHere
  /** The fresh value of the key, of the type of the option `schema`. 1 RT, 2 if the entry has groups. */
  readonly get: {
    <A>(key: Key, options: TypedOptions<A>): Effect.Effect<Option.Option<A>, CacheError>
    (key: Key, options?: VersionOption): Effect.Effect<Option.Option<unknown>, CacheError>
  }
  /**
   * The fresh values of those keys that have one, by the very keys that were passed, all of the type of the option `schema`. 1 RT,
   * 2 if any entry has groups.
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
   * processes, as with `cached`, whose options it has. Fails with `CacheError` only for a bad key or option; when the store fails,
   * it computes without it. 1 RT on a hit, 3 when it computes.
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
   * `NoCachedValue` if there is no fresh value, with the reason `NotNumeric` if it is no number, and with `InvalidOption` if the
   * sum would be beyond ±(2^53 − 1) or rounded to the old number; the number is unchanged then. 2 RT, 3 if the entry has groups,
   * more if other callers change the same number.
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
  /**
   * What stands in the store under the key: `None` if nothing does that counts. It reads no value and counts as no hit. A tier
   * answers what the store behind it says. The key of a memoized call is `f.cacheKey(…)`. 1 RT, 2 if the entry has groups.
   */
  readonly inspect: (key: Key, options?: VersionOption) => Effect.Effect<Option.Option<CacheInspection>, CacheError>
  /**
   * What this layer does from now on, in this process: memoized calls, and the operations above but `has` and `inspect`. Ends with
   * the layer. Events are made only while somebody listens. For each listener 1,000 events may wait; then the oldest are dropped,
   * so that a slow listener never slows the cache down. An invalidation inside a transaction is told at once, before the commit. No
   * RT.
   */
  readonly events: Stream.Stream<CacheEvent>
  /** @internal */
  readonly [engine]: Engine & { readonly options: BackendOptions }
}

/** A service of the program may have the same name as a cache of it. */
const prefixOfNames = "effect-cached/CacheBackend/"

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
export class CacheBackend extends Context.Tag("effect-cached/CacheBackend")<CacheBackend, CacheBackendService>() {
  /**
   * Makes the class of a further cache, for a program that has several. The service under it is a cache like any other:
   * `yield* Sessions`.
   *
   * @param name of the cache: its default namespace, and the label `cache` of its metrics. Two classes must not have the same name
   *
   * @example
   * import { Effect } from "effect"
   * import { CacheBackend, cached, MemoryBackend } from "effect-cached"
   *
   * class Sessions extends CacheBackend.Tag("Sessions")<Sessions>() {}
   *
   * const SessionsLive = CacheBackend.layerOf(Sessions, MemoryBackend.layer({ maxEntries: 10_000 }))
   *
   * // Effect<number, never, Sessions>
   * const session = cached((id: number) => Effect.succeed(id), { key: "session", backend: Sessions })
   *
   * const signedOut = Effect.flatMap(Sessions, (sessions) => sessions.invalidateGroup("user 7"))
   *
   * @since 0.1.0
   */
  static readonly Tag =
    <const Name extends string>(name: Name) =>
    <Self>(): Context.TagClass<Self, `effect-cached/CacheBackend/${Name}`, CacheBackendService> =>
      Context.Tag(`${prefixOfNames}${name}`)<Self, CacheBackendService>()

  /**
   * The layer of a further cache. Two caches share nothing, even if they have the same layer: it is built anew for each. In one
   * database or on one server each has its name as its `namespace`, unless the layer has that option. A layer from `StoreBackend`
   * must have it.
   *
   * What is provided to the layer itself is built anew as well. So provide a database client to the result: then the cache uses the
   * program's pool, and takes part in its transactions.
   *
   * @param tag a class that `Tag` has made
   * @param layer of any backend
   *
   * @example
   * import { PgClient } from "@effect/sql-pg"
   * import { Config, Layer } from "effect"
   * import { CacheBackend } from "effect-cached"
   * import * as SqlBackend from "effect-cached/SqlBackend"
   *
   * class Sessions extends CacheBackend.Tag("Sessions")<Sessions>() {}
   *
   * const Database = PgClient.layerConfig({ url: Config.redacted("DATABASE_URL") })
   *
   * const Caches = Layer.merge(SqlBackend.layer(), CacheBackend.layerOf(Sessions, SqlBackend.layer()))
   *
   * const Live = Layer.provide(Caches, Database)
   *
   * @since 0.1.0
   */
  static readonly layerOf = <Id, E, R>(
    tag: Context.Tag<Id, CacheBackendService>,
    layer: Layer.Layer<CacheBackend, E, R>
  ): Layer.Layer<Id, E, R> => {
    const name = tag.key.startsWith(prefixOfNames) ? tag.key.slice(prefixOfNames.length) : tag.key
    return Layer.project(
      Layer.provide(Layer.fresh(layer), Layer.succeed(CacheName, name)),
      CacheBackend,
      tag,
      (cache) => cache
    )
  }
}
