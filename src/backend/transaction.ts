/**
 * Whether the calling fiber is inside a SQL transaction. What a computation reads there may never be committed, so it
 * must not be stored, whatever the backend. The tag is known by its key, because the core does not load `@effect/sql`.
 */
import { Effect, type Fiber } from "effect"

const transactionTag = "@effect/sql/SqlClient/TransactionConnection"

export const isInTransaction = (fiber: Fiber.RuntimeFiber<unknown, unknown>): boolean =>
  fiber.currentContext.unsafeMap.has(transactionTag)

export const inTransaction: Effect.Effect<boolean> = Effect.withFiberRuntime((fiber) =>
  Effect.succeed(isInTransaction(fiber))
)
