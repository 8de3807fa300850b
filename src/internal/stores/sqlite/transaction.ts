/** The primitives inside the user's transaction, which holds SQLite's lock already. */
import type { Connection } from "@effect/sql/SqlConnection"
import { Context, Effect } from "effect"
import type { CacheError } from "../../../CacheError.js"
import { libsqlTransactionKey } from "../../runtime/transaction.js"
import { fromSqlError } from "../sql/errors.js"
import type { Primitives } from "../sql/SqlStore.js"
import { inSavepoint } from "../sql/savepoint.js"
import type { Statements } from "./connection.js"
import { primitives } from "./primitives.js"
import type { SqliteStatements } from "./statements.js"

interface LibsqlTransaction {
  readonly _: unique symbol
}

/** `@effect/sql-libsql` has a tag of its own. It is known by its key, because who uses PostgreSQL does not have that package. */
export const LibsqlTransaction = Context.GenericTag<LibsqlTransaction, readonly [Connection, depth: number]>(
  libsqlTransactionKey
)

const statementsOn = (connection: Connection, operation: string): Statements => {
  const run = <A extends object>(
    text: string,
    parameters: ReadonlyArray<string>
  ): Effect.Effect<ReadonlyArray<A>, CacheError> =>
    Effect.mapError(connection.execute(text, parameters, undefined), fromSqlError(operation))
  return {
    change: (text) => Effect.map(run(`${text} RETURNING 1`, []), (rows) => rows.length),
    rows: run,
    pause: Effect.void
  }
}

export const insideTransaction =
  (texts: SqliteStatements, namespace: string) =>
  (connection: Connection): Primitives<string> => {
    const within = <A>(operation: string, use: (on: Primitives<string>) => Effect.Effect<A, CacheError>) =>
      inSavepoint(connection, operation, use(primitives(statementsOn(connection, operation), texts, namespace)))
    return {
      read: (keys) => within("read", (on) => on.read(keys)),
      write: (items) => within("write", (on) => on.write(items)),
      add: (key, record) => within("add", (on) => on.add(key, record)),
      replace: (key, token, record) => within("replace", (on) => on.replace(key, token, record)),
      remove: (keys) => within("remove", (on) => on.remove(keys)),
      clear: within("clear", (on) => on.clear)
    }
  }
