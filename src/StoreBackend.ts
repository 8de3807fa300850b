/**
 * Makes a backend of any `CacheStore`: for stores of third parties.
 *
 * @since 0.1.0
 */
import { Clock, Effect, type Layer, Scope } from "effect"
import type { CacheBackend } from "./CacheBackend.js"
import { CacheError } from "./CacheError.js"
import type { CacheStore } from "./CacheStore.js"
import { backendLayer } from "./internal/backend/layer.js"
import type { BackendOptions, OutageOptions } from "./internal/backend/options.js"
import { durationMillis } from "./internal/options.js"
import { withinTime } from "./internal/outages/timeLimit.js"
import { fromPlain, inProcess } from "./internal/stores/fromPlain.js"

export type { BackendOptions, OutageOptions } from "./internal/backend/options.js"

const timeoutMillis = ({ timeout = "5 seconds" }: OutageOptions) =>
  Effect.filterOrFail(
    durationMillis("layer", "timeout", timeout),
    (millis) => millis > 0,
    () => new CacheError({ reason: "InvalidOption", operation: "layer", description: "timeout must be more than 0" })
  )

/** Makes the store in a scope of its own, whose end is waited for with a time limit: what never closes is left behind. */
const closedInTime = <E, R>(store: Effect.Effect<CacheStore, E, R>, millis: number) =>
  Effect.gen(function* () {
    const scope = yield* Scope.make()
    yield* Effect.addFinalizer((exit) =>
      Effect.disconnect(Effect.interruptible(Scope.close(scope, exit))).pipe(
        Effect.interruptible,
        Effect.timeoutOption(millis),
        Effect.flatMap((closed) =>
          closed._tag === "Some"
            ? Effect.void
            : Effect.logWarning(`The cache store did not close within ${millis} ms, and is left behind`)
        ),
        Effect.withClock(Clock.make())
      )
    )
    return yield* Scope.extend(store, scope)
  })

/**
 * The layer of a backend over the store. Fails with `InvalidOption` for an option out of its range.
 *
 * A store that throws or dies makes its operation fail with `StoreFailed`. A store on a network that never answers makes it fail
 * with `Timeout`, and one that never closes does not keep the layer from closing.
 *
 * @param store makes the store; what it acquires is released when the layer closes
 * @param options `timeout`, `breaker` and `queueInvalidations` matter only for a store whose `location` is `network`
 *
 * @example
 * import { ByteStore, StoreBackend } from "effect-cached"
 * import { Effect } from "effect"
 *
 * // six primitives over the bytes of some server
 * declare const driver: ByteStore.ByteStore
 *
 * const layer = StoreBackend.layer(Effect.succeed(ByteStore.toCacheStore(driver)), { namespace: "shop" })
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = <E, R>(
  store: Effect.Effect<CacheStore, E, R>,
  options: BackendOptions & OutageOptions = {}
): Layer.Layer<CacheBackend, E | CacheError, Exclude<R, Scope.Scope>> =>
  backendLayer(
    Effect.flatMap(timeoutMillis(options), (millis) =>
      Effect.map(closedInTime(store, millis), (made) =>
        fromPlain(made, made.location === "network" ? withinTime(millis) : inProcess)
      )
    ),
    options
  )
