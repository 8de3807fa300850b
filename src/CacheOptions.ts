/**
 * What the operations of a cache take, and what they tell of it.
 *
 * @since 0.1.0
 */
import type { Duration, Option, Schema } from "effect"

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
  /** Who recomputes a stale value: the caller that gets its lease (default), or a fiber of the layer in the background. */
  readonly revalidate?: "caller" | "background"
  /**
   * Whether a stale value answers for a failed recomputation. Default true. Otherwise the caller that recomputed gets the
   * error; the others are served the stale value, and nobody tries again until the lease has run out.
   */
  readonly staleOnError?: boolean
  /** How long the right to compute lasts without being renewed: so long a killed process can delay the others. Default 10 seconds. */
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
