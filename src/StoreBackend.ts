/**
 * Makes a backend of any `CacheStore`, for stores of third parties, and transforms the values of any backend that keeps bytes.
 *
 * @since 0.1.0
 */
import { Clock, Effect, Function as Fn, Layer, Scope } from "effect"
import { CacheBackend } from "./CacheBackend.js"
import { CacheError } from "./CacheError.js"
import type { CacheStore } from "./CacheStore.js"
import { defaultNamespace } from "./internal/backend/cacheName.js"
import { backendLayer } from "./internal/backend/layer.js"
import { make } from "./internal/backend/make.js"
import type { BackendOptions, OutageOptions } from "./internal/backend/options.js"
import { engine } from "./internal/memoized/engine.js"
import { durationMillis } from "./internal/options.js"
import { withinTime } from "./internal/outages/timeLimit.js"
import { fromPlain, inProcess } from "./internal/stores/fromPlain.js"
import type { ByteTransform } from "./internal/stores/transformed/ByteTransform.js"
import { transformedStore } from "./internal/stores/transformed/TransformedStore.js"

export type { BackendOptions, OutageOptions } from "./internal/backend/options.js"
export type { ByteTransform } from "./internal/stores/transformed/ByteTransform.js"

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
    // The store has its own idea of its namespace: the name of a cache does not change that.
    { ...options, namespace: options.namespace ?? defaultNamespace }
  )

const transformedLayer = <E, R>(
  step: Effect.Effect<ByteTransform, E, R>
): Layer.Layer<CacheBackend, E | CacheError, CacheBackend | Exclude<R, Scope.Scope>> =>
  Layer.scoped(
    CacheBackend,
    Effect.gen(function* () {
      const below = (yield* CacheBackend)[engine]
      const store = yield* transformedStore(below.reader.store, yield* step)
      return yield* make(store, below.options)
    })
  )

/**
 * The same backend with its values transformed on their way to the store: `Compression.gzip`, `Encryption.aesGcm`, or a
 * transformation of your own. Values pass several of them in the order in which they are named; those that are `opaque`, as
 * encryption is, come last in any case. No further round trip, and all promises of the backend hold.
 *
 * Only values are transformed. Keys, names and versions of groups, leases, times and the length of values stay readable, because
 * the store decides by them. A value that can't be transformed back is a miss and is overwritten.
 *
 * It works where the store keeps bytes: PostgreSQL, SQLite, Memcached, Redis, a `ByteStore`, and `MemoryBackend` with `copy: true`,
 * whose hits take longer then. The layer fails with `InvalidOption` over a store that keeps references, and over a tier: transform
 * the backend below the tier.
 *
 * @param backend the layer whose values are transformed
 * @param step makes the transformation; the layer fails as it does
 *
 * @example
 * import { Redacted } from "effect"
 * import { StoreBackend } from "effect-cached"
 * import * as Compression from "effect-cached/Compression"
 * import * as Encryption from "effect-cached/Encryption"
 * import * as MemcachedBackend from "effect-cached/MemcachedBackend"
 *
 * declare const secret: Redacted.Redacted<Uint8Array>
 *
 * const Cache = MemcachedBackend.layer({ servers: "10.0.0.1:11211" }).pipe(
 *   StoreBackend.transform(Compression.gzip({ over: 1_000 })),
 *   StoreBackend.transform(Encryption.aesGcm({ keys: [secret] }))
 * )
 *
 * @since 0.1.0
 * @category layers
 */
export const transform: {
  <E2, R2>(
    step: Effect.Effect<ByteTransform, E2, R2>
  ): <E, R>(
    backend: Layer.Layer<CacheBackend, E, R>
  ) => Layer.Layer<CacheBackend, E | E2 | CacheError, R | Exclude<R2, Scope.Scope>>
  <E, R, E2, R2>(
    backend: Layer.Layer<CacheBackend, E, R>,
    step: Effect.Effect<ByteTransform, E2, R2>
  ): Layer.Layer<CacheBackend, E | E2 | CacheError, R | Exclude<R2, Scope.Scope>>
} = Fn.dual(
  2,
  <E, R, E2, R2>(
    backend: Layer.Layer<CacheBackend, E, R>,
    step: Effect.Effect<ByteTransform, E2, R2>
  ): Layer.Layer<CacheBackend, E | E2 | CacheError, R | Exclude<Exclude<R2, Scope.Scope>, CacheBackend>> =>
    Layer.provide(transformedLayer(step), backend)
)
