/** A table that an older version of the library made, before changes noted their transaction. */
import { SqlClient } from "@effect/sql/SqlClient"
import { expect, layer } from "@effect/vitest"
import { Duration, Effect, Option } from "effect"
import { noChange, upgrades } from "../../../src/internal/stores/postgres/table.js"
import { parseTable } from "../../../src/internal/stores/sql/table.js"
import { countOf } from "../../suites/sql/ground.js"
import { until } from "../../support/until.js"
import { client, freshTable, key, record, store, text } from "./support.js"

const olderTable = Effect.gen(function* () {
  const sql = yield* SqlClient
  const table = freshTable()
  yield* sql.unsafe(`CREATE UNLOGGED TABLE ${table} (
    key text COLLATE "C" NOT NULL, change uuid NOT NULL DEFAULT ${noChange}, token uuid, seen uuid[], value bytea,
    expires_at timestamptz NOT NULL, purge_at timestamptz NOT NULL DEFAULT '-infinity'
  ) WITH (fillfactor = 90, vacuum_truncate = false)`)
  yield* sql.unsafe(`CREATE UNIQUE INDEX "${table}_record" ON ${table} (key) WHERE change = ${noChange}`)
  yield* sql.unsafe(`CREATE INDEX "${table}_purge_at" ON ${table} (purge_at) WHERE change = ${noChange}`)
  yield* sql.unsafe(`CREATE INDEX "${table}_changes" ON ${table} (key) WHERE change <> ${noChange}`)
  const put = (name: string, change: string, value: string) =>
    sql.unsafe(`INSERT INTO ${table} (key, change, token, seen, value, expires_at)
      VALUES ('${name}', ${change}, gen_random_uuid(), '{}', ${value}, now() + interval '1 hour')`)
  yield* Effect.forEach([1, 2, 3], (id) => put(key(id), noChange, `'old'`))
  yield* put(key(2), "gen_random_uuid()", "NULL")
  yield* put(key(3), "gen_random_uuid()", `'a value of a transaction'`)
  return { sql, table, put }
})

const upgrade = (sql: SqlClient, name: string) =>
  Effect.flatMap(parseTable(name), (table) =>
    Effect.forEach(
      upgrades(table).flatMap(({ statements }) => statements),
      (statement) => sql.unsafe(statement)
    )
  )

layer(client({ connections: 4 }), { excludeTestServices: true })("an older table", (it) => {
  it.scoped("is refused by a layer that must not upgrade it, and left as it is", () =>
    Effect.gen(function* () {
      const { sql, table } = yield* olderTable
      const all = sql`SELECT * FROM ${sql(table)} ORDER BY key, change`
      const before = yield* all
      expect(yield* Effect.flip(store({ table, createTable: false }))).toMatchObject({
        reason: "StoreFailed",
        description: expect.stringContaining(`ALTER TABLE "public"."${table}" ADD COLUMN IF NOT EXISTS xid xid8`)
      })
      expect(yield* all).toEqual(before)
    })
  )

  it.scoped("works once it is, twice if need be, and serves nothing that its transactions removed", () =>
    Effect.gen(function* () {
      const { put, sql, table } = yield* olderTable
      yield* upgrade(sql, table)
      yield* upgrade(sql, table)
      const cache = yield* store({ table, createTable: false })
      const keys = [1, 2, 3].map(key)
      expect((yield* cache.read(keys)).map(text)).toEqual(["old", undefined, undefined])
      expect(Option.isSome(yield* cache.add(key(2), record("new")))).toBe(true)
      yield* cache.write([{ key: key(3), record: record("new") }])
      expect((yield* cache.read(keys)).map(text)).toEqual(["old", "new", "new"])
      // an older process clears the namespace inside a transaction
      yield* put("clear app", "gen_random_uuid()", "NULL")
      expect(yield* cache.read(keys)).toEqual(keys.map(() => undefined))
    })
  )

  it.scoped("is rid of its old changes after a purge", () =>
    Effect.gen(function* () {
      const { put, sql, table } = yield* olderTable
      yield* put("clear app", "gen_random_uuid()", "NULL")
      yield* upgrade(sql, table)
      const cache = yield* store({ table, createTable: false, purgeEvery: Duration.millis(50) })
      expect(yield* until(countOf(sql, table), (count) => count === 0)).toBe(0)
      expect(Option.isSome(yield* cache.add(key(1), record("new")))).toBe(true)
      expect((yield* cache.read([key(1)])).map(text)).toEqual(["new"])
    })
  )

  it.scoped("a row without a token or a value, which no version writes, is a miss and is overwritten", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const table = freshTable()
      const cache = yield* store({ table })
      const keys = [1, 2, 3, 4, 5].map(key)
      for (const column of ["token", "value"]) {
        yield* cache.write(keys.map((each) => ({ key: each, record: record("old") })))
        yield* sql`UPDATE ${sql(table)} SET ${sql(column)} = NULL`
        for (const asked of [keys, keys.slice(0, 1)]) expect((yield* cache.read(asked)).filter(Boolean)).toEqual([])
        expect(Option.isSome(yield* cache.add(key(1), record("new")))).toBe(true)
        expect((yield* cache.read([key(1)])).map(text)).toEqual(["new"])
      }
    })
  )
})
