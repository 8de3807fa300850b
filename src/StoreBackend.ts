/**
 * A backend out of any `CacheStore`: how the backends of this library are made, and how a third party makes its own.
 *
 * @since 0.1.0
 */
import { Effect, Layer, type Scope } from "effect"
import { make, type BackendOptions as Options } from "./backend/make.js"
import { CacheBackend } from "./CacheBackend.js"
import type { CacheError } from "./CacheError.js"
import type { CacheStore } from "./CacheStore.js"

/**
 * What every layer takes.
 *
 * @since 0.1.0
 * @category models
 */
export interface BackendOptions extends Options {}

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
  options: BackendOptions = {}
): Layer.Layer<CacheBackend, E | CacheError, Exclude<R, Scope.Scope>> =>
  Layer.scoped(
    CacheBackend,
    Effect.flatMap(store, (made) => make(made, options))
  )
