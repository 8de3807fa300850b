/**
 * The keys and options of a cache's operations, and its statistics.
 *
 * @since 0.1.0
 */
import type { Duration, Effect, Option, Schema, Scope } from "effect"

/**
 * Names an entry: a text, or an array of plain values (numbers, texts, dates, objects, …). Never the empty text.
 *
 * @since 0.1.0
 * @category models
 */
export type Key = string | ReadonlyArray<unknown>

/**
 * The option of every operation on keys.
 *
 * @since 0.1.0
 * @category models
 */
export interface VersionOption {
  /** The key version to use instead of the layer's. Default: the layer's `version`. */
  readonly version?: string | number
}

/**
 * The options of `get` and `getMany` that type what they find.
 *
 * @since 0.1.0
 * @category models
 */
export interface TypedOptions<A> extends VersionOption {
  /**
   * Says what the value is, and decodes it where the store keeps bytes. What it refuses is absent, and counted as `undecodable`; in
   * memory a value is what it is, and must be one of the schema's type.
   */
  // biome-ignore lint/suspicious/noExplicitAny: as in `MemoOptions`
  readonly schema: Schema.Schema<A, any>
}

/**
 * The options of `set`, `setMany` and `add`. `A` is the type of the value where a schema says it.
 *
 * @since 0.1.0
 * @category models
 */
// biome-ignore lint/suspicious/noExplicitAny: options without a schema fit every value
export interface SetOptions<A = any> extends VersionOption {
  /**
   * Time to live; the layer's `defaultTtl` when absent. `Duration.infinity` is for ever. With zero or less nothing is stored, and
   * the old value is removed by `set` and `setMany`.
   */
  readonly ttl?: Duration.DurationInput
  /**
   * How long past `ttl` the value may be served by `cached` and `getOrSet` while one caller recomputes it. Default 0.
   * The direct operations see a value up to its `ttl` only.
   */
  readonly stale?: Duration.DurationInput
  /** Names of groups: invalidating any of them invalidates the entry. At most 1,000. Default: none. */
  readonly groups?: ReadonlyArray<string>
  /**
   * Encodes the value where the store keeps bytes; without it, only plain data can be stored there. A value that it refuses is not
   * stored, on any store: `Encode`. Who reads it passes the same schema.
   */
  // biome-ignore lint/suspicious/noExplicitAny: as in `MemoOptions`
  readonly schema?: Schema.Schema<A, any>
}

/**
 * Which typed errors are kept, and for how long. `E` is their type.
 *
 * @example
 * import { Effect, Schema } from "effect"
 * import { cached } from "effect-cached"
 *
 * class NotFound extends Schema.TaggedError<NotFound>()("NotFound", { id: Schema.Number }) {}
 * class RateLimited extends Schema.TaggedError<RateLimited>()("RateLimited", { seconds: Schema.Number }) {}
 *
 * const find = (id: number): Effect.Effect<string, NotFound | RateLimited> => Effect.fail(new NotFound({ id }))
 *
 * const city = cached(find, {
 *   key: "city",
 *   ttl: "1 day",
 *   failures: {
 *     ttl: (error) => (error._tag === "RateLimited" ? `${error.seconds} seconds` : "1 minute"),
 *     schema: Schema.Union(NotFound, RateLimited)
 *   }
 * })
 *
 * @since 0.1.0
 * @category models
 */
export interface FailureOptions<E> {
  /** Time to live of an error, or a function of it. There is no stale time. Zero or negative stores nothing. */
  readonly ttl: Duration.DurationInput | ((error: E) => Duration.DurationInput)
  /** Which errors are kept. Default: all. */
  readonly when?: (error: E) => boolean
  /**
   * Encodes and decodes the error where the store keeps bytes. Without it, only an error that is plain data can be stored there: an
   * instance, as of `Data.TaggedError` and `Schema.TaggedError`, is not kept, and a warning says so. The memory backend keeps the
   * error itself.
   */
  // biome-ignore lint/suspicious/noExplicitAny: as in `MemoOptions`
  readonly schema?: Schema.Schema<E, any>
}

