/** The statements that write whatever was there. */
import type { Table } from "../../sql/table.js"
import { deletedChanges, firstChange, lockedChanges, sharedChanges, snapshotBeside } from "./changes.js"
import { expiryColumns, expiryValues } from "./expiry.js"
import { awaitKeyLock, freshToken, lockedItems, type Mode, onRecord, packedItem, put, tryKeyLock } from "./fragments.js"

/**
 * @param timeoutMillis the callers of a write leave after this time. If the database delayed the statement for so long, it must
 * not write any more, or it would overwrite what was written in the meantime.
 */
export const writeStatements = (table: Table, timeoutMillis: number) => {
  const t = table.quoted
  const inTime = `clock_timestamp() < transaction_timestamp() + interval '${timeoutMillis} milliseconds'`

  const write = (mode: Mode) => `WITH ${lockedItems(table, mode, packedItem())},
${lockedChanges(table)},
${sharedChanges(table, "$6")},
put AS (
  INSERT INTO ${t} AS r (key, value, token, snapshot, ${expiryColumns})
  SELECT i.key, i.value, ${freshToken}, ${snapshotBeside}, ${expiryValues("i.lifetime")}
  FROM item i, (SELECT count(*) AS n FROM old) o
  WHERE o.n >= 0 AND ${inTime} ORDER BY i.key COLLATE "C"
  ${onRecord} DO UPDATE SET ${put} RETURNING r.key
),
${deletedChanges(table)}
SELECT key FROM put`

  return {
    /** Waits for the user transaction that holds the key `$1`. What that one has written is visible to the next statement only. */
    awaitKey: `SELECT 1 WHERE ${awaitKeyLock(table, "$1::text")}`,

    write: write("free"),
    writeWaiting: write("wait"),

    /** `write` for a table without changes, as most tables are at most times: it writes nothing where there is a change. */
    writeUnchanged: `INSERT INTO ${t} AS r (key, value, token, ${expiryColumns})
SELECT i.key, i.value, ${freshToken}, ${expiryValues("i.lifetime")} FROM ${packedItem()}
WHERE (${firstChange(table)}) IS NULL AND ${tryKeyLock(table, "i.key")} AND ${inTime} ORDER BY i.key COLLATE "C"
${onRecord} DO UPDATE SET ${put} RETURNING r.key`
  }
}
