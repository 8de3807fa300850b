/** As `consumer.ts`, for the module that needs `@effect/sql`. */
import type { SqlClient } from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import type { Effect, Layer } from "effect"
import type { CacheBackend, CacheError } from "effect-cached"
import * as SqlBackend from "effect-cached/SqlBackend"

export const layer: Layer.Layer<CacheBackend, CacheError | SqlError, SqlClient> = SqlBackend.layer({ table: "cache" })
export const definition: Effect.Effect<string, CacheError> = SqlBackend.printDefinition({ table: "cache" })
