/** The statements of `clear`: over all keys of a namespace, and over the changes to the whole of it. */
import type { Table } from "../../sql/table.js"
import { noChange } from "../table.js"

export const clearStatements = ({ quoted: t }: Table) => {
  const pageOfKeys = (kind: "=" | "<>") =>
    `SELECT DISTINCT key FROM ${t} WHERE change ${kind} ${noChange} AND split_part(key, ':', 2) = $1 AND key > $2 AND key <> $3 ORDER BY key LIMIT $4`

  return {
    /** The keys of the namespace `$1` after `$2`, a page at a time. */
    keysOf: `(${pageOfKeys("=")}) UNION (${pageOfKeys("<>")}) ORDER BY key LIMIT $4`,

    /** The changes to the whole namespace, which stand under `$1`. */
    sharedChanges: `SELECT change FROM ${t} WHERE key = $1 AND change <> ${noChange}`,

    forgetChanges: `DELETE FROM ${t} WHERE key = $1 AND change <> ${noChange} AND (change = ANY($2::uuid[])) IS TRUE`
  }
}
