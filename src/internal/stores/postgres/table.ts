/** The table on PostgreSQL: its definition, and how it is created. */
import { SqlClient } from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import { Effect } from "effect"
import type { Table } from "../sql/table.js"

/** The nil uuid stands in the column `change` of a record. Any other value marks a change that a transaction left. */
export const noChange = "'00000000-0000-0000-0000-000000000000'::uuid"

const sharedPrefix = "clear "

/** The key under which the changes to a whole namespace stand. A finished key has no space, so this is none. */
export const sharedKey = (namespace: string): string => sharedPrefix + namespace

/** The same in SQL. */
export const sharedKeyOf = (namespace: string): string => `'${sharedPrefix}' || ${namespace}`

/**
 * The columns that tables of older versions lack: of a change, its transaction and the order within it; of a change with a value,
 * and of a record beside a change to the whole namespace, the snapshot that it was made in.
 */
const added = ["xid xid8", "step int", "snapshot pg_snapshot"]

/**
 * One table holds the records and, beside them, the changes of user transactions that are not yet folded into a record. Each
 * kind has an index of its own.
 *
 * - A table of their own for the changes would mostly be so small that the planner would read all of it.
 * - A primary key over both kinds would be twice as large as the index of the records, and a tenth slower to read at a
 *   million records. Beside that index it would make two callers who add one key collide.
 * - Without a primary key, logical replication wants to be told what identifies a row: `REPLICA IDENTITY`.
 * - A tenth of each page is left free, for updates that stay on their page.
 * - The table keeps its space on disk. To cut it off, vacuum would lock the table; and for a table that is empty for a night,
 *   PostgreSQL would make plans that read all of it in the morning.
 *
 * @param unless what makes a statement skip what exists already; nothing where that would be an error
 */
export const definition = (table: Table, unlogged: boolean, unless = "IF NOT EXISTS "): ReadonlyArray<string> => [
  `CREATE ${unlogged ? "UNLOGGED " : ""}TABLE ${unless}${table.quoted} (
  key text COLLATE "C" NOT NULL,
  change uuid NOT NULL DEFAULT ${noChange},
  token uuid,
  ${added.join(",\n  ")},
  value bytea,
  expires_at timestamptz NOT NULL,
  purge_at timestamptz NOT NULL DEFAULT '-infinity'
) WITH (fillfactor = 90, vacuum_truncate = false)`,
  `ALTER TABLE ${table.quoted} REPLICA IDENTITY FULL`,
  `CREATE UNIQUE INDEX ${unless}"${table.name}_record" ON ${table.quoted} (key) WHERE change = ${noChange}`,
  `CREATE INDEX ${unless}"${table.name}_purge_at" ON ${table.quoted} (purge_at) WHERE change = ${noChange}`,
  `CREATE INDEX ${unless}"${table.name}_changes" ON ${table.quoted} (key) WHERE change <> ${noChange}`
]

/** What brings a table up to date that an older version of this library made. */
export interface Upgrade {
  /** A table without this column is older. */
  readonly column: string
  /** They may run twice. */
  readonly statements: ReadonlyArray<string>
}

/**
 * In the order in which they must run. None rewrites the table. Changes of an older version, which lack the new columns, all count
 * as tombstones, so no old value comes back.
 */
export const upgrades = (table: Table): ReadonlyArray<Upgrade> => [
  {
    column: "snapshot",
    statements: [
      `ALTER TABLE ${table.quoted} ${added.map((column) => `ADD COLUMN IF NOT EXISTS ${column}`).join(", ")}`
    ]
  }
]

/** Creates the table where it is missing. Safe when many processes start at once. */
export const createTable = (table: Table, unlogged: boolean): Effect.Effect<void, SqlError, SqlClient> =>
  Effect.gen(function* () {
    const sql = yield* SqlClient
    // looked up first: `CREATE TABLE IF NOT EXISTS` needs the right to create even where there is nothing to do
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
        // two that create it at once would collide in the catalog
        yield* sql.unsafe(`SELECT pg_advisory_xact_lock(hashtextextended($1, 0))`, [`create ${table.quoted}`])
        if (yield* exists) return
        // not `IF NOT EXISTS`: under the name of an index may stand something else, and then no write would work
        for (const statement of definition(table, unlogged, "")) yield* sql.unsafe(statement)
      })
    )
  })
