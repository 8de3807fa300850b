/**
 * All statements for PostgreSQL. Three rules keep them free of dead-locks, with each other and with user transactions:
 *
 * - A user transaction that invalidates or sets only inserts rows under new ids, so it waits for nobody.
 * - All others lock in one order: changes by id, then records by key.
 * - A user transaction that adds or replaces must lock the record until it ends. It takes the advisory lock of the key before,
 *   which it only ever tries. A statement that holds one record never waits for a record whose key is locked so.
 */
import type { Table } from "../../sql/table.js"
import { clearStatements } from "./clear.js"
import { exclusiveStatements } from "./exclusive.js"
import { foldStatements } from "./fold.js"
import { named } from "./named.js"
import { purgeStatements } from "./purge.js"
import { readStatements } from "./read.js"
import { removeStatements } from "./remove.js"
import { transactionStatements } from "./transaction.js"
import { writeStatements } from "./write.js"

/** @param timeoutMillis when the callers of a write leave */
export const statements = (table: Table, timeoutMillis: number) =>
  named({
    ...readStatements(table),
    ...writeStatements(table, timeoutMillis),
    ...exclusiveStatements(table),
    ...removeStatements(table),
    ...foldStatements(table),
    ...transactionStatements(table),
    ...clearStatements(table),
    ...purgeStatements(table)
  })

export type Statements = ReturnType<typeof statements>
