/** The statements that read. */
import { maxBytes } from "../../sql/items.js"
import type { Table } from "../../sql/table.js"
import { noChange } from "../table.js"
import { aliveNow, firstChange, isWhole, keysAnd, keysOfText } from "./fragments.js"

/** In bytes: some hundreds of values together must stay far below the longest text of PostgreSQL and of Node. */
const largest = 65_536

export const readStatements = (table: Table) => ({
  /**
   * The rows of the keys `$1`, separated by spaces, and the changes under `$2`. All of a record is in one column, because most
   * of what a row costs the driver it costs by the column. `-` where nothing lives. A value larger than any that this library
   * writes is not sent: its record is read as one without bytes, which is none.
   */
  read: `SELECT r.token::text || ' ' || encode(CASE WHEN octet_length(r.value) <= ${maxBytes} THEN r.value ELSE '' END, 'hex') || ' ' || r.key AS record, NULL::uuid AS change, r.seen
FROM ${table.quoted} r WHERE r.key = ANY(${keysOfText}) AND r.change = ${noChange} AND ${aliveNow("r")} AND ${isWhole("r")}
UNION ALL
SELECT ' ' || coalesce(encode(CASE WHEN ${aliveNow("c")} THEN c.value END, 'hex'), '-') || ' ' || c.key, c.change, c.seen
FROM ${table.quoted} c WHERE c.key = ANY(${keysAnd("$2")}) AND c.change <> ${noChange}`,

  /**
   * The records only, in one row, which costs the driver much less than a row each: token and key of each in a line, and its
   * value after the value's length. `isMixed` is true where a change stands beside them, or a record can't be told in this way.
   */
  readPlain: `SELECT string_agg(token::text || key, E'\\n') AS heads,
  string_agg(int4send(octet_length(value)) || value, ''::bytea) FILTER (WHERE octet_length(value) <= ${largest}) AS values,
  bool_or(octet_length(value) > ${largest}) OR (${firstChange(table, `key = ANY(${keysAnd("$2")})`)}) IS NOT NULL AS "isMixed"
FROM ${table.quoted} r WHERE r.key = ANY(${keysOfText}) AND r.change = ${noChange} AND ${aliveNow("r")} AND ${isWhole("r")}`
})
