/**
 * Clears the namespace: one new generation a server, whatever the number of records. `flush_all` would take everyone
 * else's with it.
 *
 * @since 0.1.0
 */
import { Effect, Either } from "effect"
import type { Connection } from "./client/Connection.js"
import { exchange } from "./client/exchange.js"
import type { Pool } from "./client/Pool.js"
import type { Problem } from "./commands/Command.js"
import type { Generation } from "./generation/Generation.js"
import { GenerationCall } from "./generation/GenerationCommand.js"

const clearOne = (holder: Connection): Effect.Effect<unknown, Problem> => {
  const { generations, index } = holder
  const renewed = exchange<Generation>(
    { holder, home: index },
    (listener) => new GenerationCall(index, "renew", generations.key(index), listener)
  )
  // At least this process will not read what a server that can't be reached now brings back.
  return Effect.tapError(renewed, () =>
    Effect.sync(() => {
      holder.owesGeneration = true
    })
  )
}

/** Fails when a server could not be reached; the others are cleared all the same. */
export const clearAll = (pool: Pool): Effect.Effect<void, Problem> =>
  Effect.flatMap(
    Effect.forEach(pool.connections, (connection) => Effect.either(clearOne(connection)), { concurrency: "unbounded" }),
    (results) => Effect.asVoid(Either.all(results))
  )
