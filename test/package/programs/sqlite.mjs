/** The cache in a new SQLite file. */
import { SqlClient } from "@effect/sql"
import { LibsqlClient } from "@effect/sql-libsql"
import { Effect, Layer } from "effect"
import { cached } from "effect-cached"
import * as SqlBackend from "effect-cached/SqlBackend"

const journal = Layer.effectDiscard(Effect.flatMap(SqlClient.SqlClient, (sql) => sql`PRAGMA journal_mode = WAL`))
const client = LibsqlClient.layer({ url: "file:cache.db" })
const Cache = SqlBackend.layer().pipe(Layer.provide(journal), Layer.provide(client))

const double = cached((n) => Effect.succeed(n * 2), { key: "double" })

const program = Effect.zipRight(double(21), double.requireCache(21))

process.stdout.write(String(await Effect.runPromise(Effect.provide(program, Cache))))
