/**
 * Whether the calling fiber is inside a SQL transaction. What a computation reads there may never be committed, so it
 * must not be stored, whatever the backend. The tags are known by their keys, because the core loads no SQL client.
 */
import { Effect, type Fiber } from "effect"

const transactionKey = "@effect/sql/SqlClient/TransactionConnection"
/** `@effect/sql-libsql` marks its transactions by a tag of its own. */
export const libsqlTransactionKey = "@effect/sql-libsql/LibsqlClient/LibsqlTransaction"

export const isInTransaction = (fiber: Fiber.RuntimeFiber<unknown, unknown>): boolean => {
  const { unsafeMap } = fiber.currentContext
  return unsafeMap.has(transactionKey) || unsafeMap.has(libsqlTransactionKey)
}

export const inTransaction: Effect.Effect<boolean> = Effect.withFiberRuntime((fiber) =>
  Effect.succeed(isInTransaction(fiber))
)