/**
 * The options of `cached` and `getOrSet` that say how a computed value is kept. `A` is the type of the value, `Args` that of the
 * arguments it was computed from, `This` that of a method's `this`: a callback that is a `function` is called with it. `E` and `R`
 * are the errors and the requirements of the computation, `F` the errors that the option `failures` knows.
 *
 * @since 0.1.0
 * @category models
 */
export interface MemoOptions<
  A,
  Args extends ReadonlyArray<unknown> = [],
  This = unknown,
  // Options whose type says nothing of errors and requirements fit every computation.
  // biome-ignore lint/suspicious/noExplicitAny: see above
  E = any,
  // biome-ignore lint/suspicious/noExplicitAny: see above
  R = any,
  F = E
> {
  /**
   * Time to live, or a function of the value and the arguments; the layer's `defaultTtl` when absent.
   * `Duration.infinity` is for ever, zero or negative stores nothing.
   */
  readonly ttl?: Duration.DurationInput | ((this: This, value: A, ...args: Args) => Duration.DurationInput)
  /** How long past `ttl` a value may be served while one caller recomputes. Default 30 seconds. */
  readonly stale?: Duration.DurationInput
  /**
   * Names of groups, or a function of the arguments: invalidating any of them invalidates the entry. At most 1,000. Default: none.
   */
  readonly groups?: ReadonlyArray<string> | ((this: This, ...args: Args) => ReadonlyArray<string>)
  /** Encodes and decodes the value where the store keeps bytes. Without it, only plain data can be stored there. */
  // The encoded side is the schema's own affair, and Schema is invariant in it: no narrower type accepts them all.
  // biome-ignore lint/suspicious/noExplicitAny: see above
  readonly schema?: Schema.Schema<A, any>
  /** Which values are kept. Default: all but `undefined`, `null` and `Option.none()`, which bypass the cache. */
  readonly cacheWhen?: (value: A) => boolean
  /**
   * Who recomputes a stale value: the caller that gets the lease (default), or a fiber of the layer in the background. That fiber
   * has the services of a caller who is served at once, so services of one request (a connection in `Effect.scoped`) may be closed
   * before it ends. If it fails after that caller has left, the next caller recomputes the value itself.
   */
  readonly revalidate?: "caller" | "background"
  /**
   * How long the caller that recomputes an old value waits for the new one. Then it is served the old one, and the computation goes
   * on as one in the background does: with its services, and whether that caller stays or leaves. Does nothing where there is no
   * old value. Default: as long as it takes; with `revalidate: "background"` zero.
   */
  readonly softTimeout?: Duration.DurationInput
  /**
   * Runs in place of the computation where there is an old value, which it gets: for a source that can tell whether it has changed
   * (an `ETag`, a revision). `None`: it has not, so the old value is kept for a new `ttl`; `Some`: the new value. On PostgreSQL,
   * SQLite and Redis a value that is kept is not sent to the store again. `forceRecalc` runs the computation. The old value is the
   * one that callers are served, so it must not be changed. Default: the computation runs.
   */
  readonly refresh?: (this: This, previous: A, ...args: Args) => Effect.Effect<Option.Option<A>, E, R>
  /**
   * Typed errors that are kept as values are: the same lease, groups and invalidation, and callers fail with them until their `ttl`
   * ends. An error never takes the place of a value that is fresh, or stale where `staleOnError` is on. Defects and interruptions
   * are never kept. A kept error is no value: for `requireCache` and the direct operations the key is absent. Default: no error is
   * kept.
   */
  readonly failures?: FailureOptions<F>
  /**
   * Whether a computation goes on when all its callers have left, so that its value is kept although it takes longer than any
   * caller waits. It ends with the layer at the latest. Default false: the last caller to leave interrupts it.
   */
  readonly finish?: boolean
  /**
   * Whether the stale value is served when its recomputation fails. Default true. With false the caller that recomputed gets the
   * error. Either way the other callers are served the stale value, and nobody tries again until the lease has run out.
   */
  readonly staleOnError?: boolean
  /**
   * How long a lease lasts if its process does not renew it, at least 1 millisecond: a killed process delays the other callers by
   * so much. A computation may take longer, because its lease is renewed meanwhile. Default 10 seconds.
   */
  readonly lease?: Duration.DurationInput
  /**
   * How long a lease is renewed at most, at least 1 millisecond. A computation that takes longer goes on, and its starter waits for
   * it; but all other callers may compute anew, and then its value is not stored. No lease of another process is believed for
   * longer either. Choose more if a computation may take longer. Default 10 minutes.
   */
  readonly maxLease?: Duration.DurationInput
  /** β of XFetch, 0 to 1000: how eagerly fresh values are recomputed before their end; 1 is usual. Default 0: never. */
  readonly earlyRefresh?: number
  /**
   * A share of the ttl, 0 to 1. Each entry's ttl is shortened by a random part of it, so that entries expire at different times.
   * Default 0.
   */
  readonly jitter?: number
}

