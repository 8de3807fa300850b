/** What layers take. */
import type { Duration } from "effect"

/**
 * What every layer takes.
 *
 * @since 0.1.0
 * @category models
 */
export interface BackendOptions {
  /** Keeps the keys of several programs on one store apart. Default `"default"`. */
  readonly namespace?: string
  /** A deploy that bumps it sees an empty cache and leaves the old one to the old code. Default 1. */
  readonly version?: string | number
  /** The time to live where none is given. Default 5 minutes. */
  readonly defaultTtl?: Duration.DurationInput
}

/**
 * What every layer over a server takes besides.
 *
 * @since 0.1.0
 * @category models
 */
export interface OutageOptions {
  /**
   * The circuit breaker in front of the store: after `failures` (default 5) outages in a row calls skip the store, and
   * every `retryAfter` (default 1 second) one probe finds out whether it is back. `false`: every call asks the store.
   */
  readonly breaker?: { readonly failures?: number; readonly retryAfter?: Duration.DurationInput } | false
  /**
   * Keep an invalidation that fails for an outage, succeed, and replay it before this process reads those keys again.
   * Other processes that still reach the store read the old values until then. Default false: invalidations fail loudly.
   * Needs the breaker, whose probes find out when to replay: `InvalidOption` where that is `false`.
   */
  readonly queueInvalidations?: boolean
}

export const defaultNamespace = "default"
