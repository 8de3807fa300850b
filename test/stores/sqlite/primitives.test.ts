import * as Migrator from "@effect/sql/Migrator"
import { SqlClient } from "@effect/sql/SqlClient"
import { describe, expect, layer } from "@effect/vitest"
import { Effect } from "effect"
import { parseTable } from "../../../src/internal/stores/sql/table.js"
import { statements } from "../../../src/internal/stores/sqlite/statements.js"
import { migration, printDefinition } from "../../../src/SqlBackend.js"
import { primitiveTests } from "../../suites/sql/primitives.js"
import { key, ownFile, record, sqlite, storeOn, text } from "./support.js"

describe("primitives on SQLite", () => primitiveTests(sqlite()))

layer(ownFile, { excludeTestServices: true })("the table on SQLite", (it) => {
  let tables = 0
  const freshStore = Effect.flatMap(SqlClient, (sql) => {
    const table = `t_${tables++}`
    return Effect.map(storeOn(sql, table), (cache) => ({ cache, sql, table }))
  })

  it.scoped("what is too large for the database fails alone, as does what it refuses", () =>
    Effect.gen(function* () {
      const { cache, sql, table } = yield* freshStore
      yield* sql.unsafe(`CREATE TRIGGER ${table}_limit BEFORE INSERT ON ${table} WHEN length(NEW.value) BETWEEN 1000 AND 2000
        BEGIN SELECT length(zeroblob(2000000000)); END`)
      yield* sql.unsafe(`CREATE TRIGGER ${table}_refusal BEFORE INSERT ON ${table} WHEN length(NEW.value) > 2000
        BEGIN SELECT RAISE(ABORT, 'no'); END`)
      const huge = { bytes: new Uint8Array(251 * 1024 * 1024), lifetime: 60_000 }
      const [beyond, refused] = [record("b".repeat(1_500)), record("b".repeat(3_000))]
      const rejected = yield* cache.write(
        [record("a"), huge, beyond, record("b"), refused, record("c")].map((each, index) => ({
          key: key(index),
          record: each
        }))
      )
      expect(rejected.map((one) => [one.key, one.error.reason])).toEqual([
        [key(1), "TooLarge"],
        [key(2), "TooLarge"],
        [key(4), "StoreFailed"]
      ])
      expect((yield* cache.read([0, 1, 2, 3, 4, 5].map(key))).map(text)).toEqual([
        "a",
        undefined,
        undefined,
        "b",
        undefined,
        "c"
      ])
      expect((yield* Effect.flip(cache.add(key(9), huge))).reason).toBe("TooLarge")
      expect((yield* Effect.flip(cache.add(key(9), beyond))).reason).toBe("TooLarge")
      expect((yield* Effect.flip(cache.add(key(9), refused))).reason).toBe("StoreFailed")
    })
  )

  it.scoped("finds by indexes what it reads and purges", () =>
    Effect.gen(function* () {
      const { sql, table } = yield* freshStore
      const texts = statements(yield* parseTable(table))
      const plan = (statement: string, ...parameters: ReadonlyArray<string>) =>
        Effect.map(sql.unsafe<{ readonly detail: string }>(`EXPLAIN QUERY PLAN ${statement}`, parameters), (rows) =>
          rows.map((row) => row.detail).join("\n")
        )
      const byKey = `INDEX sqlite_autoindex_${table}_1 (key=?)`
      const byExpiry = `INDEX ${table}_expires_at (expires_at`
      expect(yield* plan(texts.read, '["a"]')).toContain(byKey)
      expect(yield* plan(texts.remove([key(1)]))).toContain(byKey)
      expect(yield* plan(texts.purge(10))).toContain(byExpiry)
      expect(yield* plan(texts.evict(10, 10))).toContain(byExpiry)
      expect(yield* plan(texts.count)).toContain("USING COVERING INDEX")
    })
  )

  it.scoped("removes what has expired, too, so that it does not return when the clock is set back", () =>
    Effect.gen(function* () {
      const { cache, sql, table } = yield* freshStore
      yield* cache.add(key(1), record("a", 1))
      yield* Effect.sleep("5 millis")
      expect(yield* cache.remove([key(1)])).toBe(0)
      expect(yield* sql`SELECT key FROM ${sql(table)}`).toEqual([])
    })
  )

  it.scoped("is printed as SQL, and migrated to, with as many indexes", () =>
    Effect.gen(function* () {
      const { sql, table } = yield* freshStore
      const objectsOf = (name: string) =>
        sql`SELECT count(*) AS n FROM sqlite_master WHERE tbl_name = ${name} AND sql IS NOT NULL`
      const [printed, migrated] = [`${table}_printed`, `${table}_migrated`]
      for (const statement of (yield* printDefinition({ table: printed, dialect: "sqlite" })).split(/;\n+/)) {
        if (statement !== "") yield* sql.unsafe(statement)
      }
      yield* Migrator.make({})({ loader: Effect.succeed([migration(1, { table: migrated })]), table: `${table}_log` })
      for (const name of [table, printed, migrated]) expect(yield* objectsOf(name)).toEqual([{ n: 2 }])
    })
  )
})
