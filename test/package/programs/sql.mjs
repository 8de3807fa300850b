/** The cache in the PostgreSQL of `DATABASE_URL`. */
import { PgClient } from "@effect/sql-pg"
import { Config, Effect, Layer } from "effect"
import { cached, invalidateGroup } from "effect-cached"
import * as SqlBackend from "effect-cached/SqlBackend"

const Cache = SqlBackend.layer({ table: "effect_cache_package", namespace: `${process.pid}` }).pipe(
  Layer.provide(PgClient.layerConfig({ url: Config.redacted("DATABASE_URL") }))
)

let computed = 0
const double = cached((n) => Effect.sync(() => [++computed, n * 2]), { key: "double", groups: ["numbers"] })

const program = Effect.gen(function* () {
  yield* double(21)
  const [times] = yield* double.requireCache(21)
  yield* invalidateGroup("numbers")
  return [times, ...(yield* double(21))].join(" ")
})

process.stdout.write(await Effect.runPromise(Effect.provide(program, Cache)))
