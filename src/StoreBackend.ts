/**
 * Makes a backend of any `CacheStore`: for stores of third parties.
 *
 * @since 0.1.0
 */
import { Effect, type Layer, type Scope } from "effect"
import type { CacheBackend } from "./CacheBackend.js"
import type { CacheError } from "./CacheError.js"
import type { CacheStore } from "./CacheStore.js"
import { backendLayer } from "./internal/backend/layer.js"
import type { BackendOptions, OutageOptions } from "./internal/backend/options.js"
import { fromPlain } from "./internal/stores/fromPlain.js"

export type { BackendOptions, OutageOptions } from "./internal/backend/options.js"

/**
 * The layer of a backend over the store. Fails with `InvalidOption` for an option out of its range.
 *
 * @param store makes the store; what it acquires is released when the layer closes
 * @param options `breaker` and `queueInvalidations` matter only for a store whose `location` is `network`
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
  backendLayer(Effect.map(store, fromPlain), options)
