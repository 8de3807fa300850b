/**
 * The cache on Redis (6.0 or later) or Valkey: one server, or a cluster. Needs the package `redis` (node-redis), or a client that
 * the program brings.
 *
 * Replication of Redis is asynchronous: a replica that is promoted may lack the last invalidations. The option `wait` makes an
 * invalidation wait for replicas. Nothing is ever read from a replica.
 *
 * @since 0.1.0
 */
import type { ConnectionOptions } from "node:tls"
import { Config, type ConfigError, type Duration, Effect, Either, Layer, Redacted, type Scope } from "effect"
import type { CacheBackend } from "./CacheBackend.js"
import { CacheError } from "./CacheError.js"
import { namespaceOf } from "./internal/backend/cacheName.js"
import { backendLayer } from "./internal/backend/layer.js"
import { boundedNumber, durationMillis, positiveInteger } from "./internal/options.js"
import { fromBytes } from "./internal/stores/fromBytes.js"
import type { RedisClient } from "./internal/stores/redis/client.js"
import {
  connect,
  fromClient,
  fromCluster,
  type NodeRedisClient,
  type NodeRedisCluster
} from "./internal/stores/redis/nodeRedis.js"
import * as RedisStore from "./internal/stores/redis/RedisStore.js"
import type * as StoreBackend from "./StoreBackend.js"

export type { RedisClient } from "./internal/stores/redis/client.js"
export type { NodeRedisClient, NodeRedisCluster } from "./internal/stores/redis/nodeRedis.js"

/**
 * The options of `layer`. One of `url` and `client` is needed.
 *
 * @since 0.1.0
 * @category models
 */
export interface RedisBackendOptions extends StoreBackend.BackendOptions, Omit<StoreBackend.OutageOptions, "timeout"> {
  /**
   * `redis[s]://[[username][:password]@]host[:port][/database]`. Several, as an array, are servers of one cluster: some of them
   * suffice, the others are found.
   */
  readonly url?: string | Redacted.Redacted | ReadonlyArray<string> | undefined
  /**
   * A connected client of node-redis (`createClient` or `createCluster`) that the program has anyway, or any other one behind
   * `RedisClient`. The layer does not close it. Give it `disableOfflineQueue: true`, or its commands wait while the server is away.
   */
  readonly client?: NodeRedisClient | NodeRedisCluster | RedisClient | undefined
  /** Whether a single `url` is a server of a cluster. Default: whether `url` is an array. */
  readonly cluster?: boolean | undefined
  /** For an access control list. Default: that of the `url`. */
  readonly username?: string | undefined
  readonly password?: Redacted.Redacted | undefined
  /** The number of the database, 0 to 15 unless the server is set otherwise. A cluster has only 0. Default 0. */
  readonly database?: number | undefined
  /** TLS, as with `rediss:` in the `url`; or its options, such as `{ ca }`. Default false. */
  readonly tls?: boolean | ConnectionOptions | undefined
  /**
   * Until an operation without an answer fails with `Timeout`. Time in which this process is too busy to read answers does not
   * count. Default 1 second.
   */
  readonly timeout?: Duration.DurationInput
  /** Until an attempt to connect counts as failed. Default 2 seconds. */
  readonly connectTimeout?: Duration.DurationInput | undefined
  /**
   * Makes `invalidate`, `delete`, `clear` and `invalidateGroup` wait until so many replicas have the invalidation; where they
   * don't within `timeout` (default 1 second), it fails with `Unavailable`, although the primary server has it. The layer makes a
   * connection more for that; a `client` of the program keeps all its commands waiting meanwhile. Default: no wait.
   */
  readonly wait?: { readonly replicas: number; readonly timeout?: Duration.DurationInput } | undefined
}

const invalid = (description: string): CacheError =>
  new CacheError({ reason: "InvalidOption", operation: "layer", description })

const replicationOf = (wait: RedisBackendOptions["wait"]) =>
  wait === undefined
    ? Either.right(undefined)
    : Either.all({
        replicas: positiveInteger("layer", "wait.replicas", wait.replicas),
        timeout: durationMillis("layer", "wait.timeout", wait.timeout ?? "1 second")
      })

const isCluster = (client: NodeRedisClient | NodeRedisCluster): client is NodeRedisCluster => "masters" in client

