/** The statements of the purge. They skip what is locked, so they wait for nobody. */
import type { Table } from "../../sql/table.js"
import { noChange } from "../table.js"
import { anyIn } from "./fragments.js"

export const purgeStatements = (table: Table) => {
  const t = table.quoted
  return {
    /** Removes at most `$1` records. The sub-select makes the time a constant, so that the index can be used. */
    removeExpired: `WITH victim AS MATERIALIZED (
  SELECT key FROM ${t} WHERE change = ${noChange} AND purge_at <= (SELECT clock_timestamp())
    AND expires_at <= (SELECT clock_timestamp())
  ORDER BY purge_at LIMIT $1 FOR UPDATE SKIP LOCKED
), gone AS (
  DELETE FROM ${t} WHERE key = ${anyIn("victim")} AND change = ${noChange} RETURNING 1
) SELECT count(*)::int AS rows FROM gone`,

    /** For at most `$1` rows that another program inserted. Without a time to purge them they would stand first for ever. */
    fillMissingPurgeTimes: `WITH found AS MATERIALIZED (
  SELECT key FROM ${t} WHERE change = ${noChange} AND purge_at = '-infinity' LIMIT $1 FOR UPDATE SKIP LOCKED
), filled AS (
  UPDATE ${t} SET purge_at = expires_at WHERE key = ${anyIn("found")} AND change = ${noChange} RETURNING 1
) SELECT count(*)::int AS rows FROM filled`,

    /**
     * Of the records beyond the `$1` that live longest, removes at most `$2`: those that expire next, but later than in `$3`
     * seconds, and those that have expired and would be purged later. It walks through `$1 + $2` entries of an index at most.
     * Only one process at a time, or all would remove the same excess: the others get null for it.
     */
    evict: `WITH excess AS MATERIALIZED (
  SELECT CASE WHEN pg_try_advisory_xact_lock(hashtextextended('evict ${t}', 0)) THEN (
    SELECT count(*) FROM (SELECT 1 FROM ${t} WHERE change = ${noChange} ORDER BY purge_at DESC OFFSET $1 LIMIT $2) beyond
  ) END AS n
), victim AS MATERIALIZED (
  SELECT key FROM ${t} WHERE change = ${noChange}
    AND purge_at > (SELECT clock_timestamp() + $3::float8 * interval '1 second')
    AND (expires_at > (SELECT clock_timestamp() + $3::float8 * interval '1 second') OR expires_at <= (SELECT clock_timestamp()))
  ORDER BY purge_at LIMIT (SELECT coalesce(n, 0) FROM excess) FOR UPDATE SKIP LOCKED
), gone AS (
  DELETE FROM ${t} WHERE key = ${anyIn("victim")} AND change = ${noChange} RETURNING 1
) SELECT (SELECT count(*)::int FROM gone) AS removed, n::int AS excess FROM excess`,

    tableSize: `SELECT pg_relation_size('${t}'::regclass)::float8 AS bytes`
  }
}
