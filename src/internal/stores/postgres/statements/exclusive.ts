/** The statements of compare-and-set: `add` and `replace`. */
import type { Table } from "../../sql/table.js"
import { noChange } from "../table.js"
import {
  deletedChanges,
  isChanged,
  isHidden,
  lockedChanges,
  sharedChanges,
  snapshotBeside,
  winners
} from "./changes.js"
import { expiryColumns, expirySet, expiryValues } from "./expiry.js"
import {
  alive,
  anyIn,
  type Column,
  freshToken,
  keysOfText,
  lockedItems,
  onRecord,
  packedItem,
  put
} from "./fragments.js"

const token: Column = ["token", "uuid[]"]

export const exclusiveStatements = (table: Table) => {
  const t = table.quoted

  /** The keys with changes of their own. */
  const changed = `changed AS MATERIALIZED (SELECT DISTINCT key FROM ${t} WHERE change <> ${noChange} AND key = ANY(${keysOfText}))`
  const isOwnChanged = (row: string) => `(${row}.key IN (SELECT key FROM changed)) IS TRUE`

  /** Writes one item over all that this statement holds and whatever record is beside it, and deletes the changes it holds. */
  const over = (shared: string, condition: string, overRecord: string, ...also: ReadonlyArray<Column>) =>
    `WITH ${lockedItems(table, "free", packedItem(...also))},
${lockedChanges(table)},
${sharedChanges(table, shared)},
${winners()},
put AS (
  INSERT INTO ${t} AS r (key, value, token, snapshot, ${expiryColumns})
  SELECT i.key, i.value, ${freshToken}, ${snapshotBeside}, ${expiryValues("i.lifetime")}
  FROM item i, (SELECT count(*) AS n FROM old) o WHERE o.n >= 0 AND ${condition}
  ${onRecord} DO UPDATE SET ${put} WHERE ${overRecord} RETURNING r.key, r.token
),
${deletedChanges(table, "EXISTS (SELECT 1 FROM put)")}
SELECT key, token FROM put`

  /** Over the records with the tokens of the items, where no changes stand. Gives null where changes of its own stand. */
  const overRecords = (shared: string, also: ReadonlyArray<Column>, value: string) =>
    `WITH ${lockedItems(table, "free", packedItem(...also))},
${changed},
${sharedChanges(table, shared)},
held AS MATERIALIZED (
  SELECT i.* FROM ${t} r JOIN item i ON r.key = i.key AND r.token = i.token
  WHERE r.key = ${anyIn("item")} AND r.change = ${noChange} AND ${alive("r")}
    AND NOT ${isOwnChanged("r")} AND NOT ${isHidden("r")}
  ORDER BY r.key FOR UPDATE OF r
),
replaced AS (
  UPDATE ${t} r SET value = ${value}, token = ${freshToken}, ${expirySet("held.lifetime")}
  FROM held WHERE r.key = ${anyIn("held")} AND r.key = held.key AND r.change = ${noChange} RETURNING r.key, r.token
)
SELECT key, token FROM replaced UNION ALL SELECT i.key, NULL FROM item i WHERE ${isOwnChanged("i")}`

  return {
    /** Gives for each key that it added a token, and null where changes stand: there `addOver` decides. */
    add: `WITH ${lockedItems(table, "free", packedItem())},
${changed},
${sharedChanges(table, "$6")},
put AS (
  INSERT INTO ${t} AS r (key, value, token, ${expiryColumns})
  SELECT i.key, i.value, ${freshToken}, ${expiryValues("i.lifetime")} FROM item i
  WHERE NOT ${isOwnChanged("i")} AND NOT EXISTS (SELECT 1 FROM shared) ORDER BY i.key COLLATE "C"
  ${onRecord} DO UPDATE SET ${put} WHERE NOT ${alive("r")} RETURNING r.key, r.token
)
SELECT key, token FROM put
UNION ALL SELECT i.key, NULL FROM item i WHERE ${isOwnChanged("i")} OR EXISTS (SELECT 1 FROM shared)`,

    /** Over any record beside which it holds a change; where another took the changes first, it sees that one's record. */
    addOver: over(
      "$6",
      "NOT EXISTS (SELECT 1 FROM winner w WHERE w.key = i.key AND w.lives)",
      `NOT ${alive("r")} OR ${isChanged("r")} OR ${isHidden("r")}`
    ),

    /**
     * Over the records with the tokens `$6`. Gives null where changes of its own stand beside the record: there `replaceOver`
     * decides.
     */
    replace: overRecords("$7", [token], "held.value"),

    /** The same; of the record only the first `$7` bytes are other ones. */
    amend: overRecords("$8", [token, ["replaces", "int4[]"]], "held.value || substr(r.value, held.replaces + 1)"),

    /** Over the value row with the token `$6`, if that counts. */
    replaceOver: over(
      "$7",
      "EXISTS (SELECT 1 FROM winner w WHERE w.key = i.key AND w.change = i.token AND w.lives)",
      "true",
      token
    )
  }
}