/**
 * The options of `getOrSet`.
 *
 * @since 0.1.0
 * @category models
 */
// biome-ignore lint/suspicious/noExplicitAny: as in `MemoOptions`
export interface GetOrSetOptions<A, E = any, R = any> extends MemoOptions<A, [], unknown, E, R>, VersionOption {}

/**
 * Whether `Scope` is in `R`; not for `any`. A tuple, because a type parameter of the caller is tried as `any`, which must give
 * false.
 */
type RequiresScope<R> = [0] extends [1 & R] ? false : [Extract<R, Scope.Scope>] extends [never] ? false : true

/**
 * `unknown`, or a type error if `R` contains `Scope`: the callers of a computation share it, so it outlives the scope of the one
 * that started it, and what it acquired there would be closed under the others.
 *
 * @since 0.1.0
 * @category models
 */
// Two conditional types: the outer one is decided for a type parameter of the caller, too, because the inner one is never true for
// it.
export type Unscoped<R> =
  RequiresScope<R> extends true
    ? "the computation requires Scope: wrap it in Effect.scoped, because its callers share it and no caller's scope owns it"
    : unknown

/**
 * What stands in the store under a key: a value, or an error that the option `failures` keeps. Times are milliseconds since 1970 on
 * Effect's `Clock`; `Infinity` is for ever.
 *
 * @since 0.1.0
 * @category models
 */
export interface CacheInspection {
  /** When the value stops to be fresh; it is stale from then on. 0 while the first value is being computed. */
  readonly freshUntil: number
  /** When it can't be served any more. 0 while the first value is being computed. */
  readonly staleUntil: number
  /** Whether a caller of any process computes the value now, and until when it has the right to, unless it renews that. */
  readonly lease: Option.Option<{ readonly until: number }>
  /** The names of its groups. A name that is too long for a key is cut off, and ends in `%~` and a hash. */
  readonly groups: ReadonlyArray<string>
  /**
   * The length of its record in bytes, before `StoreBackend.transform`. Where the store keeps references, the estimate that
   * `maxBytes` of the memory backend uses.
   */
  readonly bytes: number
}

/**
 * Counts since the layer was built, and the size of the store as far as it knows it: `entries` and `bytes` now, `evictions` for
 * want of room since the layer was built. The memory backend counts values only; a database counts all rows, so leases and the
 * versions of groups too. Evicted versions of groups are not counted.
 *
 * @since 0.1.0
 * @category models
 */
export interface CacheStats {
  readonly entries: Option.Option<number>
  readonly bytes: Option.Option<number>
  readonly evictions: Option.Option<number>
  /** Fresh values served, and kept errors (`failures`). */
  readonly hits: number
  /** Stale values served. */
  readonly staleHits: number
  /** Calls that found no value, or a stale one that they recomputed. A call is either a hit, a stale hit or a miss. */
  readonly misses: number
  /** Calls that got the result of a computation that another caller had started. */
  readonly joined: number
  /** Computations that succeeded. */
  readonly computed: number
  /** Computations that ended in an error or a defect. */
  readonly failed: number
  /** Values and errors that were stored. */
  readonly stored: number
  /** Values not stored because the key was invalidated, set or leased anew while they were computed. */
  readonly discarded: number
  /** Values and errors not stored because they can't be encoded, or because `ttl` returned no duration. */
  readonly refused: number
  /** Entries read that could not be decoded. */
  readonly undecodable: number
  /** Failures of the store after which the call went on without it. */
  readonly storeErrors: number
}
