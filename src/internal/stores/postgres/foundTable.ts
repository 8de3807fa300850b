/** Looks up the cache's table once, so that no later `search_path` leads the cache to another one. */
import type { SqlError } from "@effect/sql/SqlError"
import { Effect } from "effect"
import { CacheError } from "../../../CacheError.js"
import type { Table } from "../sql/table.js"
import { type Upgrade, upgrades } from "./table.js"

export interface Lookup {
  /** With its schema: that in which it was found, or in which it would be created. */
  readonly table: Table
  readonly exists: boolean
  /** What an older table lacks. */
  readonly lacking: ReadonlyArray<Upgrade>
}

/** Runs a statement on the connection that the look-up is about. */
export type Query = <A extends object>(
  text: string,
  parameters: ReadonlyArray<unknown>
) => Effect.Effect<ReadonlyArray<A>, SqlError>

/** An index is no table: under the name of one, `CREATE TABLE` must fail. The columns come as one text: arrays have a parser. */
const lookupText = `SELECT pg_catalog.current_schema()::text AS current, n.nspname::text AS schema, (
  SELECT pg_catalog.string_agg(a.attname::text, ',') FROM pg_catalog.pg_attribute a
  WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
) AS columns
FROM (SELECT pg_catalog.to_regclass($1) AS oid) named
LEFT JOIN pg_catalog.pg_class c ON c.oid = named.oid AND c.relkind NOT IN ('i', 'I')
LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace`

interface Row {
  readonly current: string | null
  readonly schema: string | null
  readonly columns: string | null
}

/** The name also stands in literals of statements. */
const isPlain = (schema: string): boolean => !/['\\]/.test(schema)

const inSchema = (table: Table, schema: string): Table => ({
  name: table.name,
  quoted: `"${schema.replaceAll('"', '""')}"."${table.name}"`
})

export const lookUp = (query: Query, asked: Table): Effect.Effect<Lookup, CacheError | SqlError> =>
  Effect.flatMap(query<Row>(lookupText, [asked.quoted]), ([row]) => {
    const schema = row?.schema ?? (asked.quoted === `"${asked.name}"` ? row?.current : undefined)
    if (schema === undefined || schema === null) {
      return Effect.succeed({ table: asked, exists: false, lacking: [] })
    }
    if (!isPlain(schema)) {
      return Effect.fail(
        new CacheError({
          reason: "InvalidOption",
          operation: "layer",
          description: `the table can't be in the schema ${JSON.stringify(schema)}, whose name has a quote or a backslash`
        })
      )
    }
    const table = inSchema(asked, schema)
    const exists = row?.schema !== undefined && row.schema !== null
    const columns = new Set(row?.columns?.split(","))
    return Effect.succeed({
      table,
      exists,
      lacking: exists ? upgrades(table).filter(({ column }) => !columns.has(column)) : []
    })
  })
