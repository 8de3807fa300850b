/** What a store in a SQL database is made with: `SqlBackendOptions`, checked and complete. */
import type { Duration } from "effect"

export interface SqlStoreOptions {
  readonly table: string
  readonly namespace: string
  /** How many entries the table keeps, those of all namespaces together; `undefined` for no bound. */
  readonly maxEntries: number | undefined
  readonly purgeEvery: Duration.Duration
  /** PostgreSQL only: a table without a write-ahead log. */
  readonly unlogged: boolean
  readonly createTable: boolean
  /** PostgreSQL only: prepare statements, which a pooler in between may not allow. */
  readonly prepare: boolean
  /** After this time a statement outside a user's transaction fails with `Timeout`. */
  readonly timeout: Duration.Duration
  /** What a layer does when the database can't be reached while it is built. */
  readonly onStart: "fail" | "retry"
}
