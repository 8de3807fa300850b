/**
 * Caching switched off: every read is a miss, every write is forgotten. Programs run unchanged and always compute.
 *
 * @since 0.1.0
 */
import { Effect, Layer, Option } from "effect"
import type { CacheBackend } from "./CacheBackend.js"
import type { CacheStore } from "./CacheStore.js"
import * as StoreBackend from "./StoreBackend.js"

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
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<CacheBackend> = Layer.orDie(StoreBackend.layer(Effect.succeed(store)))
