/** The statements for SQLite. Their values are literals: `executeMultiple` of the driver takes no parameters. */
import type { AmendedRecord, ByteItem } from "../../../ByteStore.js"
import { groupMark } from "../../keys/finishKey.js"
import { isLease, shortLived } from "../sql/leases.js"
import type { Table } from "../sql/table.js"

export const literal = (text: string): string => `'${text.replaceAll("'", "''")}'`

const blob = ({ buffer, byteLength, byteOffset }: Uint8Array): string =>
  `x'${Buffer.from(buffer, byteOffset, byteLength).toString("hex")}'`

/** Milliseconds by the clock of the database's machine. `julianday` knows them in any version of SQLite. */
const now = "CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER)"

/** The largest integer that JavaScript knows exactly, some 285,000 years from now. */
const forEver = Number.MAX_SAFE_INTEGER

const expiry = (lifetime: number): string => (lifetime < forEver / 2 ? `${now} + ${Math.ceil(lifetime)}` : `${forEver}`)

/** The keys of a namespace: it stands between the first two colons. Keys are ASCII, so characters are bytes. */
const isOf = (namespace: string): string =>
  `substr(key, instr(key, ':') + 1, ${namespace.length + 1}) = ${literal(`${namespace}:`)}`

const isValue = `(instr(key, '${groupMark}') = 0)`
const lease = isLease("length", (hex) => `x'${hex}'`)

export interface NewRow extends ByteItem {
  readonly token: string
}

export const statements = (table: Table) => {
  const t = table.quoted
  const columns = ({ key, record, token }: NewRow) =>
    `(${literal(key)}, ${literal(token)}, ${blob(record.bytes)}, ${expiry(record.lifetime)})`
  const put = `DO UPDATE SET token = excluded.token, value = excluded.value, expires_at = excluded.expires_at`
  const upsert = (rows: ReadonlyArray<NewRow>) =>
    `INSERT INTO ${t} AS r (key, token, value, expires_at) VALUES ${rows.map(columns).join(",\n")}\nON CONFLICT (key) ${put}`
  const among = (keys: ReadonlyArray<string>) =>
    `key IN (SELECT value FROM json_each(${literal(JSON.stringify(keys))}))`

  const overwrite = ({ key, record, token }: NewRow, old: string, value: string) =>
    `UPDATE ${t} SET token = ${literal(token)}, value = ${value}, expires_at = ${expiry(record.lifetime)}
WHERE key = ${literal(key)} AND token = ${literal(old)} AND expires_at > ${now}`

  // Another program may insert a row whose token is no text. It is no record: nobody could replace it.
  const isWhole = (alias: string) => `typeof(${alias}.token) = 'text'`

  return {
    /**
     * The parameter is a JSON array of keys. A value that another program wrote may be no blob, hence the cast. With
     * `PRAGMA full_column_names` only a column with an alias has the name that is read here.
     */
    read: `SELECT key AS key, token AS token, CAST(value AS BLOB) AS value FROM ${t} AS r WHERE key IN (SELECT value FROM json_each(?)) AND expires_at > ${now} AND ${isWhole("r")}`,

    write: upsert,

    add: (row: NewRow) => `${upsert([row])} WHERE r.expires_at <= ${now} OR NOT ${isWhole("r")}`,

    replace: (row: NewRow, old: string) => overwrite(row, old, blob(row.record.bytes)),

    /** The concatenation of two blobs is a text of the same bytes, hence the cast. */
    amend: (row: NewRow, { bytes, head, replaces }: AmendedRecord, old: string) =>
      overwrite(row, old, `CAST(${blob(bytes.subarray(0, head))} || substr(value, ${replaces + 1}) AS BLOB)`),

    removeExpired: (keys: ReadonlyArray<string>) => `DELETE FROM ${t} WHERE ${among(keys)} AND expires_at <= ${now}`,
    remove: (keys: ReadonlyArray<string>) => `DELETE FROM ${t} WHERE ${among(keys)}`,

    /** The keys of the namespace after the parameter, a page at a time. */
    keysOf: (namespace: string, pageSize: number) =>
      `SELECT key AS key FROM ${t} WHERE key > ? AND ${isOf(namespace)} ORDER BY key LIMIT ${pageSize}`,

    purge: (batch: number) =>
      `DELETE FROM ${t} WHERE key IN (SELECT key FROM ${t} WHERE expires_at <= ${now} ORDER BY expires_at LIMIT ${batch})`,

    /**
     * Removes the values that are over `most`, at most `atOnce`: those that expire next, but what is short-lived only where these
     * are too few. It counts and removes in one statement: so several processes never remove the same excess, and a write in
     * between costs no lease.
     */
    evict: (most: number, atOnce: number) => {
      const next = (which: ">" | "<=") =>
        `SELECT key FROM (SELECT key FROM ${t} WHERE expires_at ${which} ${now} + ${shortLived} AND ${isValue} AND NOT ${lease} ORDER BY expires_at LIMIT (SELECT n FROM excess))`
      return `DELETE FROM ${t} WHERE key IN (
  WITH excess AS MATERIALIZED (SELECT min(${atOnce}, max(0, (SELECT count(*) FROM ${t} WHERE ${isValue})
    - (SELECT count(*) FROM ${t} WHERE expires_at <= ${now} + ${shortLived} AND ${lease}) - ${most})) AS n)
  SELECT key FROM (${next(">")} UNION ALL ${next("<=")}) LIMIT (SELECT n FROM excess)
)`
    },

    /** Removes the groups that are over `most`, at most `atOnce`: those that expire next, but none that is short-lived. */
    evictGroups: (most: number, atOnce: number) => {
      const lasting = `expires_at > ${now} + ${shortLived} AND NOT ${isValue}`
      return `DELETE FROM ${t} WHERE key IN (
  SELECT key FROM ${t} WHERE ${lasting} ORDER BY expires_at
  LIMIT (SELECT min(${atOnce}, max(0, count(*) - ${most})) FROM ${t} WHERE ${lasting})
)`
    },

    count: `SELECT count(*) AS n FROM ${t}`
  }
}

export type SqliteStatements = ReturnType<typeof statements>
