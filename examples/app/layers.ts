/** The application put together. Tests replace `Cache`, and the server's port. */
import { HttpApiBuilder, HttpServer } from "@effect/platform"
import { NodeHttpServer } from "@effect/platform-node"
import { Layer } from "effect"
import { TieredBackend } from "effect-cached"
import * as PgBus from "effect-cached/PgBus"
import * as SqlBackend from "effect-cached/SqlBackend"
import { Cities } from "./Cities.js"
import { DatabaseReady } from "./database.js"
import { Favourites } from "./Favourites.js"
import { ApiLive } from "./server.js"

/** Memory in front of a table that all instances share. The bus tells each instance what the others invalidate. */
export const Cache = TieredBackend.layer({ maxEntries: 10_000, maxStaleness: "1 second" }).pipe(
  Layer.provide(SqlBackend.layer()),
  Layer.provide(PgBus.layer())
)

/**
 * Needs a cache and a database. The server is the innermost, so its port opens last: it loses requests that come before there is
 * somebody to answer them.
 */
export const app = <A extends HttpServer.HttpServer, E, R>(server: Layer.Layer<A, E, R>) =>
  HttpApiBuilder.serve().pipe(
    HttpServer.withLogAddress,
    Layer.provideMerge(server),
    Layer.provide(ApiLive),
    Layer.provide(Favourites.Default),
    Layer.provide(Cities.Default),
    Layer.provide(DatabaseReady),
    Layer.provide(NodeHttpServer.layerContext)
  )
