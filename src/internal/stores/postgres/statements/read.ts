/** The statements that read. */
import { maxBytes } from "../../sql/items.js"
import type { Table } from "../../sql/table.js"
import { noChange } from "../table.js"
import { changesOf, firstChange, isChanged, isHidden, sharedChanges, winners } from "./changes.js"
import { aliveNow, keysAnd, keysOfText } from "./fragments.js"

/** In bytes: some hundreds of values together must stay far below the longest text of PostgreSQL and of Node. */
const largest = 65_536

/**
 * All of a record in one column, because most of what a row costs the driver it costs by the column. A value larger than any that
 * this library writes is not sent: its record is read as one without bytes, which is none.
 */
const packedRecord = (token: string, row: string) =>
  `${token}::text || encode(CASE WHEN octet_length(${row}.value) <= ${maxBytes} THEN ${row}.value ELSE '' END, 'hex') || ' ' || ${row}.key`

export const readStatements = (table: Table) => {
  const isAsked = `r.key = ANY(${keysOfText}) AND r.change = ${noChange} AND ${aliveNow("r")}`
  const anyChange = firstChange(table, `key = ANY(${keysAnd("$2")})`)
  return {
    /** The records of the keys `$1`, separated by spaces, and an empty row where changes stand there or under `$2`. */
    read: `SELECT ${packedRecord("r.token", "r")} AS record FROM ${table.quoted} r WHERE ${isAsked}
UNION ALL SELECT '' FROM (${anyChange}) changed`,

    /**
     * The same in one row, which costs the driver much less than a row each: token and key of each record in a line, and its
     * value after the value's length. `isMixed` is true where changes stand, or a record can't be told in this way.
     */
    readPlain: `SELECT string_agg(token::text || key, E'\\n') AS heads,
  encode(string_agg(int4send(octet_length(value)) || value, ''::bytea) FILTER (WHERE octet_length(value) <= ${largest}), 'hex') AS values,
  coalesce(bool_or(octet_length(value) > ${largest}), false) OR (${anyChange}) IS NOT NULL AS "isMixed"
FROM ${table.quoted} r WHERE ${isAsked}`,

    /** What the keys `$1` mean together with the changes beside them, in rows as those of `read`. */
    readChanged: `WITH ${changesOf(table, `ANY(${keysOfText})`)},
${sharedChanges(table, "$2")},
${winners()}
SELECT ${packedRecord("w.change", "w")} AS record FROM winner w WHERE w.lives
UNION ALL SELECT ${packedRecord("r.token", "r")} FROM ${table.quoted} r
WHERE ${isAsked} AND NOT ${isChanged("r")} AND NOT ${isHidden("r")}`
  }
}
