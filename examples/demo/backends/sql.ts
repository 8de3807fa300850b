import { PgClient } from "@effect/sql-pg"
import { Effect, Layer, Redacted } from "effect"
import * as SqlBackend from "effect-cached/SqlBackend"
import { postgres } from "../../../test/servers/postgres.js"

/** On the server of `DATABASE_URL`, or on an embedded one that ends with the demo. */
export const layer = Layer.unwrapScoped(
  Effect.map(postgres, ({ url }) =>
    SqlBackend.layer({ table: "effect_cache_demo" }).pipe(Layer.provide(PgClient.layer({ url: Redacted.make(url) })))
  )
)
