import { afterAll, describe, expect, it } from "@effect/vitest"
import { ConfigProvider, Effect, Exit, Layer, Logger, LogLevel, Scope } from "effect"
import { CacheBackend } from "effect-cached"
import * as MemcachedBackend from "effect-cached/MemcachedBackend"
import { cacheBackendSuite } from "effect-cached/testing"
import { memcached, memcachedServers } from "../servers/memcached.js"
import { freshNamespace, patience } from "../stores/memcached/support.js"
import { cachedSuite } from "../suites/cachedSuite.js"
import { manySuite } from "../suites/manySuite.js"
import { smokeSuite } from "../suites/smokeSuite.js"

const scope = Effect.runSync(Scope.make())
afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))

/** However often it is built: the same servers, under a namespace of its own. */
const backend = (servers: Effect.Effect<string, Error>) => {
  const namespace = freshNamespace()
  return Layer.unwrapEffect(
    Effect.map(servers, (given) => MemcachedBackend.layer({ servers: given, namespace, timeout: patience }))
  )
}

const servers = (count: number) => Effect.runSync(Effect.cached(Scope.extend(memcachedServers(count), scope)))
const [one, three] = [servers(1), servers(3)]
cacheBackendSuite("MemcachedBackend on one memcached", backend(one), { shared: true, neighbour: backend(one) })
cachedSuite("cached on one memcached", backend(one), { shared: true })
manySuite("cachedMany on one memcached", backend(one), { shared: true })
smokeSuite("MemcachedBackend on a pool of 3 memcached", backend(three), backend(three))

describe("MemcachedBackend.layerConfig", () => {
  const roundTrip = Effect.gen(function* () {
    const cache = yield* CacheBackend
    yield* cache.set("a", "value")
    return yield* cache.get("a")
  })

  const withEnvironment = (entries: ReadonlyArray<readonly [string, string]>) =>
    Layer.setConfigProvider(ConfigProvider.fromMap(new Map(entries)))

  it.scopedLive("finds the servers in the environment", () =>
    Effect.gen(function* () {
      const { address } = yield* memcached()
      const layer = MemcachedBackend.layerConfig().pipe(
        Layer.provide(withEnvironment([["MEMCACHED_SERVERS", address]]))
      )
      expect(yield* Effect.provide(roundTrip, layer)).toMatchObject({ _tag: "Some", value: "value" })
    })
  )

  it.scopedLive("sends no half of the credentials, and says what is missing or wrong", () =>
    Effect.gen(function* () {
      const missing = yield* Effect.exit(
        Effect.provide(roundTrip, MemcachedBackend.layerConfig().pipe(Layer.provide(withEnvironment([]))))
      )
      expect(`${missing}`).toContain("MEMCACHED_SERVERS")
      for (const options of [
        { servers: "" },
        { servers: "a:b" },
        { servers: "a", timeout: 0 },
        { servers: "a", retryDelay: Number.NaN }
      ]) {
        const refused = yield* Effect.flip(Effect.provide(roundTrip, MemcachedBackend.layer(options)))
        expect(refused.reason).toBe("InvalidOption")
      }
    }).pipe(Logger.withMinimumLogLevel(LogLevel.None))
  )
})
