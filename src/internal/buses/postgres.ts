/** A wire over LISTEN and NOTIFY of PostgreSQL. */
import { SqlClient } from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import { PgClient } from "@effect/sql-pg"
import { Context, Effect, Layer, Stream } from "effect"
import { CacheError } from "../../CacheError.js"
import { closedWithin } from "./closing.js"
import type { Wire } from "./overWire.js"

/** PostgreSQL takes texts of less than 8,000 bytes. */
const longest = 7_900
const longestClose = "2 seconds"
/** Where the program's client has none. The driver has no limit of its own. */
const connectTimeout = "5 seconds"

const failed =
  (operation: "publish" | "subscribe") =>
  (cause: SqlError): CacheError =>
    new CacheError({ reason: "Unavailable", operation, description: cause.message, cause })

/** Not `NOTIFY`, which takes no parameters, and not the client's `notify`, which leaves the transaction. */
const notify = (sql: SqlClient, channel: string, text: string) =>
  Effect.asVoid(sql`SELECT pg_notify(${channel}, ${text})`.withoutTransform)

export const postgresWire = (sql: PgClient.PgClient, channel: string): Wire => ({
  longest,
  send: (text) => Effect.mapError(notify(sql, channel, text), failed("publish")),

  // The client's own listener is shared by all who listen, and stays dead where its connection has died: each subscription has a
  // client of its own.
  open: (onText, onEnd) =>
    Effect.gen(function* () {
      // PgClient waits for its first answer uninterruptibly: on a network that delivers nothing for ever, and beyond this subscription.
      const context = yield* Effect.disconnect(
        Layer.build(
          PgClient.layer({
            ...sql.config,
            connectTimeout: sql.config.connectTimeout ?? connectTimeout,
            minConnections: 0,
            maxConnections: 1
          })
        )
      )
      const own = Context.get(context, PgClient.PgClient)
      yield* own.listen(channel).pipe(
        Stream.runForEach((text) => Effect.sync(() => onText(text))),
        Effect.ensuring(Effect.sync(onEnd)),
        Effect.ignore,
        Effect.forkScoped
      )
      return (text: string) =>
        Effect.mapError(notify(Context.get(context, SqlClient), channel, text), failed("subscribe"))
    }).pipe(
      Effect.catchAll((error) =>
        Effect.fail(
          new CacheError({
            reason: "Unavailable",
            operation: "subscribe",
            description: `${String(error)}`,
            cause: error
          })
        )
      ),
      closedWithin(longestClose)
    )
})
