/**
 * Clears the namespace: one new generation a server, whatever the number of records. `flush_all` would clear all other namespaces
 * too.
 */
import { Effect, Either } from "effect"
import type { Connection } from "./client/Connection.js"
import { establish } from "./client/exchange.js"
import type { Pool } from "./client/Pool.js"
import type { Problem } from "./commands/Problem.js"

const clearOne = (server: Connection): Effect.Effect<unknown, Problem> =>
  // This process at least will not read what a server has that can't be reached now.
  Effect.tapError(establish({ primary: server.index, server }, server.index, "renew"), () =>
    Effect.sync(() => {
      server.mustRenew = true
    })
  )

/** Fails when a server could not be reached. The others are cleared all the same. */
export const clear = (pool: Pool): Effect.Effect<void, Problem> =>
  Effect.flatMap(
    Effect.forEach(pool.connections, (server) => Effect.either(clearOne(server)), { concurrency: "unbounded" }),
    (results) => Effect.asVoid(Either.all(results))
  )
