/** Logs a failed store operation, and counts it where the call goes on without the store. */
import { Effect, LogLevel } from "effect"
import type { CacheError } from "../../CacheError.js"
import type { Counters } from "../runtime/counters.js"
import { type CallingFiber, debugIsOn, withFiber } from "../runtime/fiber.js"
import { CircuitOpen } from "./outage.js"

/** The breaker logged when it opened. Skipped calls don't log again, unless debug logs are on. */
export const alreadyReported = (fiber: CallingFiber, error: CacheError): boolean =>
  error.cause instanceof CircuitOpen && !debugIsOn(fiber)

export const logFailure = (what: string, error: CacheError): Effect.Effect<void> =>
  withFiber((fiber) => {
    if (alreadyReported(fiber, error)) return Effect.void
    const skipped = error.cause instanceof CircuitOpen
    return Effect.annotateLogs(
      Effect.logWithLevel(skipped ? LogLevel.Debug : LogLevel.Warning, `${what}: ${error.message}`),
      { reason: error.reason, operation: error.operation }
    )
  })

/** The call goes on without the store: counts and logs the failure. */
export const storeFailed = (counters: Counters, what: string, error: CacheError): Effect.Effect<void> =>
  withFiber((fiber) => {
    counters.countOn(fiber, "storeErrors")
    return logFailure(what, error)
  })
