/**
 * Caching switched off: every read is a miss, and nothing is stored. Programs run unchanged, and `cached` always computes, in the
 * caller's own fiber.
 *
 * @since 0.1.0
 */
import { Effect, Layer, Option } from "effect"
import type { CacheBackend } from "./CacheBackend.js"
import type { CacheStore } from "./CacheStore.js"
import { backendLayer } from "./internal/backend/layer.js"
import { fromPlain } from "./internal/stores/fromPlain.js"

const store: CacheStore = {
  name: "noop",
  location: "process",
  payloads: "references",
  read: (keys) => Effect.succeed(keys.map(() => undefined)),
  write: () => Effect.succeed([]),
  add: () => Effect.succeed(Option.some("nothing")),
  replace: () => Effect.succeed(Option.some("nothing")),
  remove: () => Effect.succeed(0),
  clear: Effect.void
}

/**
 * Never fails to build, and has no options. Its operations take no round trip.
 *
 * @example
 * import { Effect } from "effect"
 * import { getOrSet, NoopBackend } from "effect-cached"
 *
 * const program = getOrSet("answer", Effect.succeed(42))
 *
 * Effect.runPromise(program.pipe(Effect.provide(NoopBackend.layer)))
 *
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<CacheBackend> = Layer.orDie(
  // It keeps nothing that a transaction could make untrue.
  backendLayer(Effect.succeed({ ...fromPlain(store), joinsTransaction: () => true }), {}, false)
)
