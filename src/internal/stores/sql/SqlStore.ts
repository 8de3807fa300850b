/**
 * A `ByteStore` in a table of the SQL database that the program already has. Each database has statements of its own:
 * what PostgreSQL needs for its many writers would only be in the way of SQLite's one.
 */
import { SqlClient } from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import { type Duration, Effect, type Scope } from "effect"
import { CacheError } from "../../../CacheError.js"
import type { LegacyByteStore } from "../legacy.js"
import * as PostgresStore from "../postgres/PostgresStore.js"
import * as SqliteStore from "../sqlite/SqliteStore.js"

export interface SqlStoreOptions {
  readonly table: string
  readonly namespace: string
  /** How many records the table keeps, of all namespaces together; `undefined` for no bound. */
  readonly maxEntries: number | undefined
  readonly purgeEvery: Duration.Duration
  /** PostgreSQL's alone. */
  readonly unlogged: boolean
  readonly createTable: boolean
  /** Prepares its statements, which a pooler between may not allow. PostgreSQL's alone. */
  readonly prepare: boolean
  /** After which a statement outside a user's transaction is given up. */
  readonly timeout: Duration.Duration
}

type Make = Effect.Effect<LegacyByteStore, CacheError | SqlError, SqlClient | Scope.Scope>

export const make = (options: SqlStoreOptions): Make =>
  Effect.flatMap(SqlClient, (sql) =>
    sql.onDialectOrElse({
      pg: () => PostgresStore.make(options),
      sqlite: () => SqliteStore.make(options),
      orElse: () =>
        Effect.fail(
          new CacheError({
            reason: "InvalidOption",
            operation: "layer",
            description: "the SQL backend needs the SqlClient of @effect/sql-pg or of @effect/sql-libsql"
          })
        )
    })
  )
