/**
 * Tells other processes which keys were changed, so that their tiers drop them at once. `effect-cached/PgBus` and
 * `effect-cached/RedisBus` make one.
 *
 * @since 0.1.0
 */
import { Context, type Effect, type Scope } from "effect"
import type { CacheError } from "./CacheError.js"

/**
 * An optional service: `TieredBackend.layer` uses it where it is provided. A message may get lost. A tier is never older than its
 * `maxStaleness`, whatever the bus does.
 *
 * @example
 * import { Effect, Layer } from "effect"
 * import { CacheBus } from "effect-cached"
 *
 * // A bus that tells nobody anything.
 * const Silent = Layer.succeed(CacheBus, { publish: () => Effect.void, subscribe: () => Effect.void })
 *
 * @since 0.1.0
 * @category services
 */
export class CacheBus extends Context.Tag("effect-cached/CacheBus")<CacheBus, CacheBusService>() {}

/**
 * @since 0.1.0
 * @category models
 */
export interface CacheBusService {
  /**
   * Tells all subscribers of all processes, this one too, that the entries under these finished keys have changed; or that any may
   * have. Inside a SQL transaction a bus on that database tells it with the commit, and never if it is rolled back.
   */
  readonly publish: (keys: ReadonlyArray<string> | "all") => Effect.Effect<void, CacheError>
  /**
   * Succeeds once messages are known to arrive, and goes on until the scope ends.
   *
   * @param heard called with the keys of each message, or with none as a sign of life
   * @param lost called once if messages may have been lost: nothing arrives any more, and the subscriber must subscribe anew
   */
  readonly subscribe: (
    heard: (keys: ReadonlyArray<string> | "all") => void,
    lost: () => void
  ) => Effect.Effect<void, CacheError, Scope.Scope>
}
