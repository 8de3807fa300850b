/** `npm run app`: starts the application on `PORT` (3000), with the database of `DATABASE_URL` or an embedded one. */
import { createServer } from "node:http"
import { NodeHttpServer, NodeRuntime } from "@effect/platform-node"
import { PgClient } from "@effect/sql-pg"
import { Config, Effect, Layer, Redacted } from "effect"
import { postgres } from "../../test/servers/postgres.js"
import { app, Cache } from "./layers.js"

/** A program of yours has `PgClient.layerConfig({ url: Config.redacted("DATABASE_URL") })`. */
const Database = Layer.unwrapScoped(Effect.map(postgres, ({ url }) => PgClient.layer({ url: Redacted.make(url) })))

const Http = NodeHttpServer.layerConfig(createServer, { port: Config.withDefault(Config.integer("PORT"), 3000) })

app(Http).pipe(Layer.provide(Cache), Layer.provide(Database), Layer.launch, NodeRuntime.runMain)
