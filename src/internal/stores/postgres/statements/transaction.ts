/** The statements inside a user's transaction. */
import type { Table } from "../../sql/table.js"
import { noChange } from "../table.js"
import { changesOf, isHidden, sharedChanges, winners } from "./changes.js"
import { expiry, expiryColumns, expirySet, expiryValues } from "./expiry.js"
import { alive, aliveNow, arrayItem, keyLock, onRecord, put } from "./fragments.js"

/** Which of the cache's statements in this transaction it is. A setting of the transaction counts them: no row, no sequence. */
const step = `(SELECT set_config('effect_cached.step',
  (coalesce(nullif(current_setting('effect_cached.step', true), ''), '0')::int + 1)::text, true)::int)`

export const transactionStatements = (table: Table) => {
  const t = table.quoted
  return {
    /** Inserts what is to be absent from the commit on. It reads nothing, so it waits for nobody and conflicts with nobody. */
    bury: `INSERT INTO ${t} (key, change, xid, step, expires_at)
SELECT i.key, gen_random_uuid(), pg_current_xact_id(), ${step}, 'infinity' FROM ${arrayItem("key", "text[]")} RETURNING 1`,

    /**
     * Inserts what is to hold from the commit on, over the changes of the snapshot `$4`, or of its own. It reads nothing either.
     */
    change: `INSERT INTO ${t} (key, change, xid, step, snapshot, value, expires_at)
SELECT i.key, gen_random_uuid(), pg_current_xact_id(), ${step}, coalesce($4::pg_snapshot, pg_current_snapshot()), i.value, ${expiry("i.lifetime")}
FROM ${arrayItem("key, value, lifetime", "text[]", "bytea[]", "float8[]")} RETURNING change AS token`,

    /** Tries to lock the key until the transaction ends. If it can't, it waits a little for who holds the lock. */
    lockKey: `SELECT CASE WHEN pg_try_advisory_xact_lock(${keyLock(table, "$1::text")}) THEN true ELSE pg_sleep(0.002) IS NULL END AS locked`,

    /**
     * What the key `$1` means: the token of what lives, that of the record beside it, whether changes count there, and in what
     * snapshot.
     */
    lookAt: `WITH ${changesOf(table, "$1")},
${sharedChanges(table, "$2")},
${winners()},
record AS MATERIALIZED (
  SELECT r.token, ${isHidden("r")} AS hidden FROM ${t} r WHERE r.key = $1 AND r.change = ${noChange} AND ${aliveNow("r")}
),
state AS MATERIALIZED (
  SELECT r.token AS record, EXISTS (SELECT 1 FROM old) OR coalesce(r.hidden, EXISTS (SELECT 1 FROM shared)) AS changed
  FROM (SELECT 1) one LEFT JOIN record r ON true
)
SELECT record, changed, pg_current_snapshot() AS snapshot, CASE WHEN changed THEN (SELECT w.change FROM winner w WHERE w.lives) ELSE record END AS token FROM state`,

    writeOverRecord: `UPDATE ${t} r SET value = $2::bytea, token = gen_random_uuid(), ${expirySet("$3::float8")}
WHERE r.key = $1 AND r.change = ${noChange} AND r.token = $4::uuid AND ${alive("r")} RETURNING r.token`,

    writeOverAbsence: `INSERT INTO ${t} AS r (key, value, token, ${expiryColumns}) VALUES ($1, $2::bytea, gen_random_uuid(), ${expiryValues("$3::float8")})
${onRecord} DO UPDATE SET ${put} WHERE NOT ${alive("r")} RETURNING r.token`
  }
}
