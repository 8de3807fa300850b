import { PgClient } from "@effect/sql-pg"
import { Effect, Layer, Redacted } from "effect"
import { type CacheBackend, MemoryBackend, TieredBackend } from "effect-cached"
import * as MemcachedBackend from "effect-cached/MemcachedBackend"
import * as RedisBackend from "effect-cached/RedisBackend"
import * as SqlBackend from "effect-cached/SqlBackend"
import { inject } from "vitest"
import { addresses, memcachedPool } from "../servers/memcached.js"
import { redisUrl } from "../servers/redis.js"
import { runs } from "../support/size.js"
import { modelSuite } from "./modelSuite.js"

const onMemcached = (servers: number) => () =>
  Layer.unwrapScoped(
    Effect.map(memcachedPool(servers), (pool) =>
      MemcachedBackend.layer({ servers: addresses(pool), timeout: "5 seconds" })
    )
  )

const onRedis = () =>
  Layer.unwrapScoped(Effect.map(redisUrl, (url) => RedisBackend.layer({ url, namespace: `model-${process.pid}` })))
const onPostgres = (table: string) => () =>
  SqlBackend.layer({ table: `${table}_${process.pid}` }).pipe(
    Layer.provide(PgClient.layer({ url: Redacted.make(inject("postgresUrl")) }))
  )
/** In one process a tier is as strict as the store below, however old its copies may be. */
const inTier = (below: () => Layer.Layer<CacheBackend, unknown>) => () =>
  TieredBackend.layer({ maxStaleness: "1 hour" }).pipe(Layer.provide(below()))

modelSuite("memory, by reference", () => MemoryBackend.layer(), { numRuns: runs(120, 600), longest: 40 })
modelSuite("memory, copied", () => MemoryBackend.layer({ copy: true }), { numRuns: runs(60, 200), longest: 40 })
modelSuite("one memcached", onMemcached(1), { numRuns: runs(35, 60), longest: 25 })
modelSuite("three memcacheds", onMemcached(3), { numRuns: runs(35, 60), longest: 25 })
modelSuite("PostgreSQL", onPostgres("model"), { numRuns: runs(30, 50), longest: 25 })
modelSuite("one Redis", onRedis, { numRuns: runs(35, 60), longest: 25 })
modelSuite(
  "a tier over memory",
  inTier(() => MemoryBackend.layer({ copy: true })),
  { numRuns: runs(60, 200), longest: 40 }
)
modelSuite("a tier over PostgreSQL", inTier(onPostgres("model_tier")), { numRuns: runs(25, 40), longest: 25 })
modelSuite("a tier over Redis", inTier(onRedis), { numRuns: runs(35, 60), longest: 25 })
