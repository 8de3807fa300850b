/** The layer of a backend: a store, a circuit breaker in front of it if it is on a network, and the service over both. */
import { Effect, Either, Layer, type Scope } from "effect"
import { CacheBackend } from "../../CacheBackend.js"
import { CacheError } from "../../CacheError.js"
import { durationMillis, positiveInteger } from "../options.js"
import { type Breaker, circuitBreaker } from "../outages/circuitBreaker.js"
import { withoutKeys } from "../outages/withoutKeys.js"
import type { Store } from "../stores/Store.js"
import { make } from "./make.js"
import type { BackendOptions, OutageOptions } from "./options.js"

const defaultFailures = 5
const oneSecond = 1_000

const replayNeedsBreaker = () =>
  new CacheError({
    reason: "InvalidOption",
    operation: "layer",
    description: "queueInvalidations needs the breaker, whose probes replay them; breaker is false"
  })

const breakerOf = (
  store: Store,
  { breaker = {}, queueInvalidations = false }: OutageOptions
): Effect.Effect<Breaker | undefined, CacheError, Scope.Scope> => {
  // A store in this process can't have an outage.
  if (store.location === "process") return Effect.succeed(undefined)
  if (breaker === false) return queueInvalidations ? Effect.fail(replayNeedsBreaker()) : Effect.succeed(undefined)
  return Effect.flatMap(
    Either.all({
      failures: positiveInteger("layer", "breaker.failures", breaker.failures ?? defaultFailures),
      retryAfter: durationMillis("layer", "breaker.retryAfter", breaker.retryAfter ?? oneSecond)
    }),
    (settings) => circuitBreaker(store, { ...settings, queueInvalidations })
  )
}

/**
 * @param store makes the store; what it acquires is released with the layer
 * @param keeps whether the store keeps anything
 */
export const backendLayer = <E, R>(
  store: Effect.Effect<Store, E, R>,
  options: BackendOptions & OutageOptions,
  keeps = true
): Layer.Layer<CacheBackend, E | CacheError, Exclude<R, Scope.Scope>> =>
  Layer.scoped(
    CacheBackend,
    Effect.gen(function* () {
      const made = yield* store
      const shown = options.redactKeys === true ? withoutKeys(made) : made
      return yield* make(shown, options, { breaker: yield* breakerOf(shown, options), keeps })
    })
  )
