/**
 * The cache on one memcached server or several, shared by all processes that name the same servers. Needs the package `memjs`.
 *
 * @since 0.1.0
 */
import { Config, type ConfigError, type Duration, Effect, Layer } from "effect"
import type { CacheBackend } from "./CacheBackend.js"
import type { CacheError } from "./CacheError.js"
import { namespaceOf } from "./internal/backend/cacheName.js"
import { backendLayer } from "./internal/backend/layer.js"
import { fromBytes } from "./internal/stores/fromBytes.js"
import * as MemcachedStore from "./internal/stores/memcached/MemcachedStore.js"
import type { MemcachedOptions } from "./internal/stores/memcached/settings.js"
import type * as StoreBackend from "./StoreBackend.js"

/** @since 0.1.0 */
export type { MemcachedTlsOptions } from "./internal/stores/memcached/settings.js"

/**
 * The options of `layer`.
 *
 * @since 0.1.0
 * @category models
 */
export interface MemcachedBackendOptions
  extends StoreBackend.BackendOptions,
    StoreBackend.OutageOptions,
    MemcachedOptions {
  /**
   * Until an operation without an answer fails with `Timeout`. Time in which this process is too busy to read answers does not
   * count. Default 500 milliseconds.
   */
  readonly timeout?: Duration.DurationInput
}

/**
 * Needs servers that speak memcached's binary protocol (`-B auto`, their default, or `-B binary`) and keep compare-and-set numbers
 * (no `-C`).
 *
 * Waits until each server has answered or is known to be down, for `connectTimeout` and `timeout` at most. It does not fail when no
 * server answers: then `cached` computes, and the direct operations fail with `Unavailable` and the reason. It fails with
 * `StoreFailed` when a server answers that was started with `-C`, and with `InvalidOption` for an option out of its range.
 *
 * `clear` takes one write to each server, whatever the number of entries, and clears no other namespace. It fails if a server can't
 * be reached; the others are cleared all the same.
 *
 * @example
 * import { Effect } from "effect"
 * import { getOrSet } from "effect-cached"
 * import * as MemcachedBackend from "effect-cached/MemcachedBackend"
 *
 * const program = getOrSet("answer", Effect.succeed(42), { ttl: "1 hour" })
 *
 * const CacheLive = MemcachedBackend.layer({ servers: "10.0.0.1:11211,10.0.0.2:11211:2,[::1]:11211" })
 *
 * program.pipe(Effect.provide(CacheLive))
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (options: MemcachedBackendOptions): Layer.Layer<CacheBackend, CacheError> =>
  backendLayer(
    Effect.map(
      Effect.flatMap(namespaceOf(options), (namespace) => MemcachedStore.make(options, namespace)),
      fromBytes
    ),
    options
  )

const fromEnvironment = {
  servers: Config.string("MEMCACHED_SERVERS"),
  username: Config.withDefault(Config.string("MEMCACHED_USERNAME"), undefined),
  password: Config.withDefault(Config.redacted("MEMCACHED_PASSWORD"), undefined),
  tls: Config.withDefault(Config.boolean("MEMCACHED_TLS"), undefined)
}

/**
 * A `Config` for each option; an option without one has its default.
 *
 * @since 0.1.0
 * @category models
 */
export type MemcachedBackendConfig = {
  readonly [Name in keyof MemcachedBackendOptions]?: Config.Config<Exclude<MemcachedBackendOptions[Name], undefined>>
}

/**
 * The same layer, its options from `Config`. By default `servers` comes from `MEMCACHED_SERVERS`, `username` from
 * `MEMCACHED_USERNAME`, `password` from `MEMCACHED_PASSWORD` and `tls` from `MEMCACHED_TLS` (`true` or `false`); the last three may
 * be unset. Fails with `ConfigError` as well.
 *
 * @example
 * import { Config } from "effect"
 * import * as MemcachedBackend from "effect-cached/MemcachedBackend"
 *
 * const CacheLive = MemcachedBackend.layerConfig({ namespace: Config.string("CACHE_NAMESPACE") })
 *
 * @since 0.1.0
 * @category layers
 */
export const layerConfig = (
  options: MemcachedBackendConfig = {}
): Layer.Layer<CacheBackend, CacheError | ConfigError.ConfigError> =>
  Layer.unwrapEffect(
    Effect.map(Config.unwrap<MemcachedBackendOptions>({ ...fromEnvironment, ...options }), (found) => layer(found))
  )
