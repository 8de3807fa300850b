/** The statements that remove the keys `$1`. */
import type { Table } from "../../sql/table.js"
import { noChange } from "../table.js"
import { alive, anyIn, arrayItem, deletedChanges, isWhole, lockedChanges, lockedItems, type Mode } from "./fragments.js"

export const removeStatements = (table: Table) => {
  const t = table.quoted

  /** Gives the rows that were removed, the changes under `$2`, and a row without change and token for each key it could lock. */
  const remove = (mode: Mode) => `WITH ${lockedItems(table, mode, arrayItem("key", "text[]"))},
${lockedChanges(table)},
record AS MATERIALIZED (
  SELECT r.key, r.token, r.seen, CASE WHEN ${alive("r")} AND ${isWhole("r")} THEN ''::bytea END AS value FROM ${t} r
  WHERE r.key = ${anyIn("item")} AND r.change = ${noChange} AND (SELECT count(*) FROM old) >= 0
  ORDER BY r.key FOR UPDATE
),
removed AS (DELETE FROM ${t} r WHERE r.key = ${anyIn("record")} AND r.change = ${noChange}),
${deletedChanges(table)}
SELECT key, NULL::uuid AS change, token, seen, value FROM record WHERE value IS NOT NULL
UNION ALL SELECT key, change, NULL, seen, value FROM old
UNION ALL SELECT key, change, NULL, seen, NULL FROM ${t} WHERE key = $2 AND change <> ${noChange}
UNION ALL SELECT key, NULL, NULL, NULL, NULL FROM item`

  return { remove: remove("free"), removeWaiting: remove("wait") }
}
