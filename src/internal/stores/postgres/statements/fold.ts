/**
 * The statements that fold changes into the records beside them, for keys that nobody writes. Within a key none skips what is
 * locked, and none compares tokens: a publish that missed the tombstone would then be uncovered.
 */
import type { Table } from "../../sql/table.js"
import { noChange, sharedKeyOf } from "../table.js"
import {
  deletedChanges,
  isHidden,
  needsTombstone,
  sharedChanges,
  snapshotBeside,
  untornChanges,
  winners
} from "./changes.js"
import { anyIn, keysOfText, onRecord, put, tryKeyLock } from "./fragments.js"

export const foldStatements = (table: Table) => {
  const t = table.quoted
  const namespaceOf = (key: string) => `split_part(${key}, ':', 2)`
  return {
    /**
     * Removes at most `$1` tombstones after which the same transaction made another for the same key: whoever sees the one sees
     * the other. Without it, a million of them in one transaction would make the key's fold longer than any statement may take.
     */
    thin: `WITH latest AS MATERIALIZED (
  SELECT key, xid, max(step) AS step FROM ${t} WHERE change <> ${noChange} AND value IS NULL GROUP BY key, xid HAVING count(*) > 1
),
victim AS MATERIALIZED (
  SELECT c.change FROM ${t} c JOIN latest l ON c.key = l.key AND c.xid = l.xid
  WHERE c.change <> ${noChange} AND c.value IS NULL AND c.step < l.step LIMIT $1 FOR UPDATE OF c SKIP LOCKED
), gone AS (
  DELETE FROM ${t} WHERE change <> ${noChange} AND (change IN (SELECT change FROM victim)) IS TRUE RETURNING 1
) SELECT count(*) AS rows FROM gone`,

    /** The keys after `$1` beside which changes stand, those of the next `$2` changes. A finished key has no space. */
    changedKeys: `SELECT DISTINCT key FROM (
  SELECT key FROM ${t} WHERE change <> ${noChange} AND key > $1 AND position(' ' IN key) = 0 ORDER BY key LIMIT $2
) changed ORDER BY key`,

    /** The keys under which changes to whole namespaces stand. */
    sharedKeys: `SELECT DISTINCT key FROM ${t} WHERE change <> ${noChange} AND position(' ' IN key) > 0 ORDER BY key`,

    /**
     * Of the keys `$1`: the value row that counts becomes the record, its id the token; all other records go, and all changes. A
     * key that another statement works on is left to the next purge.
     */
    fold: `WITH item AS MATERIALIZED (
  SELECT i.key FROM unnest(${keysOfText}) AS i(key) WHERE ${tryKeyLock(table, "i.key")}
),
${untornChanges(table)},
${sharedChanges(table, `ANY(ARRAY(SELECT ${sharedKeyOf(namespaceOf("key"))} FROM old))`)},
${winners(`s.key = ${sharedKeyOf(namespaceOf("v.key"))}`)},
held AS MATERIALIZED (
  SELECT r.key FROM ${t} r WHERE r.key = ${anyIn("old")} AND r.change = ${noChange} AND (SELECT count(*) FROM old) >= 0
  ORDER BY r.key FOR UPDATE
),
put AS (
  INSERT INTO ${t} AS r (key, value, token, snapshot, expires_at, purge_at)
  SELECT w.key, w.value, w.change, ${snapshotBeside}, w.expires_at, w.expires_at
  FROM winner w, (SELECT count(*) AS n FROM held) h WHERE h.n >= 0 AND w.lives ORDER BY w.key COLLATE "C"
  ${onRecord} DO UPDATE SET ${put} RETURNING r.key
),
removed AS (
  DELETE FROM ${t} r WHERE r.key = ${anyIn("held")} AND r.change = ${noChange}
    AND (r.key IN (SELECT key FROM winner WHERE lives)) IS NOT TRUE
),
${deletedChanges(table)}
SELECT (SELECT count(*) FROM old) - (SELECT count(*) FROM gone) AS kept`,

    /** Removes the next `$4` records of the namespace `$1` after the key `$2` that a change under `$3` hides. */
    removeHidden: `WITH ${sharedChanges(table, "$3")},
victim AS MATERIALIZED (
  SELECT key FROM ${t} r WHERE change = ${noChange} AND ${namespaceOf("key")} = $1 AND key > $2 AND ${isHidden("r")}
  ORDER BY key LIMIT $4 FOR UPDATE SKIP LOCKED
), gone AS (
  DELETE FROM ${t} WHERE key = ${anyIn("victim")} AND change = ${noChange}
) SELECT key FROM victim ORDER BY key`,

    /** Forgets the changes `$3` to the namespace `$1`, which stand under `$2`, once they hide nothing any more. */
    forgetShared: `WITH shared AS MATERIALIZED (
  SELECT xid, step, change FROM ${t} WHERE key = $2 AND change <> ${noChange} AND (change = ANY($3::uuid[])) IS TRUE
)
DELETE FROM ${t} WHERE key = $2 AND change <> ${noChange} AND (change IN (SELECT change FROM shared)) IS TRUE AND NOT EXISTS (
  SELECT 1 FROM ${t} r WHERE ${namespaceOf("r.key")} = $1 AND r.key <> $2 AND EXISTS (SELECT 1 FROM shared s WHERE ${needsTombstone})
)`
  }
}
