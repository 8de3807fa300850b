/**
 * A bus over the publish and subscribe of Redis or Valkey. Needs the package `redis`.
 *
 * @since 0.1.0
 */
import { Effect, Layer, Redacted, type Scope } from "effect"
import { CacheBus } from "./CacheBus.js"
import { CacheError } from "./CacheError.js"
import { overWire, type Wire } from "./internal/buses/overWire.js"
import { type PubSubClient, redisWire } from "./internal/buses/redis.js"
import { connectOne } from "./internal/stores/redis/nodeRedis.js"

export type { PubSubClient, PubSubLine } from "./internal/buses/redis.js"

/**
 * The options of `layer`. One of `url` and `client` is needed.
 *
 * @since 0.1.0
 * @category models
 */
export interface RedisBusOptions {
  /** `redis[s]://[[username][:password]@]host[:port]`; of a cluster, any of its servers. */
  readonly url?: string | Redacted.Redacted
  /** A connected client of node-redis that the program has anyway. The layer does not close it. */
  readonly client?: PubSubClient
  /** All programs that share a cache must give the same. Default `effect_cached`. */
  readonly channel?: string
}

const wireOf = ({
  channel = "effect_cached",
  client,
  url
}: RedisBusOptions): Effect.Effect<Wire, CacheError, Scope.Scope> => {
  // A client of the program makes its connection anew by itself.
  if (client !== undefined) return Effect.succeed(redisWire(client, channel))
  return url === undefined
    ? Effect.fail(
        new CacheError({ reason: "InvalidOption", operation: "layer", description: "url or client is missing" })
      )
    : Effect.map(
        connectOne({
          urls: [typeof url === "string" ? url : Redacted.value(url)],
          isCluster: false,
          username: undefined,
          password: undefined,
          database: undefined,
          tls: undefined,
          connectTimeout: 2_000
        }),
        ({ client, reconnect }) =>
          redisWire(
            { publish: (to, text) => client().publish(to, text), duplicate: () => client().duplicate() },
            channel,
            reconnect
          )
      )
}

/**
 * A message is one PUBLISH, 1 round trip, at once: it takes no part in a SQL transaction. Each tier listens on a connection of its
 * own. An invalidation that the server does not take within 2 seconds fails with `Timeout`, and this layer's own connection is made
 * anew. Fails with `InvalidOption` without `url` and `client`, and with `Unavailable` if the server refuses the password.
 *
 * @example
 * import { Layer } from "effect"
 * import { TieredBackend } from "effect-cached"
 * import * as RedisBackend from "effect-cached/RedisBackend"
 * import * as RedisBus from "effect-cached/RedisBus"
 *
 * const url = "redis://10.0.0.1:6379"
 * const Cache = TieredBackend.layer({ maxEntries: 10_000 }).pipe(
 *   Layer.provide(RedisBackend.layer({ url })),
 *   Layer.provide(RedisBus.layer({ url }))
 * )
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (options: RedisBusOptions): Layer.Layer<CacheBus, CacheError> =>
  Layer.scoped(CacheBus, Effect.map(wireOf(options), overWire))
