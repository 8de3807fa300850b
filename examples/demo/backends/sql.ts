import { PgClient } from "@effect/sql-pg"
import { Effect, Layer, Redacted } from "effect"
import * as PgBus from "effect-cached/PgBus"
import * as SqlBackend from "effect-cached/SqlBackend"
import { postgres } from "../../../test/servers/postgres.js"

const name = "effect_cache_demo"

/** On the server of `DATABASE_URL`, or on an embedded one that ends with the demo. */
export const backend = Effect.map(postgres, ({ url }) => {
  const client = PgClient.layer({ url: Redacted.make(url) })
  return {
    layer: Layer.provide(SqlBackend.layer({ table: name }), client),
    bus: Layer.provide(PgBus.layer({ channel: name }), client)
  }
})
