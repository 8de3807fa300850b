/** Logs a failed store operation, or a value that is not stored, and counts it where the call goes on without the store. */
import { Cause, Effect, Option } from "effect"
import type { CacheError } from "../../CacheError.js"
import { type CallingFiber, debugIsOn, withFiber } from "../runtime/fiber.js"
import type { Counters } from "../telemetry/counters.js"
import type { Warnings } from "../telemetry/warnings.js"
import { withoutMessage } from "../values/withoutMessage.js"
import { isSkipped } from "./outage.js"

/** Where failures are told: the counters of the function, and the warnings of its layer. */
export interface Reporting {
  readonly counters: Counters
  readonly warnings: Warnings
}

/** The breaker logged when it opened, and so did the closed layer. Skipped calls don't log again, unless debug logs are on. */
export const alreadyReported = (fiber: CallingFiber, error: CacheError): boolean =>
  isSkipped(error) && !debugIsOn(fiber)

/**
 * @param what the operation that failed: the same text for all keys, so that it is logged once a minute
 * @param about the key, or nothing
 */
export const logFailure = (warnings: Warnings, what: string, about: string, error: CacheError): Effect.Effect<void> =>
  withFiber((fiber) => {
    // Without the error's own key: it is the key of the store, and `about` may be redacted.
    const text = () => `${what}${about === "" ? "" : ` ${about}`}: ${error.description} (${error.reason})`
    const annotations = { reason: error.reason, operation: error.operation }
    if (isSkipped(error)) {
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
    counters.countOn(fiber, "storeErrors", { printed: about })
    return logFailure(warnings, what, about, error)
  })

/** Why a computed value, or the error of a computation, is not stored. Only what the store itself refuses counts as its failure. */
export const notStored = (
  reporting: Reporting & { readonly printed: string },
  cause: Cause.Cause<CacheError>,
  what: "value" | "error"
): Effect.Effect<void> => {
  const { counters, printed, warnings } = reporting
  const error = Option.getOrUndefined(Cause.failureOption(cause))
  // The last caller has left, or the layer closes.
  if (Cause.isInterruptedOnly(cause)) return Effect.void
  if (error === undefined) {
    const thrower = what === "value" ? "its ttl, its cacheWhen or its schema" : "a function in its option failures"
    const message = () => `The ${what} of ${printed} is not cached: ${thrower} threw an error`
    // What was thrown may quote the value in its message.
    return warnings.warn(
      `threw for ${counters.label}`,
      message,
      {},
      ...Array.from(Cause.defects(cause), withoutMessage)
    )
  }
  if (error.reason !== "Encode" && error.reason !== "InvalidOption") {
    return storeFailed(reporting, "Cache failed storing", printed, error)
  }
  const message = () => `The ${what} of ${printed} is not cached: ${error.description}`
  return Effect.zipRight(counters.count("refused", reporting), warnings.warn(`refused by ${counters.label}`, message))
}