const given = (client: NonNullable<RedisBackendOptions["client"]>): RedisClient =>
  "send" in client ? client : isCluster(client) ? fromCluster(client) : fromClient(client)

const clientOf = (options: RedisBackendOptions): Effect.Effect<RedisClient, CacheError, Scope.Scope> =>
  Effect.gen(function* () {
    const { client, database, password, tls, url, username } = options
    if (client !== undefined) {
      return url === undefined ? given(client) : yield* Effect.fail(invalid("url and client exclude each other"))
    }
    const urls = typeof url === "string" ? [url] : Redacted.isRedacted(url) ? [Redacted.value(url)] : (url ?? [])
    const [first, ...others] = urls
    if (first === undefined) return yield* Effect.fail(invalid("url or client is missing"))
    if (!urls.every((one) => /^rediss?:\/\//.test(one))) {
      return yield* Effect.fail(invalid("url must begin with redis:// or rediss://"))
    }
    return yield* connect({
      urls: [first, ...others],
      isCluster: options.cluster ?? Array.isArray(url),
      username,
      password,
      database: database === undefined ? undefined : yield* boundedNumber("layer", "database", database, 0, 1_000_000),
      tls: tls === true ? {} : tls === false ? undefined : tls,
      connectTimeout: yield* durationMillis("layer", "connectTimeout", options.connectTimeout ?? "2 seconds")
    })
  })

/**
 * Connects in the background, so it does not fail when no server answers: then `cached` computes, and the direct operations fail
 * with `Unavailable`. Fails with `InvalidOption` for an option out of its range, and with `Unavailable` if the server refuses the
 * password.
 *
 * A hit is one MGET, with the versions of its groups; the reads of one moment share it. Every other operation is one script.
 * `clear` is one write, whatever the number of entries, and clears no other namespace; in a cluster it is 64. An entry that the
 * server evicts is a miss.
 *
 * @example
 * import { Effect, Redacted } from "effect"
 * import { getOrSet } from "effect-cached"
 * import * as RedisBackend from "effect-cached/RedisBackend"
 *
 * const program = getOrSet("answer", Effect.succeed(42), { ttl: "1 hour" })
 *
 * const CacheLive = RedisBackend.layer({ url: "redis://10.0.0.1:6379", password: Redacted.make("secret") })
 *
 * program.pipe(Effect.provide(CacheLive))
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (options: RedisBackendOptions): Layer.Layer<CacheBackend, CacheError> =>
  backendLayer(
    Effect.gen(function* () {
      const replication = yield* replicationOf(options.wait)
      const timeout = yield* durationMillis("layer", "timeout", options.timeout ?? "1 second")
      if (!(timeout > 0)) return yield* Effect.fail(invalid("timeout must be more than 0"))
      const client = yield* clientOf(options)
      // A client of the program is the only one that there is.
      const waiting =
        replication === undefined
          ? undefined
          : { replication, client: options.client === undefined ? yield* clientOf(options) : client }
      return fromBytes(yield* RedisStore.make(client, yield* namespaceOf(options), timeout, waiting))
    }),
    options
  )

/**
 * A `Config` for each option; an option without one has its default.
 *
 * @since 0.1.0
 * @category models
 */
export type RedisBackendConfig = {
  readonly [Name in Exclude<keyof RedisBackendOptions, "client">]?: Config.Config<
    Exclude<RedisBackendOptions[Name], undefined>
  >
}

const fromEnvironment = { url: Config.redacted("REDIS_URL") }

/**
 * The same layer, its options from `Config`. By default `url` comes from `REDIS_URL`. Fails with `ConfigError` as well.
 *
 * @example
 * import { Config } from "effect"
 * import * as RedisBackend from "effect-cached/RedisBackend"
 *
 * const CacheLive = RedisBackend.layerConfig({ namespace: Config.string("CACHE_NAMESPACE") })
 *
 * @since 0.1.0
 * @category layers
 */
export const layerConfig = (
  options: RedisBackendConfig = {}
): Layer.Layer<CacheBackend, CacheError | ConfigError.ConfigError> =>
  Layer.unwrapEffect(
    Effect.map(Config.unwrap<RedisBackendOptions>({ ...fromEnvironment, ...options }), (found) => layer(found))
  )
