import { afterAll } from "@effect/vitest"
import { Effect, Exit, Layer, Scope } from "effect"
import * as RedisBackend from "effect-cached/RedisBackend"
import { cacheBackendSuite } from "effect-cached/testing"
import { redisCluster, redisUrl } from "../servers/redis.js"
import { cachedSuite } from "../suites/cachedSuite.js"
import { manySuite } from "../suites/manySuite.js"
import { smokeSuite } from "../suites/smokeSuite.js"

const scope = Effect.runSync(Scope.make())
afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))

let namespaces = 0

/** However often it is built: the same servers, under a namespace of its own. */
const backend = (urls: Effect.Effect<string | ReadonlyArray<string>, Error>) => {
  const namespace = `redis-${process.pid}-${++namespaces}`
  return Layer.unwrapEffect(Effect.map(urls, (url) => RedisBackend.layer({ url, namespace })))
}

const one = Effect.runSync(Effect.cached(Scope.extend(redisUrl, scope)))
const cluster = Effect.runSync(
  Effect.cached(Effect.map(Scope.extend(redisCluster, scope), (members) => members.map(({ url }) => url)))
)

cacheBackendSuite("RedisBackend on one Redis", backend(one), { shared: true, neighbour: backend(one) })
cachedSuite("cached on one Redis", backend(one), { shared: true })
manySuite("cachedMany on one Redis", backend(one), { shared: true })
smokeSuite("RedisBackend on a cluster of 3", backend(cluster), backend(cluster))
