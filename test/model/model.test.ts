import { PgClient } from "@effect/sql-pg"
import { Effect, Layer, Redacted } from "effect"
import { MemoryBackend } from "effect-cached"
import * as MemcachedBackend from "effect-cached/MemcachedBackend"
import * as SqlBackend from "effect-cached/SqlBackend"
import { inject } from "vitest"
import { addresses, memcachedPool } from "../servers/memcached.js"
import { runs } from "../support/size.js"
import { modelSuite } from "./modelSuite.js"

const onMemcached = (servers: number) => () =>
  Layer.unwrapScoped(
    Effect.map(memcachedPool(servers), (pool) =>
      MemcachedBackend.layer({ servers: addresses(pool), timeout: "5 seconds" })
    )
  )

modelSuite("memory, by reference", () => MemoryBackend.layer(), { numRuns: runs(600), longest: 40 })
modelSuite("memory, copied", () => MemoryBackend.layer({ copy: true }), { numRuns: runs(200), longest: 40 })
modelSuite("one memcached", onMemcached(1), { numRuns: runs(60), longest: 25 })
modelSuite("three memcacheds", onMemcached(3), { numRuns: runs(60), longest: 25 })
modelSuite(
  "PostgreSQL",
  () =>
    SqlBackend.layer({ table: `model_${process.pid}` }).pipe(
      Layer.provide(PgClient.layer({ url: Redacted.make(inject("postgresUrl")) }))
    ),
  { numRuns: runs(50), longest: 25 }
)
