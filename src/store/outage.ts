/**
 * Telling a store that is away from one that answers with an error.
 */
import { Data } from "effect"
import type { CacheError } from "../CacheError.js"

/** The cause of an error where the store was not even asked. */
export class CircuitOpen extends Data.TaggedError("CircuitOpen")<{ readonly store: string }> {}

/** Whether the store could not be asked, or may not have heard. */
export const isOutage = (error: CacheError): boolean => error.reason === "Unavailable" || error.reason === "Timeout"
