/** What the batches of all primitives have in common. */
import { CacheError } from "../../../../CacheError.js"
import type { StatementFibers } from "../../sql/StatementFibers.js"
import type { Run } from "../connection.js"
import type { Statements } from "../statements/statements.js"

export interface BatchOptions {
  readonly statements: Statements
  /** The key under which the changes to the whole namespace stand. */
  readonly sharedKey: string
  /** One statement in a fiber of its own, with a time limit. */
  readonly run: Run
  /** Without these: for batches, whose fibers have them. */
  readonly direct: Run
  readonly fibers: StatementFibers<CacheError>
}

/** How many batches of one primitive may be under way. */
export const concurrency = 4

/** PostgreSQL keeps a table of limited size for the advisory locks that a batch takes for its keys. */
export const maxKeys = 200

/** After a short statement that could not do its batch, because transactions are about, so many batches go without it. */
export const batchesWithoutShort = 100

/** A trigger keeps a row out of the table without an error. */
export const notWritten = (rows: number): CacheError =>
  new CacheError({
    reason: "StoreFailed",
    operation: "write",
    description: `the database did not take ${rows} rows: no trigger may keep a row out of the table`
  })

/** Row level security and triggers keep rows without an error. */
export const notRemoved = (rows: number): CacheError =>
  new CacheError({
    reason: "StoreFailed",
    operation: "remove",
    description:
      `the database kept ${rows} rows that were to be removed: row level security needs policies for DELETE and UPDATE that hold ` +
      "for the cache's role, and no trigger may keep a row"
  })
