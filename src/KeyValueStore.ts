/**
 * The `KeyValueStore` of `@effect/platform` over any `CacheBackend`. Needs the package `@effect/platform`.
 *
 * @since 0.1.0
 */
import * as PlatformError from "@effect/platform/Error"
import * as KeyValueStore from "@effect/platform/KeyValueStore"
import { Duration, Effect, Encoding, Layer, Option } from "effect"
import { CacheBackend, type CacheBackendService, type Key } from "./CacheBackend.js"
import type { CacheError, CacheErrorReason } from "./CacheError.js"
import { engine } from "./internal/memoized/engine.js"

/**
 * The options of `layer`.
 *
 * @since 0.1.0
 * @category models
 */
export interface KeyValueStoreOptions {
  /** How long a value lives after it was set. Default: until it is removed, or evicted where the cache is bounded. */
  readonly ttl?: Duration.DurationInput
}

type SystemErrorProps = ConstructorParameters<typeof PlatformError.SystemError>[0]

/** A class; in the oldest versions of `@effect/platform` a function, which has no prototype. */
const systemError = (props: SystemErrorProps): PlatformError.PlatformError => {
  const { SystemError } = PlatformError
  if (SystemError.prototype !== undefined) return new SystemError(props)
  // The older one takes the same properties.
  return (SystemError as unknown as (given: SystemErrorProps) => PlatformError.PlatformError)(props)
}

const reasons: Readonly<Record<CacheErrorReason, SystemErrorProps["reason"]>> = {
  Unavailable: "BadResource",
  Timeout: "TimedOut",
  StoreFailed: "Unknown",
  Encode: "InvalidData",
  TooLarge: "InvalidData",
  InvalidKey: "InvalidData",
  InvalidOption: "InvalidData",
  NotNumeric: "InvalidData"
}

const failing =
  (method: string) =>
  <A>(operation: Effect.Effect<A, CacheError>): Effect.Effect<A, PlatformError.PlatformError> =>
    Effect.mapError(operation, (error) =>
      systemError({
        reason: reasons[error.reason],
        module: "KeyValueStore",
        method,
        description: error.description,
        // A hash where the layer has `redactKeys`.
        pathOrDescriptor: error.key ?? method,
        cause: error
      })
    )

const encoder = new TextEncoder()

/** What another program has put there is no value of this store. */
const stored = (value: unknown): Option.Option<string | Uint8Array> =>
  typeof value === "string" || value instanceof Uint8Array ? Option.some(value) : Option.none()

const make = (cache: CacheBackendService, ttl: Duration.DurationInput): KeyValueStore.KeyValueStore => {
  const { location, name } = cache[engine].reader.store
  const named = (key: string): Key => ["keyValueStore", key]
  const found = (method: string, key: string) =>
    failing(method)(Effect.map(cache.get(named(key)), Option.flatMap(stored)))

  const uncounted = (): Effect.Effect<never, PlatformError.PlatformError> =>
    Effect.fail(
      systemError({
        reason: "Unknown",
        module: "KeyValueStore",
        method: "size",
        description: `a cache on ${name} does not count its entries`,
        pathOrDescriptor: name
      })
    )

  return KeyValueStore.make({
    get: (key) =>
      Effect.map(
        found("get", key),
        Option.map((value) => (typeof value === "string" ? value : Encoding.encodeBase64(value)))
      ),
    getUint8Array: (key) =>
      Effect.map(
        found("getUint8Array", key),
        Option.map((value) => (typeof value === "string" ? encoder.encode(value) : value))
      ),
    set: (key, value) => failing("set")(cache.set(named(key), value, { ttl })),
    remove: (key) => failing("remove")(Effect.asVoid(cache.delete(named(key)))),
    has: (key) => failing("has")(cache.has(named(key))),
    clear: failing("clear")(cache.clear),
    size:
      location === "process"
        ? Effect.flatMap(cache.stats, ({ entries }) =>
            Option.match(entries, { onNone: uncounted, onSome: (count) => Effect.succeed(count) })
          )
        : Effect.suspend(uncounted)
  })
}

/**
 * A `KeyValueStore` over the cache that is provided. Give it a backend with a `namespace` of its own: `clear` removes everything in
 * the namespace, and `size` counts it. A cache may lose what it has, so keep nothing in it that can't be made again.
 *
 * `get` of a value that was set as bytes is its Base64, as with the platform's own store in memory. `modify` reads and then writes:
 * of two at once the last one counts. `size` and `isEmpty` are known in memory only: on a server they fail with a `SystemError` of
 * the reason `Unknown`. Each `CacheError` is a `SystemError` with that `cause`, and the reason `TimedOut` for `Timeout`,
 * `BadResource` for `Unavailable`, `Unknown` for `StoreFailed` and `InvalidData` for all others.
 *
 * Round trips: `get`, `has`, `set` and `clear` 1, `remove` and `modify` 2.
 *
 * @example
 * import { KeyValueStore } from "@effect/platform"
 * import { Effect, Layer } from "effect"
 * import * as CachedKeyValueStore from "effect-cached/KeyValueStore"
 * import * as RedisBackend from "effect-cached/RedisBackend"
 *
 * const program = Effect.gen(function* () {
 *   const store = yield* KeyValueStore.KeyValueStore
 *   yield* store.set("token", "s3cr3t")
 *   return yield* store.get("token")
 * })
 *
 * const Store = CachedKeyValueStore.layer({ ttl: "1 hour" }).pipe(
 *   Layer.provide(RedisBackend.layer({ url: "redis://10.0.0.1", namespace: "tokens" }))
 * )
 *
 * Effect.runPromise(program.pipe(Effect.provide(Store)))
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = ({
  ttl = Duration.infinity
}: KeyValueStoreOptions = {}): Layer.Layer<KeyValueStore.KeyValueStore, never, CacheBackend> =>
  Layer.effect(
    KeyValueStore.KeyValueStore,
    Effect.map(CacheBackend, (cache) => make(cache, ttl))
  )
