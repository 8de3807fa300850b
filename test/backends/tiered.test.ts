import { afterAll } from "@effect/vitest"
import { Effect, Exit, Layer, Scope } from "effect"
import { MemoryBackend, TieredBackend } from "effect-cached"
import * as MemcachedBackend from "effect-cached/MemcachedBackend"
import * as RedisBackend from "effect-cached/RedisBackend"
import { cacheBackendSuite } from "effect-cached/testing"
import { memcachedServers } from "../servers/memcached.js"
import { redisUrl } from "../servers/redis.js"
import { freshNamespace, patience } from "../stores/memcached/support.js"
import { cachedSuite } from "../suites/cachedSuite.js"
import { manySuite } from "../suites/manySuite.js"
import { whole } from "../support/size.js"

const scope = Effect.runSync(Scope.make())
afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))

const shared = <A>(resource: Effect.Effect<A, Error, Scope.Scope>) =>
  Effect.runSync(Effect.cached(Scope.extend(resource, scope)))
const [url, servers] = [shared(redisUrl), shared(memcachedServers(1))]

const overRedis = (options: TieredBackend.TieredBackendOptions) => {
  const namespace = freshNamespace()
  return TieredBackend.layer(options).pipe(
    Layer.provide(Layer.unwrapEffect(Effect.map(url, (given) => RedisBackend.layer({ url: given, namespace }))))
  )
}
const overMemcached = (options: TieredBackend.TieredBackendOptions) => {
  const namespace = freshNamespace()
  return TieredBackend.layer(options).pipe(
    Layer.provide(
      Layer.unwrapEffect(
        Effect.map(servers, (given) => MemcachedBackend.layer({ servers: given, namespace, timeout: patience }))
      )
    )
  )
}

// In one process a tier is as strict as the backend below, however old its entries may be.
cacheBackendSuite("a tier over Redis", overRedis({ maxStaleness: "1 hour" }), { neighbour: overRedis({}) })
cachedSuite("cached in a tier over Redis", overRedis({ maxStaleness: "1 hour" }))
manySuite("cachedMany in a tier over Redis", overRedis({ maxStaleness: "1 hour" }))
if (whole) {
  // The tier asks of them what it asks of Redis, and they have their own runs of these suites.
  cacheBackendSuite("a tier over memcached", overMemcached({ maxStaleness: "1 hour" }))
  cachedSuite("cached in a tier over memcached", overMemcached({ maxStaleness: "1 hour" }))
  manySuite("cachedMany in a tier over memcached", overMemcached({ maxStaleness: "1 hour" }))
  cachedSuite("cached in a tier over memory", TieredBackend.layer().pipe(Layer.provide(MemoryBackend.layer())))
  manySuite("cachedMany in a tier over memory", TieredBackend.layer().pipe(Layer.provide(MemoryBackend.layer())))
}
