/** How a statement reaches PostgreSQL on a connection of the pool. */
import type { SqlClient } from "@effect/sql/SqlClient"
import { Effect } from "effect"
import type { CacheError } from "../../../CacheError.js"
import { scopedUninterruptible } from "../../runtime/scope.js"
import { fromSqlError } from "../sql/errors.js"
import type { PreparedStatements } from "./PreparedStatements.js"
import type { Statement } from "./statements/named.js"

/** Runs one statement and gives its rows. */
export type Run = <A extends object>(
  statement: Statement,
  parameters: ReadonlyArray<unknown>
) => Effect.Effect<ReadonlyArray<A>, CacheError>

/** Statements outside of transactions: each is atomic by itself. */
export const onPool =
  (sql: SqlClient, prepared: PreparedStatements): Run =>
  <A extends object>(statement: Statement, parameters: ReadonlyArray<unknown>) =>
    prepared.orUnprepared(
      Effect.mapError(
        // not interruptible: `reserve` would lose the connection of a fiber that is interrupted while it waits for one
        Effect.uninterruptibleMask((restore) =>
          scopedUninterruptible(
            Effect.flatMap(sql.reserve, (connection) => restore(prepared.execute<A>(connection, statement, parameters)))
          )
        ),
        fromSqlError("store")
      )
    )
