/** Logs a failed store operation, and counts it where the call goes on without the store. */
import { Effect } from "effect"
import type { CacheError } from "../../CacheError.js"
import type { Counters } from "../runtime/counters.js"
import { type CallingFiber, debugIsOn, withFiber } from "../runtime/fiber.js"
import type { Warnings } from "../runtime/warnings.js"
import { CircuitOpen } from "./outage.js"

/** Where failures are told: the counters of the function, and the warnings of its layer. */
export interface Reporting {
  readonly counters: Counters
  readonly warnings: Warnings
}

/** The breaker logged when it opened. Skipped calls don't log again, unless debug logs are on. */
export const alreadyReported = (fiber: CallingFiber, error: CacheError): boolean =>
  error.cause instanceof CircuitOpen && !debugIsOn(fiber)

/**
 * @param what the operation that failed: the same text for all keys, so that it is logged once a minute
 * @param about the key, or nothing
 */
export const logFailure = (warnings: Warnings, what: string, about: string, error: CacheError): Effect.Effect<void> =>
  withFiber((fiber) => {
    // Without the error's own key: it is the key of the store, and `about` may be redacted.
    const text = () => `${what}${about === "" ? "" : ` ${about}`}: ${error.description} (${error.reason})`
    const annotations = { reason: error.reason, operation: error.operation }
    if (error.cause instanceof CircuitOpen) {
      return debugIsOn(fiber) ? Effect.annotateLogs(Effect.logDebug(text()), annotations) : Effect.void
    }
    return warnings.warn(`${what} ${error.reason}`, text, annotations)
  })

/** The call goes on without the store: counts and logs the failure. */
export const storeFailed = (
  { counters, warnings }: Reporting,
  what: string,
  about: string,
  error: CacheError
): Effect.Effect<void> =>
  withFiber((fiber) => {
    counters.countOn(fiber, "storeErrors")
    return logFailure(warnings, what, about, error)
  })
