/** Whether the calling fiber is inside the user's transaction. */
import type { Connection } from "@effect/sql/SqlConnection"
import type { Context } from "effect"
import { type CallingFiber, serviceOf } from "../../runtime/fiber.js"

/** What a client puts into the context of a fiber that is inside its `withTransaction`. */
export type TransactionTag<Id> = Context.Tag<Id, readonly [Connection, depth: number]>

/** The connection of the transaction, or undefined outside of one. */
export const transactionOf = <Id>(fiber: CallingFiber, tag: TransactionTag<Id>): Connection | undefined =>
  serviceOf(fiber, tag)?.[0]
