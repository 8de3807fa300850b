/** As `consumer.ts`, for the modules that need `@effect/experimental` and `@effect/platform`. */
import type { BackingPersistence, ResultPersistence } from "@effect/experimental/Persistence"
import type { KeyValueStore } from "@effect/platform/KeyValueStore"
import type { Layer } from "effect"
import type { CacheBackend } from "effect-cached"
import * as Store from "effect-cached/KeyValueStore"
import * as Persistence from "effect-cached/Persistence"

export const backing: Layer.Layer<BackingPersistence, never, CacheBackend> = Persistence.layer
export const result: Layer.Layer<ResultPersistence, never, CacheBackend> = Persistence.layerResult
export const store: Layer.Layer<KeyValueStore, never, CacheBackend> = Store.layer({ ttl: "1 hour" })
