/**
 * The cache in this process: a bounded LRU. For a single process, for tests, and as the measure of the other backends.
 *
 * @since 0.1.0
 */
import { Config, type ConfigError, Effect, Either, Layer } from "effect"
import type { CacheBackend } from "./CacheBackend.js"
import type { CacheError } from "./CacheError.js"
import { backendLayer } from "./internal/backend/layer.js"
import { positiveInteger } from "./internal/options.js"
import * as MemoryStore from "./internal/stores/memory/MemoryStore.js"
import type * as StoreBackend from "./StoreBackend.js"

/**
 * @since 0.1.0
 * @category models
 */
export interface MemoryBackendOptions extends StoreBackend.BackendOptions {
  /** How many entries are kept; the least recently used goes first. Default 10 000. */
  readonly maxEntries?: number
  /** About how many bytes of values are kept, by an estimate of their size in the heap. Default: no such bound. */
  readonly maxBytes?: number
  /**
   * Keep a serialised copy of each value instead of a reference to it. By reference a hit costs least, and a caller who
   * changes a value changes it for all; copied, values go through `schema` or must be plain data, as with a server.
   * Default false.
   */
  readonly copy?: boolean
}

const defaultMaxEntries = 10_000

/**
 * Fails with `InvalidOption` for a bound that is not a whole number of at least 1.
 *
 * @example
 * import { Effect } from "effect"
 * import { getOrSet, MemoryBackend } from "effect-cached"
 *
 * const program = getOrSet("answer", Effect.succeed(42), { ttl: "1 hour" })
 *
 * Effect.runPromise(program.pipe(Effect.provide(MemoryBackend.layer({ maxEntries: 10_000 }))))
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (options: MemoryBackendOptions = {}): Layer.Layer<CacheBackend, CacheError> =>
  backendLayer(
    Effect.flatMap(
      Either.all({
        maxEntries: positiveInteger("layer", "maxEntries", options.maxEntries ?? defaultMaxEntries),
        maxBytes:
          options.maxBytes === undefined
            ? Either.right(undefined)
            : positiveInteger("layer", "maxBytes", options.maxBytes)
      }),
      (bounds) => MemoryStore.make({ ...bounds, copy: options.copy ?? false })
    ),
    options
  )

/**
 * The same with its options out of a `Config`.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerConfig = (
  options: Config.Config.Wrap<MemoryBackendOptions>
): Layer.Layer<CacheBackend, CacheError | ConfigError.ConfigError> =>
  Layer.unwrapEffect(Effect.map(Config.unwrap(options), layer))
