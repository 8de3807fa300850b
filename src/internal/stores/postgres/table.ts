/** The table on PostgreSQL: its definition, and what an older one lacks. */
import { groupMark } from "../../keys/finishKey.js"
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

/** The records of groups, and those of values and leases. Each kind has an index for the purge, and is limited by itself. */
export const kinds = {
  values: `change = ${noChange} AND strpos(key, '${groupMark}') = 0`,
  groups: `change = ${noChange} AND strpos(key, '${groupMark}') > 0`
}

const purgeIndexes = (table: Table, unless: string): ReadonlyArray<string> => [
  `CREATE INDEX ${unless}"${table.name}_purge_at" ON ${table.quoted} (purge_at) WHERE ${kinds.values}`,
  `CREATE INDEX ${unless}"${table.name}_purge_groups" ON ${table.quoted} (purge_at) WHERE ${kinds.groups}`
]

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
  ...purgeIndexes(table, unless),
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
    column: "purge_at",
    statements: [
      `ALTER TABLE ${table.quoted} ADD COLUMN IF NOT EXISTS purge_at timestamptz NOT NULL DEFAULT '-infinity'`
    ]
  },
  {
    column: "snapshot",
    statements: [
      `ALTER TABLE ${table.quoted} ${added.map((column) => `ADD COLUMN IF NOT EXISTS ${column}`).join(", ")}`,
      // the index of an older table has the groups in it as well
      `DROP INDEX IF EXISTS ${table.quoted.replace(/"[^"]*"$/, `"${table.name}_purge_at"`)}`,
      ...purgeIndexes(table, "IF NOT EXISTS ")
    ]
  }
]
