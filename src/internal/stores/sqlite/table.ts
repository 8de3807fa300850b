/** The table on SQLite: its definition, and how it is created. */
import { SqlClient } from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import { Effect } from "effect"
import { CacheError } from "../../../CacheError.js"
import type { Table } from "../sql/table.js"
import type { OwnRunner } from "./runner.js"
import { literal } from "./statements.js"

export const definition = (table: Table): ReadonlyArray<string> => [
  `CREATE TABLE IF NOT EXISTS ${table.quoted} (
  key TEXT NOT NULL PRIMARY KEY,
  token TEXT NOT NULL,
  value BLOB NOT NULL,
  expires_at INTEGER NOT NULL
)`,
  `CREATE INDEX IF NOT EXISTS "${table.name}_expires_at" ON "${table.name}" (expires_at)`
]

/** Creates the table where it is missing. Safe when many processes start at once. */
export const createTable = (table: Table, { define, rows }: OwnRunner): Effect.Effect<void, CacheError> =>
  Effect.flatMap(
    // looked up first: a process that starts should not have to wait for the lock
    rows(`SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ${literal(table.name)} COLLATE NOCASE`, []),
    (found) => (found.length > 0 ? Effect.void : define(definition(table)))
  )

/** Creates it on the connection of a migration. */
export const migrateTable = (table: Table): Effect.Effect<void, SqlError, SqlClient> =>
  Effect.flatMap(SqlClient, (sql) =>
    Effect.forEach(definition(table), (statement) => sql.unsafe(statement), { discard: true })
  )

/** Any schema but `main` belongs to one connection only, and the client may open a new connection for each transaction. */
export const inMain = (table: Table): Effect.Effect<Table, CacheError> =>
  table.quoted === `"${table.name}"` || table.quoted === `"main"."${table.name}"`
    ? Effect.succeed(table)
    : Effect.fail(
        new CacheError({
          reason: "InvalidOption",
          operation: "layer",
          description: `on SQLite, the table can't be ${table.quoted}: only the schema "main" is the same for every connection`
        })
      )
