/** The statements of the purge. They skip what is locked, so they wait for nobody. */
import { named } from "./named.js"
import { anyIn, settled, type Table } from "./table.js"

export const purgeStatements = (table: Table) => {
  const t = table.quoted
  return named({
    // the subselect makes the time a constant, which a volatile function is not, so that the index can be used
    expired: `WITH victim AS MATERIALIZED (
  SELECT key FROM ${t} WHERE change = ${settled} AND purge_at <= (SELECT clock_timestamp())
    AND expires_at <= (SELECT clock_timestamp())
  ORDER BY purge_at LIMIT $1 FOR UPDATE SKIP LOCKED
), gone AS (
  DELETE FROM ${t} WHERE key = ${anyIn("victim")} AND change = ${settled} RETURNING 1
) SELECT count(*)::int AS removed FROM gone`,

    /** Rows that some other program inserted, `$1` at a time: without a time to purge them they would stand first for ever. */
    adopt: `WITH found AS MATERIALIZED (
  SELECT key FROM ${t} WHERE change = ${settled} AND purge_at = '-infinity' LIMIT $1 FOR UPDATE SKIP LOCKED
), adopted AS (
  UPDATE ${t} SET purge_at = expires_at WHERE key = ${anyIn("found")} AND change = ${settled} RETURNING 1
) SELECT count(*)::int AS adopted FROM adopted`,

    /**
     * Of the records beyond the `$1` that live longest, at most `$2`: those that expire next, but later than in `$3`
     * seconds, and those that have expired and were to be purged later. Walks an index of at most `$1 + $2` entries. One process at a time, or all would remove the same excess: the
     * others get null for it.
     */
    excess: `WITH excess AS MATERIALIZED (
  SELECT CASE WHEN pg_try_advisory_xact_lock(hashtextextended('evict ${t}', 0)) THEN (
    SELECT count(*) FROM (SELECT 1 FROM ${t} WHERE change = ${settled} ORDER BY purge_at DESC OFFSET $1 LIMIT $2) beyond
  ) END AS n
), victim AS MATERIALIZED (
  SELECT key FROM ${t} WHERE change = ${settled}
    AND purge_at > (SELECT clock_timestamp() + $3::float8 * interval '1 second')
    AND (expires_at > (SELECT clock_timestamp() + $3::float8 * interval '1 second') OR expires_at <= (SELECT clock_timestamp()))
  ORDER BY purge_at LIMIT (SELECT coalesce(n, 0) FROM excess) FOR UPDATE SKIP LOCKED
), gone AS (
  DELETE FROM ${t} WHERE key = ${anyIn("victim")} AND change = ${settled} RETURNING 1
) SELECT (SELECT count(*)::int FROM gone) AS removed, n::int AS excess FROM excess`,

    extent: `SELECT pg_relation_size('${t}'::regclass)::float8 AS bytes`,

    changedKeys: `SELECT DISTINCT key FROM (SELECT key FROM ${t} WHERE change <> ${settled} ORDER BY key LIMIT $1) changed`,

    /** How long the change lives on, null for ever. */
    lifetime: `SELECT CASE WHEN expires_at = 'infinity' THEN NULL
  ELSE extract(epoch FROM expires_at - clock_timestamp())::float8 * 1000 END AS lifetime
FROM ${t} WHERE key = $1 AND change <> ${settled} AND change = $2::uuid`,

    /** Records of the namespace `$1` after the key `$2` that were written before its change `$3`. */
    unseen: `WITH victim AS MATERIALIZED (
  SELECT key FROM ${t} WHERE change = ${settled} AND split_part(key, ':', 2) = $1 AND key > $2
    AND $3::uuid <> ALL (coalesce(seen, '{}')) ORDER BY key LIMIT $4 FOR UPDATE SKIP LOCKED
), gone AS (
  DELETE FROM ${t} WHERE key = ${anyIn("victim")} AND change = ${settled}
) SELECT key FROM victim ORDER BY key`,

    /** Forgets the change `$3` of the whole namespace once all that it concerns is gone. */
    forgetShared: `DELETE FROM ${t} s WHERE s.key = $2 AND s.change <> ${settled} AND s.change = $3::uuid AND NOT EXISTS (
  SELECT 1 FROM ${t} r WHERE split_part(r.key, ':', 2) = $1 AND r.key <> $2 AND $3::uuid <> ALL (coalesce(r.seen, '{}'))
)`
  })
}
