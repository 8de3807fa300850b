import * as Migrator from "@effect/sql/Migrator"
import { SqlClient } from "@effect/sql/SqlClient"
import { expect, layer } from "@effect/vitest"
import { Duration, Effect, Option } from "effect"
import { migration, parseTable, printDefinition } from "../../../src/internal/stores/postgres/table.js"
import { statements } from "../../../src/internal/stores/sqlite/statements.js"
import { key, record, text } from "../../suites/sql/records.js"
import { clientOn, freshFile, freshTable, ownFile, store } from "./support.js"

layer(ownFile, { excludeTestServices: true })("primitives on SQLite", (it) => {
  const freshStore = Effect.flatMap(SqlClient, (sql) => {
    const table = freshTable()
    return Effect.map(store(sql, { table }), (cache) => ({ cache, sql, table }))
  })

  it.scoped("read, write, add, replace, remove", () =>
    Effect.gen(function* () {
      const { cache } = yield* freshStore
      expect(yield* cache.read([key(1), key(2)])).toEqual([undefined, undefined])
      const added = yield* cache.add(key(1), record("one"))
      expect(Option.isSome(added)).toBe(true)
      expect(yield* cache.add(key(1), record("other"))).toEqual(Option.none())
      const token = Option.getOrThrow(added)
      expect((yield* cache.read([key(1)]))[0]?.token).toBe(token)
      const replaced = yield* cache.replace(key(1), token, record("two"))
      expect(Option.isSome(replaced)).toBe(true)
      expect(yield* cache.replace(key(1), token, record("three"))).toEqual(Option.none())
      expect(yield* cache.replace(key(1), undefined, record("three"))).toEqual(Option.none())
      expect(
        yield* cache.write([
          { key: key(2), record: record("a") },
          { key: key(2), record: record("b") }
        ])
      ).toEqual([])
      expect((yield* cache.read([key(2), key(1), key(2)])).map(text)).toEqual(["b", "two", "b"])
      expect(yield* cache.remove([key(1), key(2), key(3)])).toBe(2)
      expect(yield* cache.replace(key(1), Option.getOrThrow(replaced), record("four"))).toEqual(Option.none())
      expect(yield* cache.read([key(1)])).toEqual([undefined])
      expect(yield* cache.read([])).toEqual([])
    })
  )

  it.scoped("a token does not come back with a record that is created again, nor after a rollback", () =>
    Effect.gen(function* () {
      const { cache, sql } = yield* freshStore
      const tokens = new Set<unknown>()
      const first = Option.getOrThrow(yield* cache.add(key(1), record("a")))
      for (let round = 0; round < 20; round++) {
        yield* cache.remove([key(1)])
        yield* sql
          .withTransaction(
            Effect.zipRight(
              Effect.map(cache.add(key(1), record("a")), (token) => tokens.add(Option.getOrThrow(token))),
              Effect.fail("rolled back")
            )
          )
          .pipe(Effect.ignore)
        tokens.add(Option.getOrThrow(yield* cache.add(key(1), record("a"))))
        expect(yield* cache.replace(key(1), first, record("b"))).toEqual(Option.none())
      }
      expect(tokens.size).toBe(40)
    })
  )

  it.scoped("an expired record is absent to all but the one who adds over it", () =>
    Effect.gen(function* () {
      const { cache, sql, table } = yield* freshStore
      const token = Option.getOrThrow(yield* cache.add(key(1), record("a", 20)))
      yield* Effect.sleep("60 millis")
      expect(yield* cache.read([key(1)])).toEqual([undefined])
      expect(yield* cache.replace(key(1), token, record("b"))).toEqual(Option.none())
      expect(yield* cache.remove([key(1)])).toBe(0)
      expect(yield* sql`SELECT key FROM ${sql(table)}`).toEqual([])
      expect(Option.isSome(yield* cache.add(key(1), record("b", 20)))).toBe(true)
      yield* Effect.sleep("60 millis")
      expect(Option.isSome(yield* cache.add(key(1), record("c", Number.POSITIVE_INFINITY)))).toBe(true)
      expect(yield* cache.add(key(1), record("d"))).toEqual(Option.none())
      expect((yield* cache.read([key(1)])).map(text)).toEqual(["c"])
    })
  )

  it.scoped("clear removes the namespace in all its versions, and no other", () =>
    Effect.gen(function* () {
      const { cache, sql, table } = yield* freshStore
      const neighbours = yield* Effect.forEach(["app2", "ap", "b"], (namespace) => store(sql, { table, namespace }))
      const items = ["v1:app:a", "v2:app:b", "v2:app:c:app2:d", "v:app:x"].map((name) => ({
        key: name,
        record: record("x")
      }))
      const others = ["v1:app2:app:a", "v1:ap:p:app:", "v1:b:app:app:a"]
      yield* cache.write(items)
      yield* Effect.forEach(neighbours, (neighbour, index) =>
        neighbour.write([{ key: others[index] ?? "", record: record("y") }])
      )
      yield* cache.write(Array.from({ length: 2_500 }, (_, index) => ({ key: key(index), record: record("z") })))
      yield* cache.clear
      expect((yield* cache.read(items.map((item) => item.key))).filter(Boolean)).toEqual([])
      expect((yield* cache.read([key(0), key(2_499)])).filter(Boolean)).toEqual([])
      expect((yield* cache.read(others)).map(text)).toEqual(["y", "y", "y"])
    })
  )

  it.scoped("any bytes and any printable key come back, up to 8 MB", () =>
    Effect.gen(function* () {
      const { cache } = yield* freshStore
      const printable = Array.from({ length: 94 }, (_, index) => String.fromCharCode(33 + index)).join("")
      const large = new Uint8Array(8 * 1024 * 1024).map((_, index) => (index * 7) % 256)
      const all = new Uint8Array(256).map((_, index) => index)
      const items = [
        { key: key(printable), record: { bytes: all, lifetime: 60_000 } },
        // a view of a part of its buffer
        { key: key("view"), record: { bytes: all.subarray(7, 19), lifetime: 60_000 } },
        { key: key(`'"\\{},;--`), record: record("'; DROP TABLE x; -- \0 😀") },
        { key: key("empty"), record: { bytes: new Uint8Array(0), lifetime: 60_000 } },
        { key: key("k".repeat(243)), record: { bytes: large, lifetime: 60_000 } }
      ]
      expect(yield* cache.write(items)).toEqual([])
      const read = yield* cache.read(items.map((item) => item.key))
      items.forEach((item, index) => {
        expect(Buffer.compare(read[index]?.bytes ?? new Uint8Array(1), item.record.bytes)).toBe(0)
      })
      const token = Option.getOrThrow(yield* cache.add(key("large"), { bytes: large, lifetime: 60_000 }))
      expect(Option.isSome(yield* cache.replace(key("large"), token, { bytes: large, lifetime: 60_000 }))).toBe(true)
    })
  )

  it.scoped("thousands of keys are read at once, and written", () =>
    Effect.gen(function* () {
      const { cache } = yield* freshStore
      const names = Array.from({ length: 40_000 }, (_, index) => key(index))
      yield* cache.write(names.map((name) => ({ key: name, record: record(name) })))
      expect((yield* cache.read(names)).map(text)).toEqual(names)
      expect(yield* cache.remove(names)).toBe(40_000)
    })
  )

  it.scoped("what is too large, or refused by the database, fails alone", () =>
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
      expect(yield* plan(texts.evict(10, 10, 0))).toContain(byExpiry)
      expect(yield* plan(texts.count)).toContain("USING COVERING INDEX")
    })
  )

  it.scoped("a table that is missing fails; a file that is gone is unavailable", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const missing = yield* store(sql, { table: freshTable(), createTable: false })
      expect((yield* Effect.flip(missing.read([key(1)]))).reason).toBe("StoreFailed")
      expect((yield* Effect.flip(missing.add(key(1), record("x")))).reason).toBe("StoreFailed")
      const closed = yield* Effect.scoped(Effect.flatMap(Effect.flatMap(freshFile(), clientOn), (own) => store(own)))
      expect((yield* Effect.flip(closed.read([key(1)]))).reason).toBe("Unavailable")
      expect((yield* Effect.flip(closed.remove([key(1)]))).reason).toBe("Unavailable")
    })
  )

  it.scoped("works in the schema main and under reserved names", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const cache = yield* store(sql, { table: "main.select" })
      yield* cache.add(key(1), record("a"))
      expect((yield* cache.read([key(1)])).map(text)).toEqual(["a"])
      expect(yield* sql`SELECT 1 AS found FROM "select"`).toEqual([{ found: 1 }])
    })
  )

  it.scoped("20 clients may create the table at once, and find it later while another writes", () =>
    Effect.gen(function* () {
      const url = yield* freshFile()
      const create = Effect.flatMap(clientOn(url), (sql) => store(sql, { timeout: Duration.seconds(1) }))
      yield* Effect.all(
        Array.from({ length: 20 }, () => create),
        { concurrency: "unbounded" }
      )
      const sql = yield* clientOn(url)
      yield* sql.withTransaction(Effect.zipRight(sql`DELETE FROM cache`, create))
    })
  )

  it.scoped("is printed as SQL, and migrated to, that creates the same", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const [printed, migrated] = [freshTable(), freshTable()]
      for (const statement of (yield* printDefinition({ table: printed, dialect: "sqlite" })).split(/;\n+/)) {
        if (statement !== "") yield* sql.unsafe(statement)
      }
      yield* Migrator.make({})({ loader: Effect.succeed([migration(1, { table: migrated })]), table: freshTable() })
      for (const table of [printed, migrated]) {
        const cache = yield* store(sql, { table, createTable: false })
        expect(Option.isSome(yield* cache.add(key(1), record("a")))).toBe(true)
        expect((yield* cache.read([key(1)])).map(text)).toEqual(["a"])
        expect(
          yield* sql`SELECT count(*) AS n FROM sqlite_master WHERE tbl_name = ${table} AND sql IS NOT NULL`
        ).toEqual([{ n: 2 }])
      }
    })
  )
})
