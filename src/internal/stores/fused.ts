/** Fused operations and Effects: each out of the other. */
import { Effect } from "effect"
import type { CacheError } from "../../CacheError.js"
import { type CallingFiber, hasTracer, withFiber } from "../runtime/fiber.js"
import { storeSpanOn } from "../telemetry/spans.js"
import type { Fused, Store } from "./Store.js"

/** For a driver without callbacks. */
export const fused =
  <Request, Answer>(
    operation: (requests: ReadonlyArray<Request>) => Effect.Effect<Answer, CacheError>
  ): Fused<Request, Answer> =>
  (_fiber, requests, onSuccess, onFailure) =>
    Effect.matchEffect(operation(requests), { onFailure, onSuccess })

/** For a caller who has time for one operation of the runtime more. */
export const unfused =
  <Request, Answer>(operation: Fused<Request, Answer>) =>
  (requests: ReadonlyArray<Request>): Effect.Effect<Answer, CacheError> =>
    withFiber((fiber) => operation(fiber, requests, Effect.succeed, Effect.fail))

/** The operation, in a span where a tracer is installed and the store is not in this process. */
export const traced = <Request, Answer, A, E, R>(
  store: Store,
  name: "read" | "write",
  operation: Fused<Request, Answer>,
  fiber: CallingFiber,
  requests: ReadonlyArray<Request>,
  onSuccess: (answer: Answer) => Effect.Effect<A, E, R>,
  onFailure: (error: CacheError) => Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> => {
  if (!hasTracer(fiber)) return operation(fiber, requests, onSuccess, onFailure)
  const answer = operation(fiber, requests, Effect.succeed, Effect.fail)
  return Effect.matchEffect(storeSpanOn(fiber, name, store, requests.length, answer), { onFailure, onSuccess })
}
