/** The statements of compare-and-set: `add` and `replace`. */
import type { Table } from "../../sql/table.js"
import { noChange } from "../table.js"
import { expiryColumns, expirySet, expiryValues } from "./expiry.js"
import {
  absent,
  alive,
  anyIn,
  freshToken,
  lockedItems,
  onRecord,
  packedItem,
  pendingChanges,
  put
} from "./fragments.js"

export const exclusiveStatements = (table: Table) => {
  const t = table.quoted
  return {
    /** Gives for each key that it added a token, and null where changes stand: those a `foldOver…` takes in. */
    add: `WITH ${lockedItems(table, "free", packedItem())},
${pendingChanges(table, "$6")},
put AS (
  INSERT INTO ${t} AS r (key, value, token, ${expiryColumns})
  SELECT i.key, i.value, ${freshToken}, ${expiryValues("i.lifetime")} FROM item i
  WHERE NOT EXISTS (SELECT 1 FROM pending p WHERE p.key = i.key OR p.key = $6) ORDER BY i.key COLLATE "C"
  ${onRecord} DO UPDATE SET ${put} WHERE ${absent("r")} RETURNING r.key, r.token
)
SELECT key, token FROM put
UNION ALL SELECT i.key, NULL FROM item i WHERE EXISTS (SELECT 1 FROM pending p WHERE p.key = i.key OR p.key = $6)`,

    /** Over the records with the tokens `$6`, unless a change stands beside them that they have not seen. */
    replace: `WITH ${lockedItems(table, "free", packedItem(["token", "uuid[]"]))},
${pendingChanges(table, "$7")},
held AS MATERIALIZED (
  SELECT r.key, i.value, i.lifetime FROM ${t} r JOIN item i ON r.key = i.key AND r.token = i.token
  WHERE r.key = ${anyIn("item")} AND r.change = ${noChange} AND ${alive("r")} AND NOT EXISTS (
    SELECT 1 FROM pending p WHERE p.key IN (r.key, $7) AND p.change <> ALL (coalesce(r.seen, '{}'))
  )
  ORDER BY r.key FOR UPDATE OF r
)
UPDATE ${t} r SET value = held.value, token = ${freshToken}, ${expirySet("held.lifetime")}
FROM held WHERE r.key = ${anyIn("held")} AND r.key = held.key AND r.change = ${noChange} RETURNING r.key, r.token`
  }
}
