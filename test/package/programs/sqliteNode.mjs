/** The cache in a new SQLite file, through the client that most programs use. */
import { SqliteClient } from "@effect/sql-sqlite-node"
import { Effect, Layer } from "effect"
import { cached } from "effect-cached"
import * as SqlBackend from "effect-cached/SqlBackend"

const Cache = SqlBackend.layer().pipe(Layer.provide(SqliteClient.layer({ filename: "cache-of-node.db" })))

const double = cached((n) => Effect.succeed(n * 2), { key: "double" })

const program = Effect.zipRight(double(21), double.requireCache(21))

process.stdout.write(String(await Effect.runPromise(Effect.provide(program, Cache))))
