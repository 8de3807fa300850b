/** The table: its name, its definition, and how it comes into being. */
import type { ResolvedMigration } from "@effect/sql/Migrator"
import { SqlClient } from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import { Effect } from "effect"
import { CacheError } from "../../../CacheError.js"
import * as Sqlite from "../sqlite/table.js"

export interface Table {
  /** Quoted, with its schema if one was given. */
  readonly quoted: string
  readonly name: string
}

/** What stands in the column `change` of a record proper; any other value marks a change that a transaction left. */
export const settled = "'00000000-0000-0000-0000-000000000000'::uuid"

/**
 * The keys in another relation of the statement, as an array. Joined with them, the planner would read the whole table if it
 * was empty or had never been analysed when the plan was made, and a plan is kept while the table grows.
 */
export const anyIn = (relation: string) => `ANY(ARRAY(SELECT key FROM ${relation}))`

const part = /^[A-Za-z_][A-Za-z0-9_$]{0,47}$/

/**
 * `name` or `schema.name`. Letters, digits, `_` and `$` only, at most 48 of them, so that neither quoting nor PostgreSQL's
 * silent cut at 63 bytes can ever turn one name into another.
 */
export const parseTable = (name: string): Effect.Effect<Table, CacheError> => {
  const parts = name.split(".")
  const table = parts.at(-1)
  if (table === undefined || parts.length > 2 || !parts.every((one) => part.test(one))) {
    return Effect.fail(
      new CacheError({
        reason: "InvalidOption",
        operation: "layer",
        description: `table ${JSON.stringify(name)} is not a name like "effect_cache" or "schema.effect_cache" (letters, digits, _ and $, at most 48)`
      })
    )
  }
  return Effect.succeed({ quoted: parts.map((one) => `"${one}"`).join("."), name: table })
}

/**
 * One table holds the records and, beside them, the changes of user transactions that no record has taken in yet, with an index
 * for each kind. A table of their own the changes would mostly leave so small that the planner would rather read all of it. A
 * primary key over both would be twice as large as the index of the records, and take the server a tenth longer to read at a
 * million of them; beside that index it would make two who add one key collide. Without one, logical replication wants to be
 * told what identifies a row. A tenth of each page is left free, for updates that stay on it. What the table once took on disk
 * it keeps: cut off at its end, it would be locked, and a table that is empty for a night would have the plans made for it that
 * read all of it in the morning.
 *
 * @param unless what makes a statement skip what is there already; nothing where that would be an error
 */
export const definition = (table: Table, unlogged: boolean, unless = "IF NOT EXISTS "): ReadonlyArray<string> => [
  `CREATE ${unlogged ? "UNLOGGED " : ""}TABLE ${unless}${table.quoted} (
  key text COLLATE "C" NOT NULL,
  change uuid NOT NULL DEFAULT ${settled},
  token uuid,
  seen uuid[],
  value bytea,
  expires_at timestamptz NOT NULL,
  purge_at timestamptz NOT NULL DEFAULT '-infinity'
) WITH (fillfactor = 90, vacuum_truncate = false)`,
  `ALTER TABLE ${table.quoted} REPLICA IDENTITY FULL`,
  `CREATE UNIQUE INDEX ${unless}"${table.name}_record" ON ${table.quoted} (key) WHERE change = ${settled}`,
  `CREATE INDEX ${unless}"${table.name}_purge_at" ON ${table.quoted} (purge_at) WHERE change = ${settled}`,
  `CREATE INDEX ${unless}"${table.name}_changes" ON ${table.quoted} (key) WHERE change <> ${settled}`
]

/** Creates the table where it is missing. Safe when many processes start at once. */
export const createTable = (table: Table, unlogged: boolean): Effect.Effect<void, SqlError, SqlClient> =>
  Effect.gen(function* () {
    const sql = yield* SqlClient
    // looked up first: `CREATE TABLE IF NOT EXISTS` wants the right to create even where there is nothing to do
    const exists = Effect.map(
      sql.unsafe<{ readonly found: boolean }>(
        `SELECT EXISTS (SELECT 1 FROM pg_class WHERE oid = to_regclass($1) AND relkind NOT IN ('i', 'I')) AS found`,
        [table.quoted]
      ).withoutTransform,
      ([row]) => row?.found === true
    )
    if (yield* exists) return
    yield* sql.withTransaction(
      Effect.gen(function* () {
        // two that create it at once collide in the catalog
        yield* sql.unsafe(`SELECT pg_advisory_xact_lock(hashtextextended($1, 0))`, [`create ${table.quoted}`])
        if (yield* exists) return
        // under the name of an index may stand something else, without which nothing could be written
        for (const statement of definition(table, unlogged, "")) yield* sql.unsafe(statement)
      })
    )
  })

export interface DefinitionOptions {
  readonly table?: string
  /** PostgreSQL's alone: see `SqlBackendOptions`. */
  readonly unlogged?: boolean
}

/** The definition as SQL text, for those who run their migrations by hand. For PostgreSQL unless told otherwise. */
export const printDefinition = (
  options: DefinitionOptions & { readonly dialect?: "pg" | "sqlite" } = {}
): Effect.Effect<string, CacheError> =>
  Effect.map(parseTable(options.table ?? "effect_cache"), (table) =>
    (options.dialect === "sqlite" ? Sqlite.definition(table) : definition(table, options.unlogged ?? true))
      .map((statement) => `${statement};\n`)
      .join("\n")
  )

/** The definition as one migration for the Migrator of `@effect/sql`, for the database that it runs on. */
export const migration = (
  id: number,
  options: DefinitionOptions & { readonly name?: string } = {}
): ResolvedMigration => [
  id,
  options.name ?? "create_effect_cache",
  Effect.succeed({
    default: Effect.flatMap(Effect.all([SqlClient, parseTable(options.table ?? "effect_cache")]), ([sql, table]) =>
      sql.onDialectOrElse({
        sqlite: () => Sqlite.migrateTable(table),
        orElse: () => createTable(table, options.unlogged ?? true)
      })
    )
  })
]
