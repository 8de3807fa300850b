/** Which client of SQLite the program uses, and what the store asks of it. */
import { type SqlClient, TransactionConnection } from "@effect/sql/SqlClient"
import type { Connection } from "@effect/sql/SqlConnection"
import { Context, type Duration, Effect } from "effect"
import type { CacheError } from "../../../CacheError.js"
import { libsqlTransactionKey } from "../../runtime/fiber.js"
import type { TransactionTag } from "../sql/SqlStore.js"
import * as libsql from "./libsql/connection.js"
import { driverOf } from "./libsql/driver.js"
import type { OwnRunner, Runner } from "./runner.js"
import * as node from "./sharedConnection.js"

export interface SqliteClient<Id> {
  readonly transaction: TransactionTag<Id>
  /** Outside of transactions. */
  readonly outside: OwnRunner
  /** On the connection of the user's transaction. */
  readonly inside: (connection: Connection, operation: string) => Runner
  /** Whether a database in memory would be another one for each connection. */
  readonly needsFile: boolean
}

interface LibsqlTransaction {
  readonly _: unique symbol
}

/** `@effect/sql-libsql` has a tag of its own. It is known by its key, because not everybody has that package. */
const LibsqlTransaction = Context.GenericTag<LibsqlTransaction, readonly [Connection, depth: number]>(
  libsqlTransactionKey
)

const isOfSqliteNode = (sql: SqlClient): boolean =>
  Reflect.get(sql, Symbol.for("@effect/sql-sqlite-node/SqliteClient")) !== undefined

/** Fails with `InvalidOption` for a client that it does not know. Goes on with the client otherwise. */
export const withClientOf = <A, E, R>(
  sql: SqlClient,
  timeout: Duration.Duration,
  use: <Id>(client: SqliteClient<Id>) => Effect.Effect<A, E, R>
): Effect.Effect<A, E | CacheError, R> => {
  if (isOfSqliteNode(sql)) {
    return use({
      transaction: TransactionConnection,
      outside: node.outsideTransaction(sql, timeout),
      inside: node.insideTransaction(timeout),
      needsFile: false
    })
  }
  return Effect.flatMap(driverOf(sql), (driver) =>
    use({
      transaction: LibsqlTransaction,
      outside: libsql.outsideTransaction(driver, timeout),
      inside: libsql.insideTransaction,
      needsFile: true
    })
  )
}
