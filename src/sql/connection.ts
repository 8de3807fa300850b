/** How a statement reaches the database: on the caller's transaction, or on a connection of its own. */
import { type SqlClient, TransactionConnection } from "@effect/sql/SqlClient"
import type { Connection } from "@effect/sql/SqlConnection"
import type { SqlError } from "@effect/sql/SqlError"
import { Context, type Duration, Effect, Exit } from "effect"
import { CacheError } from "../CacheError.js"
import { codeOf, fromSqlError } from "./errors.js"

/** A statement, under the name that it is prepared with. */
export interface Statement {
  readonly name: string
  readonly text: string
}

/** Runs one statement and gives its rows. */
export type Run = <A extends object>(
  statement: Statement,
  parameters: ReadonlyArray<unknown>
) => Effect.Effect<ReadonlyArray<A>, CacheError>

export interface ConnectionOptions {
  readonly sql: SqlClient
  readonly prepare: boolean
}

/**
 * A prepared statement takes PostgreSQL a seventh of the time: planning it anew costs more than running it.
 */
const prepared = ({ name, text }: Statement): string =>
  // `@effect/sql-pg` hands this to the `query` of `pg`, which takes a named statement as well as a text
  ({ name, text }) as unknown as string

// 26000 and 42P05: a pooler in between gives each statement another session. 0A000: the table was made anew.
const notPrepared = /^(26000|42P05|0A000)$/

export const timedOut = () =>
  new CacheError({ reason: "Timeout", operation: "store", description: "the database did not answer in time" })

/** Gives a statement up after a time. Takes two fibers more, which batches spare. */
export const withTimeout =
  (run: Run, timeout: Duration.Duration): Run =>
  <A extends object>(statement: Statement, parameters: ReadonlyArray<unknown>) =>
    run<A>(statement, parameters).pipe(
      // the driver takes up to 5 seconds to cancel a statement on the server: not at the caller's expense
      Effect.disconnect,
      Effect.timeoutFail({ duration: timeout, onTimeout: timedOut })
    )

/** Statements that are atomic by themselves, each on a connection of the pool. */
export const ownConnection = (options: ConnectionOptions): Run => {
  const { sql } = options
  let prepare = options.prepare

  const attempt = <A extends object>(
    statement: Statement,
    parameters: ReadonlyArray<unknown>
  ): Effect.Effect<ReadonlyArray<A>, SqlError> =>
    // `reserve` would lose the connection of a fiber that is interrupted while it waits for one
    Effect.uninterruptibleMask((restore) =>
      Effect.scoped(
        Effect.flatMap(sql.reserve, (connection) =>
          restore(connection.execute(prepare ? prepared(statement) : statement.text, parameters, undefined))
        )
      )
    )

  return <A extends object>(statement: Statement, parameters: ReadonlyArray<unknown>) =>
    attempt<A>(statement, parameters).pipe(
      Effect.catchIf(
        (error) => prepare && notPrepared.test(codeOf(error)),
        () => {
          prepare = false
          return attempt<A>(statement, parameters)
        }
      ),
      Effect.mapError(fromSqlError("store"))
    )
}

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
  const run: Run = ({ text }, parameters) =>
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
