/** Statements of the cache inside the user's own transaction. */
import type { Connection } from "@effect/sql/SqlConnection"
import { Effect, Exit } from "effect"
import type { CacheError } from "../../../CacheError.js"
import { fromSqlError } from "./errors.js"

/**
 * One semaphore for each transaction, because savepoints nest: a fiber that rolls back to its savepoint also undoes what other
 * fibers of the transaction did since. They are found by the connection, as several layers may use one client.
 */
const turns = new WeakMap<Connection, Effect.Semaphore>()

const inTurn = (connection: Connection) => {
  const turn = turns.get(connection) ?? Effect.unsafeMakeSemaphore(1)
  turns.set(connection, turn)
  return turn.withPermits(1)
}

/**
 * Runs `use` in a savepoint, so that a statement which fails leaves the user's transaction as it was.
 *
 * - It can't be interrupted: the driver cancels through a second connection, and may cancel the transaction's next statement.
 * - The savepoint is released at once. `withTransaction` keeps its savepoints until the commit, and a transaction with a
 *   thousand cache operations would nest a thousand deep.
 */
export const inSavepoint = <A>(
  connection: Connection,
  operation: string,
  use: Effect.Effect<A, CacheError>
): Effect.Effect<A, CacheError> => {
  const execute = (statement: string) =>
    Effect.mapError(connection.executeUnprepared(statement, [], undefined), fromSqlError(operation))
  const release = execute("RELEASE SAVEPOINT effect_cached")
  return execute("SAVEPOINT effect_cached").pipe(
    Effect.zipRight(Effect.exit(use)),
    Effect.flatMap((exit) => {
      if (Exit.isSuccess(exit)) return Effect.as(release, exit.value)
      return execute("ROLLBACK TO SAVEPOINT effect_cached").pipe(
        Effect.zipRight(release),
        // a connection that is gone fails here too; the first error says why
        Effect.ignore,
        Effect.zipRight(exit)
      )
    }),
    Effect.uninterruptible,
    inTurn(connection)
  )
}
