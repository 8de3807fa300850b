/**
 * Which errors are outages? An outage means that the store did not answer, unlike a store that answers with an error.
 */
import { Data } from "effect"
import type { CacheError } from "../../CacheError.js"

/** The cause of an error when a circuit breaker skipped the store. */
export class CircuitOpen extends Data.TaggedError("CircuitOpen")<{
  readonly store: string
  readonly cause?: unknown
}> {}

/** The cause of an error of one server of several, while other servers answer. */
export class PartialOutage extends Data.TaggedError("PartialOutage")<{
  readonly store: string
  readonly cause?: unknown
}> {}

/** The cause of an error of a statement that got no connection, because the program holds all of its pool. */
export class NoFreeConnection extends Data.TaggedError("NoFreeConnection")<{
  readonly store: string
  readonly cause?: unknown
}> {}

/** Whether the store could not be reached or did not answer in time. */
export const isOutage = (error: CacheError): boolean => error.reason === "Unavailable" || error.reason === "Timeout"

/** Whether the store answered with an error of its own, as it does to every call while its table is missing. */
export const isRefusal = (error: CacheError): boolean => error.reason === "StoreFailed"

/** Errors that must not open the store-wide breaker: refused locally, or limited to one server of several. */
export const ignoredByBreaker = ({ cause }: CacheError): boolean =>
  cause instanceof CircuitOpen || cause instanceof PartialOutage || cause instanceof NoFreeConnection
