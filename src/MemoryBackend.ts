/**
 * The cache in the memory of this process: a bounded LRU. For programs of one process, and for tests.
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
 * The options of `layer`.
 *
 * @since 0.1.0
 * @category models
 */
export interface MemoryBackendOptions extends StoreBackend.BackendOptions {
  /**
   * How many values are kept at most; the least recently used is dropped first. The versions of groups do not count: there may be
   * as many again, but at least 10 000 of them for a minute. Default 10 000.
   */
  readonly maxEntries?: number
  /**
   * How many bytes all values may take, by an estimate of their size in the heap, with their keys and groups. Estimating costs a
   * walk over each value that is stored. A value larger than this alone fails with `TooLarge`. Default: no bound.
   */
  readonly maxBytes?: number
  /**
   * Whether to keep a serialised copy of each value instead of a reference. A hit by reference is the fastest, but a caller that
   * changes the value changes it for all callers. With copies, values go through `schema` or must be plain data, as on a server:
   * set it in tests of a program that uses a server in production. Default false.
   */
  readonly copy?: boolean
}

const defaultMaxEntries = 10_000

/**
 * A cache of its own for each time that the layer is built. Its operations take no round trip. Fails with `InvalidOption` if
 * `maxEntries` or `maxBytes` is not a whole number of at least 1.
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
 * The same layer, its options from `Config`. Fails with `ConfigError` as well.
 *
 * @example
 * import { Config } from "effect"
 * import { MemoryBackend } from "effect-cached"
 *
 * const CacheLive = MemoryBackend.layerConfig({ maxEntries: Config.withDefault(Config.integer("CACHE_ENTRIES"), 10_000) })
 *
 * @since 0.1.0
 * @category layers
 */
export const layerConfig = (
  options: Config.Config.Wrap<MemoryBackendOptions>
): Layer.Layer<CacheBackend, CacheError | ConfigError.ConfigError> =>
  Layer.unwrapEffect(Effect.map(Config.unwrap(options), layer))
