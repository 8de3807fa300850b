/** The statements inside a user's transaction. */
import type { Table } from "../../sql/table.js"
import { noChange } from "../table.js"
import { expiry, expiryColumns, expirySet, expiryValues } from "./expiry.js"
import { absent, alive, arrayItem, keyLock, onRecord, put } from "./fragments.js"

export const transactionStatements = (table: Table) => {
  const t = table.quoted
  return {
    /** Inserts what is to hold from the commit on. A null value is a tombstone. */
    change: `INSERT INTO ${t} (key, change, seen, value, expires_at)
SELECT i.key, gen_random_uuid(),
  (SELECT coalesce(array_agg(c.change), '{}') FROM ${t} c WHERE c.key IN (i.key, $4) AND c.change <> ${noChange}),
  i.value, ${expiry("i.lifetime")}
FROM ${arrayItem("key, value, lifetime", "text[]", "bytea[]", "float8[]")}`,

    /** Inserts a tombstone over all keys of the namespace `$2`. */
    changeAll: `INSERT INTO ${t} (key, change, seen, expires_at)
SELECT $1::text, gen_random_uuid(), coalesce(array_agg(c.change), '{}'), 'infinity'
FROM ${t} c WHERE c.change <> ${noChange} AND (c.key = $1 OR split_part(c.key, ':', 2) = $2)`,

    /** Tries to lock the key until the transaction ends. If it can't, it waits a little for who holds the lock. */
    lockKey: `SELECT CASE WHEN pg_try_advisory_xact_lock(${keyLock(table, "$1::text")}) THEN true ELSE pg_sleep(0.002) IS NULL END AS locked`,

    writeOverRecord: `UPDATE ${t} r SET value = $2::bytea, token = gen_random_uuid(), ${expirySet("$3::float8")}
WHERE r.key = $1 AND r.change = ${noChange} AND r.token = $4::uuid AND ${alive("r")} RETURNING r.key, r.token`,

    writeOverAbsence: `INSERT INTO ${t} AS r (key, value, token, ${expiryColumns}) VALUES ($1, $2::bytea, gen_random_uuid(), ${expiryValues("$3::float8")})
${onRecord} DO UPDATE SET ${put} WHERE ${absent("r")} RETURNING r.key, r.token`
  }
}
