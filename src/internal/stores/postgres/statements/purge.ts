/** The statements of the purge, and of the table's size. They skip what is locked, so they wait for nobody. */
import { isLease, shortLived } from "../../sql/leases.js"
import type { Table } from "../../sql/table.js"
import { kinds, noChange } from "../table.js"
import { anyIn } from "./fragments.js"

const inSeconds = (seconds: string | number) => `(SELECT clock_timestamp() + ${seconds}::float8 * interval '1 second')`

const isNoLease = `NOT coalesce(${isLease("octet_length", (hex) => `'\\x${hex}'::bytea`)}, false)`

export const purgeStatements = (table: Table) => {
  const t = table.quoted

  /** Removes at most `$1` records. The sub-select makes the time a constant, so that the index can be used. */
  const removeExpired = (kind: keyof typeof kinds) => `WITH victim AS MATERIALIZED (
  SELECT key FROM ${t} WHERE ${kinds[kind]} AND purge_at <= (SELECT clock_timestamp())
    AND expires_at <= (SELECT clock_timestamp())
  ORDER BY purge_at LIMIT $1 FOR UPDATE SKIP LOCKED
), gone AS (
  DELETE FROM ${t} WHERE key = ${anyIn("victim")} AND change = ${noChange} RETURNING 1
) SELECT count(*)::int AS rows FROM gone`

  /** For at most `$1` rows that another program inserted. Without a time to purge them they would stand first for ever. */
  const fillMissingPurgeTimes = (kind: keyof typeof kinds) => `WITH found AS MATERIALIZED (
  SELECT key FROM ${t} WHERE ${kinds[kind]} AND purge_at = '-infinity' LIMIT $1 FOR UPDATE SKIP LOCKED
), filled AS (
  UPDATE ${t} SET purge_at = expires_at WHERE key = ${anyIn("found")} AND change = ${noChange} RETURNING 1
) SELECT count(*)::int AS rows FROM filled`

  /**
   * Removes the records of the query `victims`, as many as there are in `counted` beyond `$1`, but at most `$2`. Only one process
   * at a time, or all would remove the same excess: the others get null for it.
   */
  const evict = (counted: string, victims: string) => `WITH excess AS MATERIALIZED (
  SELECT CASE WHEN pg_try_advisory_xact_lock(hashtextextended('evict ${t}', 0)) THEN (
    SELECT count(*) FROM (SELECT 1 FROM (${counted}) counted OFFSET $1 LIMIT $2) beyond
  ) END AS n
), victim AS MATERIALIZED (
  ${victims} ORDER BY purge_at LIMIT (SELECT coalesce(n, 0) FROM excess) FOR UPDATE SKIP LOCKED
), gone AS (
  DELETE FROM ${t} WHERE key = ${anyIn("victim")} AND change = ${noChange} RETURNING 1
) SELECT (SELECT count(*)::int FROM gone) AS removed, n::int AS excess FROM excess`

  /** In the order of the index and with a limit, so that no plan reads the whole table. */
  const longestFirst = (condition: string) =>
    `(SELECT 1 FROM ${t} WHERE ${condition} ORDER BY purge_at DESC LIMIT $1::bigint + $2::bigint)`

  const soon = inSeconds(shortLived / 1_000)
  const lastingGroups = `${kinds.groups} AND purge_at > ${soon}`

  return {
    removeExpired: removeExpired("values"),
    removeExpiredGroups: removeExpired("groups"),
    fillMissingPurgeTimes: fillMissingPurgeTimes("values"),
    fillMissingPurgeTimesOfGroups: fillMissingPurgeTimes("groups"),

    /**
     * Of the values beyond the `$1` that live longest, removes at most `$2`: those that expire next, but later than in `$3`
     * seconds, and those that have expired and would be purged later. It walks through `$1 + $2` entries of an index at most.
     */
    evict: evict(
      `${longestFirst(`${kinds.values} AND purge_at > ${soon}`)}
UNION ALL ${longestFirst(`${kinds.values} AND purge_at <= ${soon} AND ${isNoLease}`)}`,
      `SELECT key FROM ${t} WHERE ${kinds.values} AND purge_at > ${inSeconds("$3")}
    AND (expires_at > ${inSeconds("$3")} OR expires_at <= (SELECT clock_timestamp())) AND ${isNoLease}`
    ),

    /** Of the groups beyond the `$1` that live longest, removes those that expire next, at most `$2`; none that is short-lived. */
    evictGroups: evict(longestFirst(lastingGroups), `SELECT key FROM ${t} WHERE ${lastingGroups}`),

    tableSize: `SELECT pg_relation_size('${t}'::regclass)::float8 AS bytes`,

    /** What the store tells of its size, by the statistics that the server keeps anyway. */
    size: `SELECT greatest(reltuples, 0)::bigint AS entries, pg_total_relation_size(oid) AS bytes FROM pg_class WHERE oid = '${t}'::regclass`
  }
}
