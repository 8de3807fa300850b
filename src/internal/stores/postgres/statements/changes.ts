/**
 * What changes mean, in SQL. Inside a transaction `remove` and `clear` insert tombstones and `write` inserts value rows; both note
 * the transaction's id and the order within it, a value row also the snapshot that it was made in.
 *
 * A value row *saw* a change that was committed in its snapshot, or that its own transaction made earlier. The value row that saw
 * all other changes of its key and namespace counts; without one, a key with changes is absent. A change to the whole namespace
 * also hides a record, unless the record notes a snapshot that the change was committed in.
 *
 * Nothing here counts changes: while some are folded and others come, one number may come round again.
 */
import type { Table } from "../../sql/table.js"
import { noChange } from "../table.js"
import { anyIn } from "./fragments.js"

const columns = "c.key, c.change, c.xid, c.step, c.snapshot, c.value, c.expires_at"

/** Null, which is as good as false, where a change of an older version of the table has no `xid`. */
const saw = (value: string, change: string) =>
  `CASE WHEN ${change}.xid = ${value}.xid THEN ${change}.step < ${value}.step ELSE pg_visible_in_snapshot(${change}.xid, ${value}.snapshot) END`

/** The changes to the keys, as the relation `old`. */
export const changesOf = ({ quoted }: Table, keys: string) =>
  `old AS MATERIALIZED (SELECT ${columns} FROM ${quoted} c WHERE c.key = ${keys} AND c.change <> ${noChange})`

/** The same for the keys of the relation `item`, and locked. What another statement took first is not among them. */
export const lockedChanges = ({ quoted }: Table, relation = "old") => `${relation} AS MATERIALIZED (
  SELECT ${columns} FROM ${quoted} c
  WHERE c.key = ${anyIn("item")} AND c.change <> ${noChange} ORDER BY c.change FOR UPDATE
)`

/**
 * The same without the keys of which another statement took some: the record that it has written is not yet visible here, so its
 * key must not lose the tombstones that are left.
 */
export const untornChanges = (table: Table) => `${lockedChanges(table, "locked")},
torn AS MATERIALIZED (
  SELECT c.key FROM ${table.quoted} c
  WHERE c.key = ${anyIn("item")} AND c.change <> ${noChange} AND (c.change IN (SELECT change FROM locked)) IS NOT TRUE
),
old AS MATERIALIZED (SELECT * FROM locked WHERE (key IN (SELECT key FROM torn)) IS NOT TRUE)`

/** The changes to whole namespaces that stand under `keys`, as the relation `shared`. */
export const sharedChanges = ({ quoted }: Table, keys: string) =>
  `shared AS MATERIALIZED (SELECT s.key, s.change, s.xid, s.step FROM ${quoted} s WHERE s.key = ${keys} AND s.change <> ${noChange})`

/**
 * The value rows that count among `old`, as the relation `winner`. Only the one with the latest snapshot can have seen all others:
 * of two snapshots, the later has the greater end, or as great an end and fewer transactions in progress; if these are equal, the
 * transaction that began to write later is the later one. To check each against all would be quadratic.
 *
 * @param ofNamespace a condition on `s`, a shared change, and `v`, a value row: whether they are of the same namespace
 */
export const winners = (ofNamespace = "true") => `candidate AS MATERIALIZED (
  SELECT DISTINCT ON (key) * FROM old WHERE snapshot IS NOT NULL AND value IS NOT NULL
  ORDER BY key, pg_snapshot_xmax(snapshot) DESC, (SELECT count(*) FROM pg_snapshot_xip(snapshot)), xid DESC, step DESC
),
winner AS MATERIALIZED (
  SELECT v.key, v.change, v.value, v.expires_at, v.expires_at > clock_timestamp() AS lives FROM candidate v
  WHERE (v.key IN (
    SELECT c.key FROM old c JOIN candidate u ON c.key = u.key WHERE c.change <> u.change AND (${saw("u", "c")}) IS NOT TRUE
  )) IS NOT TRUE AND NOT EXISTS (SELECT 1 FROM shared s WHERE ${ofNamespace} AND (${saw("v", "s")}) IS NOT TRUE)
)`

/** Whether the record was written before a shared change. */
export const isHidden = (record: string) =>
  `EXISTS (SELECT 1 FROM shared s WHERE (pg_visible_in_snapshot(s.xid, ${record}.snapshot)) IS NOT TRUE)`

/** Whether a row of another relation is one of a key with changes. */
export const isChanged = (row: string) => `(${row}.key IN (SELECT key FROM old)) IS TRUE`

/** Whether forgetting the shared change `s` would let the row `r` count. */
export const needsTombstone = `CASE WHEN r.change = ${noChange} THEN pg_visible_in_snapshot(s.xid, r.snapshot)
  ELSE r.value IS NULL OR (${saw("r", "s")}) END IS NOT TRUE`

/** The column `snapshot` of a record that is written beside shared changes: these no longer hide it, later ones do. */
export const snapshotBeside = "CASE WHEN EXISTS (SELECT 1 FROM shared) THEN pg_current_snapshot() END"

/** Deletes the changes that the statement has locked. `IS TRUE` keeps the planner from a join, which takes a nested loop. */
export const deletedChanges = ({ quoted }: Table, condition = "true") => `gone AS (
  DELETE FROM ${quoted} r WHERE r.key = ${anyIn("old")} AND r.change <> ${noChange}
    AND (r.change IN (SELECT change FROM old)) IS TRUE AND ${condition} RETURNING r.change
)`

/** In the order of its index: with `EXISTS` the planner would read all of a table that was never analysed. */
export const firstChange = ({ quoted }: Table, condition = "true") =>
  `SELECT key FROM ${quoted} WHERE change <> ${noChange} AND ${condition} ORDER BY key LIMIT 1`
