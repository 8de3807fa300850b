/** How a statement reaches the database: on the caller's transaction, or on a connection of its own. */
import { type SqlClient, TransactionConnection } from "@effect/sql/SqlClient"
import type { Connection } from "@effect/sql/SqlConnection"
import type { SqlError } from "@effect/sql/SqlError"
import { Context, type Duration, Effect, Exit } from "effect"
import { CacheError } from "../CacheError.js"
import { fromSqlError } from "./errors.js"

/** Runs one statement and gives its rows. */
export type Run = <A extends object>(
  text: string,
  parameters: ReadonlyArray<unknown>
) => Effect.Effect<ReadonlyArray<A>, CacheError>

/** A statement that is atomic by itself, on a connection of the pool, given up after `timeout`. */
export const ownConnection =
  (sql: SqlClient, timeout: Duration.Duration, operation: string): Run =>
  <A extends object>(text: string, parameters: ReadonlyArray<unknown>) =>
    sql.unsafe<A>(text, parameters).withoutTransform.pipe(
      Effect.mapError(fromSqlError(operation)),
      // the driver takes up to 5 seconds to cancel a statement on the server: not at the caller's expense
      Effect.disconnect,
      Effect.timeoutFail({
        duration: timeout,
        onTimeout: () =>
          new CacheError({ reason: "Timeout", operation, description: "the database did not answer in time" })
      })
    )

const savepoint = (connection: Connection, statement: string): Effect.Effect<void, SqlError> =>
  Effect.asVoid(connection.executeUnprepared(statement, [], undefined))

/**
 * Statements on the caller's transaction, inside a savepoint, so that one that fails takes nothing with it. They can't be
 * interrupted: the driver cancels through a second connection, and its signal may hit the transaction's next statement.
 * The savepoint is released at once, which `withTransaction` would leave to the commit: a transaction of a thousand cache
 * operations would nest a thousand deep.
 */
export const onTransaction = <A>(
  connection: Connection,
  operation: string,
  use: (run: Run) => Effect.Effect<A, CacheError>
): Effect.Effect<A, CacheError> => {
  const run: Run = (text, parameters) =>
    Effect.mapError(connection.execute(text, parameters, undefined), fromSqlError(operation))
  const control = (statement: string) => Effect.mapError(savepoint(connection, statement), fromSqlError(operation))
  return Effect.uninterruptible(
    Effect.zipRight(
      control("SAVEPOINT effect_cached"),
      Effect.flatMap(Effect.exit(use(run)), (exit) => {
        if (Exit.isSuccess(exit)) return Effect.as(control("RELEASE SAVEPOINT effect_cached"), exit.value)
        return control("ROLLBACK TO SAVEPOINT effect_cached").pipe(
          Effect.zipRight(control("RELEASE SAVEPOINT effect_cached")),
          // a connection that is gone fails here too; the first error says why
          Effect.ignore,
          Effect.zipRight(exit)
        )
      })
    )
  )
}

/** One way where the calling fiber is inside `sql.withTransaction`, another where it is not. */
export const whereTransaction = <A>(options: {
  readonly inside: (connection: Connection) => Effect.Effect<A, CacheError>
  readonly outside: Effect.Effect<A, CacheError>
}): Effect.Effect<A, CacheError> =>
  Effect.withFiberRuntime((fiber) => {
    const transaction = Context.getOption(fiber.currentContext, TransactionConnection)
    return transaction._tag === "Some" ? options.inside(transaction.value[0]) : options.outside
  })
