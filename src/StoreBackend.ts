/**
 * A backend out of any `CacheStore`: how the backends of this library are made, and how a third party makes its own.
 *
 * @since 0.1.0
 */
import { type Duration, Effect, Either, Layer, type Scope } from "effect"
import { CacheBackend } from "./CacheBackend.js"
import { CacheError } from "./CacheError.js"
import type { CacheStore } from "./CacheStore.js"
import { make, type BackendOptions as Options } from "./internal/backend/make.js"
import { durationMillis, positiveInteger } from "./internal/options.js"
import { guard } from "./internal/outages/circuitBreaker.js"

/**
 * What every layer takes.
 *
 * @since 0.1.0
 * @category models
 */
export interface BackendOptions extends Options {}

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

const defaultFailures = 5
const oneSecond = 1_000

const nobodyReplays = () =>
  new CacheError({
    reason: "InvalidOption",
    operation: "layer",
    description: "queueInvalidations needs the breaker, whose probes replay them; breaker is false"
  })

const guarded = (
  store: CacheStore,
  { breaker = {}, queueInvalidations = false }: OutageOptions
): Effect.Effect<CacheStore, CacheError, Scope.Scope> => {
  // A store in this process can't be away.
  if (store.unsafeRead !== undefined) return Effect.succeed(store)
  if (breaker === false) return queueInvalidations ? Effect.fail(nobodyReplays()) : Effect.succeed(store)
  return Effect.flatMap(
    Either.all({
      failures: positiveInteger("layer", "breaker.failures", breaker.failures ?? defaultFailures),
      retryAfter: durationMillis("layer", "breaker.retryAfter", breaker.retryAfter ?? oneSecond)
    }),
    (settings) => guard(store, { ...settings, queueInvalidations })
  )
}

/**
 * @param store makes the store; what it acquires is released with the layer
 *
 * @example
 * import { ByteStore, StoreBackend } from "effect-cached"
 * import { Effect } from "effect"
 *
 * // six primitives over the bytes of some server
 * declare const driver: ByteStore.ByteStore
 *
 * const layer = StoreBackend.layer(Effect.succeed(ByteStore.toCacheStore(driver)), { namespace: "shop" })
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = <E, R>(
  store: Effect.Effect<CacheStore, E, R>,
  options: BackendOptions & OutageOptions = {}
): Layer.Layer<CacheBackend, E | CacheError, Exclude<R, Scope.Scope>> =>
  Layer.scoped(
    CacheBackend,
    Effect.flatMap(
      Effect.flatMap(store, (made) => guarded(made, options)),
      (made) => make(made, options)
    )
  )
