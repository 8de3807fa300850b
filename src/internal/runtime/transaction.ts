/**
 * Whether the calling fiber is inside a SQL transaction. A computation there may read what is never committed, so its value is
 * stored in no backend (`ReadThrough.ts` decides that). The tags are known by their keys, because the core loads no SQL client.
 */
import { Effect } from "effect"
import { type CallingFiber, providesKey, withFiber } from "./fiber.js"

const transactionKey = "@effect/sql/SqlClient/TransactionConnection"
/** `@effect/sql-libsql` marks its transactions by a tag of its own. */
export const libsqlTransactionKey = "@effect/sql-libsql/LibsqlClient/LibsqlTransaction"

export const isInTransaction = (fiber: CallingFiber): boolean =>
  providesKey(fiber, transactionKey) || providesKey(fiber, libsqlTransactionKey)

export const inTransaction: Effect.Effect<boolean> = withFiber((fiber) => Effect.succeed(isInTransaction(fiber)))
