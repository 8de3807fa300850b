/** A wire over LISTEN and NOTIFY of PostgreSQL. */
import { SqlClient } from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import { PgClient } from "@effect/sql-pg"
import { Context, Effect, Fiber, Layer, Stream } from "effect"
import { CacheError } from "../../CacheError.js"
import { closedWithin } from "./closing.js"
import { signOfLife } from "./messages.js"
import type { Wire } from "./overWire.js"

/** PostgreSQL takes texts of less than 8,000 bytes. */
const longest = 7_900
const longestClose = "2 seconds"
/** Where the program's client has none. The driver has no limit of its own. */
const connectTimeout = "5 seconds"
/** How long the end of a subscription waits until that has begun, and how often it asks. */
const longestBeginning = "5 seconds"
const askAgain = "50 millis"

const failed =
  (operation: "publish" | "subscribe") =>
  (cause: SqlError): CacheError =>
    new CacheError({ reason: "Unavailable", operation, description: cause.message, cause })

/** Not `NOTIFY`, which takes no parameters, and not the client's `notify`, which leaves the transaction. */
const notify = (sql: SqlClient, channel: string, text: string) =>
  Effect.asVoid(sql`SELECT pg_notify(${channel}, ${text})`.withoutTransform)

/**
 * Listens in a fiber of its own. The client makes its connection for that in an `RcRef`, which loses what it makes while its fiber
 * is interrupted: the connection stays open, and keeps the process alive. So the fiber is not interrupted before it hears
 * something.
 */
const listening = (
  messages: Stream.Stream<string, SqlError>,
  ask: Effect.Effect<void, CacheError>,
  onText: (text: string) => void,
  onEnd: () => void
) =>
  Effect.gen(function* () {
    const begun = yield* Effect.makeLatch(false)
    let isWanted = true
    const listen = messages.pipe(
      Stream.runForEach((text) =>
        Effect.sync(() => {
          begun.unsafeOpen()
          if (isWanted) onText(text)
        })
      ),
      Effect.ensuring(Effect.suspend(() => Effect.zipRight(begun.open, Effect.sync(onEnd)))),
      Effect.ignore
    )
    const askUntilHeard = Effect.forever(Effect.zipRight(Effect.ignore(ask), Effect.sleep(askAgain)))
    // A statement on a network that delivers nothing is not interrupted in time.
    const hears = Effect.raceFirst(begun.await, Effect.disconnect(Effect.interruptible(askUntilHeard)))

    yield* Effect.acquireRelease(Effect.forkDaemon(Effect.interruptible(listen)), (fiber) =>
      Effect.suspend(() => {
        isWanted = false
        return Effect.exit(Effect.timeoutOption(Effect.interruptible(hears), longestBeginning))
      }).pipe(Effect.zipRight(Fiber.interrupt(fiber)))
    )
  })

export const postgresWire = (sql: PgClient.PgClient, channel: string): Wire => ({
  longest,
  send: (text) => Effect.mapError(notify(sql, channel, text), failed("publish")),

  // The client's own listener is shared by all who listen, and stays dead where its connection has died: each subscription has a
  // client of its own.
  open: (onText, onEnd) =>
    Effect.gen(function* () {
      // PgClient waits for its first answer uninterruptibly: on a network that delivers nothing for ever, and beyond this
      // subscription.
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
      const say = (text: string) =>
        Effect.mapError(notify(Context.get(context, SqlClient), channel, text), failed("subscribe"))
      yield* listening(own.listen(channel), say(signOfLife), onText, onEnd)
      return say
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
