/**
 * This process's memory in front of a backend that other processes share: hits without a round trip, with a bound on how old they
 * may be.
 *
 * @since 0.1.0
 */
import { type Duration, Effect, Layer, Option } from "effect"
import { CacheBackend } from "./CacheBackend.js"
import { CacheBus } from "./CacheBus.js"
import { CacheError } from "./CacheError.js"
import { make } from "./internal/backend/make.js"
import { engine } from "./internal/memoized/engine.js"
import { durationMillis, positiveInteger } from "./internal/options.js"
import * as TieredStore from "./internal/stores/tiered/TieredStore.js"

/**
 * The options of `layer`.
 *
 * @since 0.1.0
 * @category models
 */
export interface TieredBackendOptions {
  /** How many entries the tier keeps; the least recently used go first. The versions of groups count. Default 10,000. */
  readonly maxEntries?: number
  /** About how many bytes it keeps. Default: no bound but `maxEntries`. */
  readonly maxBytes?: number
  /**
   * How long after an invalidation by another process the old value may still be served here, whether there is a bus or not.
   * Default 1 second. Raise it, to hours even, only where every process that writes has the same bus: messages then make the
   * difference a few milliseconds, and `maxBusSilence` bounds it where they stop.
   */
  readonly maxStaleness?: Duration.DurationInput
  /**
   * After so long without a sign of life from the bus the tier is emptied, and answers nothing until it is heard again. Default 2
   * seconds.
   */
  readonly maxBusSilence?: Duration.DurationInput
}

const positive = (name: string, input: Duration.DurationInput) =>
  Effect.filterOrFail(
    durationMillis("layer", name, input),
    (millis) => millis > 0,
    () => new CacheError({ reason: "InvalidOption", operation: "layer", description: `${name} must be more than 0` })
  )

/**
 * A tier over the backend that is provided to it, with its namespace, version and other options. It uses a `CacheBus` where one is
 * provided. Everything works through it as through the backend below: one computation in all processes, groups, leases, stale
 * values.
 *
 * - In the process that invalidates, nothing old is served after it.
 * - In any other process, nothing older than `maxStaleness`: whoever wrote, and whether the bus is alive, cut or not there.
 * - Inside a SQL transaction it answers nothing. What is invalidated there counts from the commit on, like another process's.
 *
 * A hit takes no round trip. After `maxStaleness` the entry is read again; if it is the same, its decoded value stays. Values are
 * shared by reference: a caller that changes one changes it for all of its process. Fails with `InvalidOption` for an option out of
 * its range.
 *
 * @example
 * import { PgClient } from "@effect/sql-pg"
 * import { Config, Layer } from "effect"
 * import { TieredBackend } from "effect-cached"
 * import * as PgBus from "effect-cached/PgBus"
 * import * as SqlBackend from "effect-cached/SqlBackend"
 *
 * const Cache = TieredBackend.layer({ maxEntries: 10_000 }).pipe(
 *   Layer.provide(SqlBackend.layer()),
 *   Layer.provide(PgBus.layer()),
 *   Layer.provide(PgClient.layerConfig({ url: Config.redacted("DATABASE_URL") }))
 * )
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (options: TieredBackendOptions = {}): Layer.Layer<CacheBackend, CacheError, CacheBackend> =>
  Layer.scoped(
    CacheBackend,
    Effect.gen(function* () {
      const below = (yield* CacheBackend)[engine]
      const bus = yield* Effect.serviceOption(CacheBus)
      const store = yield* TieredStore.make(
        below.reader.store,
        {
          maxEntries: yield* positiveInteger("layer", "maxEntries", options.maxEntries ?? 10_000),
          maxBytes:
            options.maxBytes === undefined ? undefined : yield* positiveInteger("layer", "maxBytes", options.maxBytes),
          maxStaleness: yield* positive("maxStaleness", options.maxStaleness ?? "1 second"),
          maxBusSilence: yield* positive("maxBusSilence", options.maxBusSilence ?? "2 seconds")
        },
        Option.getOrUndefined(bus)
      )
      return yield* make(store, below.options)
    })
  )
