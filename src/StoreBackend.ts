/**
 * A backend out of any `CacheStore`: how a third party makes its own.
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
  backendLayer(Effect.map(store, fromPlain), options)
