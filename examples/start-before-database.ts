/** A program that may start before its PostgreSQL: a client that asks nothing while it is built, and a cache that starts later. */
import { PgClient } from "@effect/sql-pg"
import { Config, Effect, Layer, Redacted } from "effect"
import * as SqlBackend from "effect-cached/SqlBackend"
import pg from "pg"

export const clientOf = (url: Redacted.Redacted) =>
  PgClient.layerFromPool({
    acquire: Effect.acquireRelease(
      Effect.sync(() => {
        const pool = new pg.Pool({ connectionString: Redacted.value(url), max: 10, connectionTimeoutMillis: 5_000 })
        // without a listener, an idle connection that breaks would end the process
        pool.on("error", () => {})
        return pool
      }),
      (pool) => Effect.promise(() => pool.end())
    )
  })

export const Database = Layer.unwrapEffect(Effect.map(Config.redacted("DATABASE_URL"), clientOf))

export const Cache = SqlBackend.layer({ onStart: "retry" }).pipe(Layer.provide(Database))
