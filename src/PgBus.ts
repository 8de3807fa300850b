/**
 * A bus over LISTEN and NOTIFY of PostgreSQL, without a further server. Needs `@effect/sql-pg`.
 *
 * @since 0.1.0
 */
import { PgClient } from "@effect/sql-pg"
import { Effect, Layer } from "effect"
import { CacheBus } from "./CacheBus.js"
import { overWire } from "./internal/buses/overWire.js"
import { postgresWire } from "./internal/buses/postgres.js"

/**
 * A message is one statement of the program's client, 1 round trip; inside a transaction it is told by the commit, and never after
 * a rollback. An invalidation whose message is not taken within 2 seconds fails with `Timeout`. Each tier listens on 2 connections
 * of its own, made with the client's configuration: they must not go through a pooler in transaction mode, which delivers no
 * notifications.
 *
 * @param options `channel` is that of NOTIFY; all programs that share a cache must give the same. Default `effect_cached`
 *
 * @example
 * import { PgClient } from "@effect/sql-pg"
 * import { Config, Layer } from "effect"
 * import * as PgBus from "effect-cached/PgBus"
 *
 * const Bus = PgBus.layer().pipe(Layer.provide(PgClient.layerConfig({ url: Config.redacted("DATABASE_URL") })))
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (options: { readonly channel?: string } = {}): Layer.Layer<CacheBus, never, PgClient.PgClient> =>
  Layer.effect(
    CacheBus,
    Effect.map(PgClient.PgClient, (sql) => overWire(postgresWire(sql, options.channel ?? "effect_cached")))
  )
