/** The options of all layers. */
import type { Duration } from "effect"

/**
 * The options of every layer.
 *
 * @since 0.1.0
 * @category models
 */
export interface BackendOptions {
  /**
   * Separates the keys of several programs that use one store, and those of several caches of one program. Default `"default"`; in
   * `CacheBackend.layerOf` the name of the cache.
   */
  readonly namespace?: string
  /** A deploy with another version starts with an empty cache; the old code keeps the old one. Default 1. */
  readonly version?: string | number
  /** The time to live of a value that is stored without a `ttl`. Default 5 minutes. */
  readonly defaultTtl?: Duration.DurationInput
  /**
   * Whether logs, errors and spans show a hash in place of the arguments of a key: `city(#3f2a9c0d1e2f)` for `city("lisbon")`, and
   * `#3f2a9c0d1e2f` for a key or group of a direct operation. For keys that hold personal data. The name of a function is shown,
   * and the keys in the store stay readable. The hash is a pseudonym, the same in every process: who can guess a key can compute
   * it. Default false.
   */
  readonly redactKeys?: boolean
}

/**
 * The further options of every layer whose store is on a network.
 *
 * @since 0.1.0
 * @category models
 */
export interface OutageOptions {
  /**
   * Until an operation of the store without an answer fails with `Timeout`, which counts as an outage. Its caller goes on then, or
   * at once when it is interrupted. Time in which this process is too busy to read answers does not count. Default 5 seconds.
   */
  readonly timeout?: Duration.DurationInput
  /**
   * The circuit breaker in front of the store. After `failures` outages in a row (default 5), or as many refusals of reads, all
   * calls skip the store. After as many failures of writes, under different keys if they were refused, only writes are skipped: a
   * store that is full or read-only still serves what it has, and removes it. A probe every `retryAfter` (default 1 second) finds
   * out whether the store is back; no caller waits for it. `false`: every call asks the store.
   */
  readonly breaker?: { readonly failures?: number; readonly retryAfter?: Duration.DurationInput } | false
  /**
   * Whether an invalidation that fails because of an outage, or because the store takes no writes, succeeds and is queued. This
   * process replays it before it reads those keys again. Until then, other processes that reach the store read the old values. The
   * queue is lost with the process. Default false: the invalidation fails with `CacheError`. The breaker's probes replay the queue,
   * so with `breaker: false` the layer fails with `InvalidOption`.
   */
  readonly queueInvalidations?: boolean
}
