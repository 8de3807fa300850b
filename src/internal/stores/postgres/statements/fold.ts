/** The statements that fold changes into the record beside them: compare-and-set over exactly the changes that were read. */
import type { Table } from "../../sql/table.js"
import { noChange } from "../table.js"
import { expiryColumns, expirySet, expiryValues } from "./expiry.js"
import { absent, alive, anyIn, deletedChanges, lockedChanges, onRecord, put, tryKeyLock } from "./fragments.js"

export const foldStatements = (table: Table) => {
  const t = table.quoted

  /** Locks the changes of one key, and has a row `same` if they are still those that were read. */
  const sameChanges = (
    key: string,
    shared: string,
    ids: string
  ) => `item AS MATERIALIZED (SELECT ${key}::text AS key WHERE ${tryKeyLock(table, `${key}::text`)}),
${lockedChanges(table)},
shared AS MATERIALIZED (SELECT change FROM ${t} WHERE key = ${shared} AND change <> ${noChange}),
same AS MATERIALIZED (
  SELECT (SELECT array_agg(change) FROM shared) AS seen FROM item
  WHERE ${ids}::uuid[] = (
    SELECT coalesce(array_agg(change ORDER BY change), '{}') FROM (SELECT change FROM old UNION ALL SELECT change FROM shared) both_kinds
  )
)`

  return {
    /** Writes over the changes `$5` and the live record `$6`. */
    foldOverRecord: `WITH ${sameChanges("$1", "$4", "$5")},
put AS (
  UPDATE ${t} r SET value = $2::bytea, token = gen_random_uuid(), seen = same.seen, ${expirySet("$3::float8")} FROM same
  WHERE r.key = $1 AND r.change = ${noChange} AND r.token = $6::uuid AND ${alive("r")} RETURNING r.key, r.token
),
${deletedChanges(table, " AND EXISTS (SELECT 1 FROM put)")}
SELECT key, token FROM put`,

    /** Writes over the changes `$5` where no record lives. */
    foldOverAbsence: `WITH ${sameChanges("$1", "$4", "$5")},
put AS (
  INSERT INTO ${t} AS r (key, value, token, seen, ${expiryColumns})
  SELECT $1::text, $2::bytea, gen_random_uuid(), same.seen, ${expiryValues("$3::float8")} FROM same
  ${onRecord} DO UPDATE SET ${put} WHERE ${absent("r")} RETURNING r.key, r.token
),
${deletedChanges(table, " AND EXISTS (SELECT 1 FROM put)")}
SELECT key, token FROM put`,

    /** Removes the changes `$3` and, if there was one, the record `$4` under them. */
    foldToAbsence: `WITH ${sameChanges("$1", "$2", "$3")},
record AS (
  DELETE FROM ${t} r USING same WHERE r.key = $1 AND r.change = ${noChange} AND r.token = $4::uuid RETURNING r.key
),
${deletedChanges(table, " AND EXISTS (SELECT 1 FROM same) AND ($4::uuid IS NULL OR EXISTS (SELECT 1 FROM record))")}
SELECT count(*) FROM record`,

    /** How long the change lives on in milliseconds, null for ever. */
    lifetimeOfChange: `SELECT CASE WHEN expires_at = 'infinity' THEN NULL
  ELSE extract(epoch FROM expires_at - clock_timestamp())::float8 * 1000 END AS lifetime
FROM ${t} WHERE key = $1 AND change <> ${noChange} AND change = $2::uuid`,

    /** At most `$1` keys beside which changes stand. */
    changedKeys: `SELECT DISTINCT key FROM (SELECT key FROM ${t} WHERE change <> ${noChange} ORDER BY key LIMIT $1) changed`,

    /** Removes the records of the namespace `$1` after the key `$2` that were written before its change `$3`. */
    removeOlder: `WITH victim AS MATERIALIZED (
  SELECT key FROM ${t} WHERE change = ${noChange} AND split_part(key, ':', 2) = $1 AND key > $2
    AND $3::uuid <> ALL (coalesce(seen, '{}')) ORDER BY key LIMIT $4 FOR UPDATE SKIP LOCKED
), gone AS (
  DELETE FROM ${t} WHERE key = ${anyIn("victim")} AND change = ${noChange}
) SELECT key FROM victim ORDER BY key`,

    /** Forgets the change `$3` to the whole namespace once all older records are gone. */
    forgetShared: `DELETE FROM ${t} s WHERE s.key = $2 AND s.change <> ${noChange} AND s.change = $3::uuid AND NOT EXISTS (
  SELECT 1 FROM ${t} r WHERE split_part(r.key, ':', 2) = $1 AND r.key <> $2 AND $3::uuid <> ALL (coalesce(r.seen, '{}'))
)`
  }
}
