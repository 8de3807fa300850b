/** The table is found once, when the layer is built: no `search_path` of a transaction leads to another. */
import { SqlClient } from "@effect/sql/SqlClient"
import { expect, it } from "@effect/vitest"
import { Context, Effect, Layer, Option } from "effect"
import { CacheBackend } from "effect-cached"
import * as SqlBackend from "effect-cached/SqlBackend"
import { client, freshTable } from "./support.js"

/** A schema with a table of the same name. */
const tenantWith = (sql: SqlClient, table: string) =>
  Effect.acquireRelease(
    Effect.gen(function* () {
      const schema = `tenant_${table}`
      yield* sql`CREATE SCHEMA ${sql(schema)}`
      yield* sql.unsafe(yield* SqlBackend.printDefinition({ table: `${schema}.${table}` }))
      return schema
    }),
    (schema) => Effect.orDie(sql`DROP SCHEMA ${sql(schema)} CASCADE`)
  )

for (const createTable of [true, false]) {
  it.scopedLive(
    `a transaction with the search_path of a tenant invalidates the layer's table, createTable: ${createTable}`,
    () =>
      Effect.gen(function* () {
        const table = freshTable()
        const context = yield* Layer.build(client())
        const sql = Context.get(context, SqlClient)
        const tenant = yield* tenantWith(sql, table)
        if (!createTable) yield* sql.unsafe(yield* SqlBackend.printDefinition({ table }))
        const cache = Context.get(
          yield* Layer.build(Layer.provide(SqlBackend.layer({ table, createTable }), Layer.succeedContext(context))),
          CacheBackend
        )
        yield* cache.set("a", 1, { ttl: "1 hour" })
        yield* cache.set("b", 1, { ttl: "1 hour", groups: ["all"] })
        yield* sql.withTransaction(
          Effect.gen(function* () {
            yield* sql.unsafe(`SET LOCAL search_path TO ${tenant}, public`)
            expect(yield* cache.get("a")).toEqual(Option.some(1))
            yield* cache.delete("a")
            yield* cache.invalidateGroup("all")
            yield* cache.set("c", 1, { ttl: "1 hour" })
          })
        )
        expect(yield* cache.get("a")).toEqual(Option.none())
        expect(yield* cache.get("b")).toEqual(Option.none())
        expect(yield* cache.get("c")).toEqual(Option.some(1))
        expect(yield* sql`SELECT key FROM ${sql(`${tenant}.${table}`)}`).toEqual([])
      })
  )
}

it.scopedLive("a connection of the pool whose search_path was changed for good finds the layer's table, too", () =>
  Effect.gen(function* () {
    const table = freshTable()
    const context = yield* Layer.build(client({ connections: 1 }))
    const sql = Context.get(context, SqlClient)
    const tenant = yield* tenantWith(sql, table)
    const cache = Context.get(
      yield* Layer.build(Layer.provide(SqlBackend.layer({ table }), Layer.succeedContext(context))),
      CacheBackend
    )
    yield* cache.set("a", 1, { ttl: "1 hour" })
    yield* sql.unsafe(`SET search_path TO ${tenant}`)
    expect(yield* cache.get("a")).toEqual(Option.some(1))
    yield* cache.delete("a")
    yield* sql.unsafe("RESET search_path")
    expect(yield* sql`SELECT key FROM ${sql(table)}`).toEqual([])
  })
)
