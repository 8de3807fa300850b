/** A table that an older version of the library made. */
import * as Migrator from "@effect/sql/Migrator"
import { SqlClient } from "@effect/sql/SqlClient"
import { describe, expect, it } from "@effect/vitest"
import { Context, Effect, Layer, Option } from "effect"
import { CacheBackend } from "effect-cached"
import * as SqlBackend from "effect-cached/SqlBackend"
import { client, freshTable, key, record, store } from "./support.js"

/** Takes away the columns that came later; the indexes on them go, too. */
const makeOlder = (sql: SqlClient, table: string) =>
  sql.unsafe(`ALTER TABLE ${table} ${["purge_at", "xid", "step", "snapshot"].map((column) => `DROP COLUMN ${column}`)}`)

/** With a record in it. */
const olderTable = Effect.gen(function* () {
  const sql = yield* SqlClient
  const table = freshTable()
  yield* Effect.scoped(
    Effect.flatMap(store({ table }), (cache) => cache.write([{ key: key("old"), record: record("x") }]))
  )
  yield* makeOlder(sql, table)
  return { sql, table }
})

const columnsOf = (sql: SqlClient, table: string) =>
  Effect.map(
    sql<{
      readonly name: string
    }>`SELECT attname AS name FROM pg_attribute WHERE attrelid = ${table}::regclass AND attnum > 0 AND NOT attisdropped`,
    (rows) => rows.map(({ name }) => name)
  )

/** Their definitions, without the name of the table. */
const indexesOf = (sql: SqlClient, table: string) =>
  Effect.map(
    sql<{
      readonly definition: string
    }>`SELECT pg_get_indexdef(indexrelid) AS definition FROM pg_index WHERE indrelid = ${table}::regclass`,
    (rows) => rows.map(({ definition }) => definition.replaceAll(table, "cache")).sort()
  )

describe("a table of an older version", () => {
  it.scopedLive("is upgraded by the layers that start on it, 20 at once", () =>
    Effect.gen(function* () {
      const { sql, table } = yield* olderTable
      const caches = yield* Effect.all(
        Array.from({ length: 20 }, () =>
          Layer.build(Layer.provide(SqlBackend.layer({ table }), client({ connections: 2 })))
        ),
        { concurrency: "unbounded" }
      )
      const [first, second] = caches.map((context) => Context.get(context, CacheBackend))
      yield* first?.set("a", 1, { ttl: "1 hour" }) ?? Effect.void
      expect(yield* second?.get("a") ?? Effect.void).toEqual(Option.some(1))
      expect(yield* columnsOf(sql, table)).toContain("purge_at")
      expect(yield* indexesOf(sql, table)).toEqual(yield* indexesOf(sql, (yield* newTable).table))
    }).pipe(Effect.provide(client()))
  )

  it.scopedLive("fails a layer that must not change it, with the statements that it needs", () =>
    Effect.gen(function* () {
      const { sql, table } = yield* olderTable
      const start = Effect.scoped(Layer.build(SqlBackend.layer({ table, createTable: false })))
      const error = yield* Effect.flip(start)
      expect(error).toMatchObject({ _tag: "CacheError", reason: "StoreFailed" })
      const [, statements] = error.message.match(/or: (.*) \(StoreFailed\)$/) ?? []
      yield* sql.unsafe(statements ?? "")
      yield* start
    }).pipe(Effect.provide(client()))
  )

  it.scopedLive("is upgraded by a migration under a second id", () =>
    Effect.gen(function* () {
      const { sql, table } = yield* olderTable
      const migrate = (...ids: ReadonlyArray<number>) =>
        Migrator.make({})({
          loader: Effect.succeed(ids.map((id) => SqlBackend.migration(id, { table, name: `effect_cache_${id}` }))),
          table: `${table}_migrations`
        })
      yield* migrate(1)
      expect(yield* columnsOf(sql, table)).toContain("purge_at")
      yield* makeOlder(sql, table)
      yield* migrate(1, 2)
      expect(yield* columnsOf(sql, table)).toContain("purge_at")
      yield* Effect.scoped(Layer.build(SqlBackend.layer({ table, createTable: false })))
    }).pipe(Effect.provide(client()))
  )
})

const newTable = Effect.gen(function* () {
  const table = freshTable()
  yield* Effect.scoped(store({ table }))
  return { table }
})
