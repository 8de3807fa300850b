/** Pieces that the statements have in common. */
import type { Table } from "../../sql/table.js"
import { noChange } from "../table.js"
import { expirySetFrom } from "./expiry.js"

/**
 * The keys in another relation of the statement, as an array. Joined with the relation, the planner would read the whole table
 * if it was empty or had never been analysed when the plan was made, and a plan is kept while the table grows.
 */
export const anyIn = (relation: string) => `ANY(ARRAY(SELECT key FROM ${relation}))`

/** One record a key: see `definition`. */
export const onRecord = `ON CONFLICT (key) WHERE change = ${noChange}`

/** A record without token or value is none of this library's: it counts as absent, and is overwritten. */
const isWhole = (alias: string) => `${alias}.token IS NOT NULL AND ${alias}.value IS NOT NULL`

export const alive = (alias: string) => `(${alias}.expires_at > clock_timestamp() AND ${isWhole(alias)})`

/** The same, the time evaluated once and not for every row. */
export const aliveNow = (alias: string) => `(${alias}.expires_at > (SELECT clock_timestamp()) AND ${isWhole(alias)})`

/**
 * A scalar sub-select, so that the planner keeps the generic plan. If it saw the array, it would find each plan for one short
 * array cheaper than the generic plan, and would plan the statement anew at every call, which takes longer than running it.
 */
export const opaqueArray = (array: string, type = "text[]") => `(SELECT ${array})::${type}`

/** The keys in `$1`, separated by spaces. */
export const keysOfText = opaqueArray("string_to_array($1, ' ')")

/** The same keys and one more. */
export const keysAnd = (shared: string) => opaqueArray(`string_to_array($1, ' ') || ${shared}::text`)

/** Arrays of these types, from the parameter `$1` on, as rows. */
export const arrayItem = (columns: string, ...types: ReadonlyArray<string>) =>
  `unnest(${types.map((type, index) => opaqueArray(`$${index + 1}::${type}`, type)).join(", ")}) AS i(${columns})`

/** A column of items, and the type of the array that it comes in. */
export type Column = readonly [column: string, type: string]

/**
 * The parameters that `packed` makes of records, as rows: keys in one text, values in one `bytea`. As arrays they would take a
 * fifth of all the time that driver and server need for a write.
 *
 * @param also further arrays, from `$6` on
 */
export const packedItem = (...also: ReadonlyArray<Column>) => {
  const columns = also.map(([column]) => `, ${column}`).join("")
  const arrays = also.map(([, type], index) => `, ${opaqueArray(`$${6 + index}::${type}`, type)}`).join("")
  return `(SELECT key, substr($2::bytea, starts, size) AS value, lifetime${columns} FROM unnest(
  ${keysOfText}, ${opaqueArray("$3::int4[]", "int4[]")}, ${opaqueArray("$4::int4[]", "int4[]")}, ${opaqueArray("$5::float8[]", "float8[]")}${arrays}
) AS u(key, starts, size, lifetime${columns})) AS i`
}

/** One token for all records of a statement, which has none twice: a token tells apart what one key held at different times. */
export const freshToken = "(SELECT gen_random_uuid())"

export const put = `value = EXCLUDED.value, token = EXCLUDED.token, snapshot = EXCLUDED.snapshot, ${expirySetFrom("EXCLUDED")}`

/** A batch leaves out the keys that a user transaction has locked (`free`), or waits for them (`wait`). */
export type Mode = "free" | "wait"

/**
 * The advisory lock of a key. A user transaction that adds or replaces the key holds it; every other writer takes it, shared,
 * for one statement. The table is part of it, so that two tables with the same key do not delay each other.
 */
export const keyLock = ({ quoted }: Table, key: string) => `hashtextextended('${quoted} ' || ${key}, 0)`

export const tryKeyLock = (table: Table, key: string) => `pg_try_advisory_xact_lock_shared(${keyLock(table, key)})`

export const awaitKeyLock = (table: Table, key: string) =>
  `pg_advisory_xact_lock_shared(${keyLock(table, key)})::text = ''`

/** The items that the statement may write. It waits for key locks before it holds anything else. */
export const lockedItems = (table: Table, mode: Mode, source: string) => `item AS MATERIALIZED (
  SELECT * FROM ${source} WHERE ${mode === "free" ? tryKeyLock(table, "i.key") : awaitKeyLock(table, "i.key")}
)`
