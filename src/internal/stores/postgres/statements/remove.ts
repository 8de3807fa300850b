/** The statements that remove the keys `$1`. */
import type { Table } from "../../sql/table.js"
import { noChange } from "../table.js"
import { deletedChanges, isChanged, isHidden, lockedChanges, sharedChanges, winners } from "./changes.js"
import { alive, anyIn, arrayItem, lockedItems, type Mode } from "./fragments.js"

export const removeStatements = (table: Table) => {
  const t = table.quoted

  /**
   * Gives a row for each key that it could lock: whether something lived there, and the ids of records and value rows that it saw
   * but did not delete. Another statement has removed or replaced those, or row level security or a trigger has kept them.
   */
  const remove = (mode: Mode) => `WITH ${lockedItems(table, mode, arrayItem("key", "text[]"))},
${lockedChanges(table)},
${sharedChanges(table, "$2")},
${winners()},
record AS MATERIALIZED (
  SELECT r.key, r.token, ${alive("r")} AND NOT ${isChanged("r")} AND NOT ${isHidden("r")} AS lives FROM ${t} r
  WHERE r.key = ${anyIn("item")} AND r.change = ${noChange} AND (SELECT count(*) FROM old) >= 0
  ORDER BY r.key FOR UPDATE
),
removed AS (DELETE FROM ${t} r WHERE r.key = ${anyIn("record")} AND r.change = ${noChange} RETURNING r.key),
${deletedChanges(table)},
kept AS MATERIALIZED (
  SELECT r.key, 'record:' || r.token AS id FROM ${t} r WHERE r.key = ${anyIn("item")} AND r.change = ${noChange} AND ${alive("r")}
    AND (r.key IN (SELECT key FROM removed)) IS NOT TRUE
  UNION ALL SELECT c.key, 'change:' || c.change FROM ${t} c WHERE c.key = ${anyIn("item")} AND c.change <> ${noChange} AND c.value IS NOT NULL
    AND (c.change IN (SELECT change FROM gone)) IS NOT TRUE
)
SELECT i.key, (i.key IN (SELECT key FROM record WHERE lives UNION ALL SELECT key FROM winner WHERE lives)) IS TRUE AS lived,
  (SELECT string_agg(k.id, ' ') FROM kept k WHERE k.key = i.key) AS kept
FROM item i`

  return {
    remove: remove("free"),
    removeWaiting: remove("wait")
  }
}
