import { randomUUID } from "node:crypto"
import * as Migrator from "@effect/sql/Migrator"
import { SqlClient } from "@effect/sql/SqlClient"
import { describe, expect, layer } from "@effect/vitest"
import { Duration, Effect, Exit, Layer, Option } from "effect"
import type { Statement } from "../../../src/internal/stores/postgres/statements/named.js"
import { packed } from "../../../src/internal/stores/postgres/statements/parameters.js"
import { statements } from "../../../src/internal/stores/postgres/statements/statements.js"
import { parseTable } from "../../../src/internal/stores/sql/table.js"
import { migration, printDefinition } from "../../../src/SqlBackend.js"
import { primitiveTests } from "../../suites/sql/primitives.js"
import { until } from "../../support/until.js"
import { client, freshTable, key, postgres, record, store, text } from "./support.js"

/** How many rows all statements together have looked at so far, in whatever way. */
const rowsRead = (table: string) =>
  Effect.gen(function* () {
    const sql = yield* SqlClient
    yield* sql`SELECT pg_stat_force_next_flush()`
    const [row] = yield* sql<{ readonly rows: number }>`
      SELECT (seq_tup_read + idx_tup_fetch)::int AS rows FROM pg_stat_user_tables WHERE relname = ${table}`
    return row?.rows ?? 0
  })

const grow = (table: string) =>
  Effect.flatMap(
    SqlClient,
    (sql) => sql`INSERT INTO ${sql(table)} (key, token, value, expires_at, purge_at)
      SELECT 'v1:app:more' || i, gen_random_uuid(), 'x', now() + interval '1 hour', now() + interval '1 hour'
      FROM generate_series(1, 20000) i`
  )

describe("primitives on PostgreSQL", () => primitiveTests(postgres))

layer(client({ connections: 10 }), { excludeTestServices: true })("the table on PostgreSQL", (it) => {
  it.scoped("a row that somebody put where only the namespace's changes stand harms nobody", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const table = freshTable()
      const cache = yield* store({ table })
      const keys = Array.from({ length: 20 }, (_, index) => key(index))
      yield* cache.write(keys.map((each) => ({ key: each, record: record(`of ${each}`) })))
      yield* sql`INSERT INTO ${sql(table)} (key, token, value, expires_at)
        VALUES ('clear app', gen_random_uuid(), 'poison', now() + interval '1 hour')`
      expect((yield* cache.read(keys)).map(text)).toEqual(keys.map((each) => `of ${each}`))
    })
  )

  it.scoped("no statement reads a whole table, not even one that was never analysed", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const table = freshTable()
      yield* store({ table })
      yield* sql`ALTER TABLE ${sql(table)} SET (autovacuum_enabled = false)`
      yield* sql`INSERT INTO ${sql(table)} (key, token, value, expires_at)
        SELECT 'v1:app:' || i, gen_random_uuid(), 'x', now() + interval '1 hour' FROM generate_series(1, 50000) i`
      const texts = statements(yield* parseTable(table), 5_000)
      const plansOf = (count: number) => {
        const items = Array.from({ length: count }, (_, index) => ({ key: key(index), record: record("x") }))
        const keys = items.map((item) => item.key)
        const [written, shared] = [packed(items), "clear app"]
        const asked: ReadonlyArray<readonly [Statement, ReadonlyArray<unknown>]> = [
          [texts.read, [keys.join(" "), shared]],
          [texts.readPlain, [keys.join(" "), shared]],
          [texts.writeUnchanged, written],
          [texts.write, [...written, shared]],
          [texts.writeWaiting, [...written, shared]],
          [texts.readChanged, [keys.join(" "), shared]],
          [texts.add, [...written, shared]],
          [texts.addOver, [...written, shared]],
          [texts.replace, [...written, keys.map(() => randomUUID()), shared]],
          [texts.replaceOver, [...written, keys.map(() => randomUUID()), shared]],
          [texts.remove, [keys, shared]],
          [texts.fold, [keys.join(" ")]],
          [texts.lookAt, [keys[0], shared]]
        ]
        return Effect.forEach(asked, ([{ name, text: statement }, parameters]) =>
          Effect.map(sql.unsafe<object>(`EXPLAIN ${statement}`, parameters).withoutTransform, (rows) => ({
            name,
            scans: rows.flatMap((row) => Object.values(row)).filter((line) => /Scan .*\bt_/.test(`${line}`))
          }))
        )
      }
      const plans = [...(yield* plansOf(1)), ...(yield* plansOf(64))]
      expect(plans.filter(({ scans }) => scans.length === 0)).toEqual([])
      expect(plans.filter(({ scans }) => scans.some((line) => /Seq Scan/.test(`${line}`)))).toEqual([])
    })
  )

  it.scoped("no plan that was made while the table was empty reads all of it when it has grown", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const table = freshTable()
      const cache = yield* store({ table })
      yield* sql`ALTER TABLE ${sql(table)} SET (autovacuum_enabled = false)`
      const keys = Array.from({ length: 20 }, (_, index) => key(index))
      // one record only, for a table of a few pages is none that the planner likes to read
      const item = [{ key: key(0), record: record("written") }]
      const everything = Effect.gen(function* () {
        yield* cache.read([key(0)])
        yield* cache.read(keys)
        yield* cache.remove([key(0)])
        const token = yield* cache.add(key(0), record("added"))
        yield* cache.replace(key(0), Option.getOrThrow(token), record("replaced"))
        yield* cache.write(item)
        yield* sql.withTransaction(cache.remove([key(0)]))
        // with what the transaction left
        yield* cache.write(item)
        yield* cache.read(keys)
      })
      // a statement is planned five times before the plan is kept
      yield* Effect.repeatN(everything, 12)
      yield* grow(table)
      const before = yield* rowsRead(table)
      yield* Effect.repeatN(everything, 3)
      expect((yield* rowsRead(table)) - before).toBeLessThan(20_000)
    }).pipe(Effect.provide(client({ connections: 1 })))
  )

  it.scoped("plans that were made while the table had no page are made anew once it has grown, and each time", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const table = freshTable()
      const lone = yield* Layer.build(client({ connections: 1 }))
      const cache = yield* Effect.provide(store({ table, purgeEvery: Duration.millis(200) }), lone)
      yield* sql`ALTER TABLE ${sql(table)} SET (autovacuum_enabled = false)`
      // a connection tells of what it did about once a second, unless it is told to
      const rowsReadBy = (times: number) =>
        Effect.gen(function* () {
          const before = yield* rowsRead(table)
          yield* Effect.repeatN(cache.read([key(0)]), times - 1)
          return (yield* rowsRead(table)) - before
        }).pipe(Effect.provide(lone))
      for (const _round of ["new", "after a crash"]) {
        yield* sql`TRUNCATE ${sql(table)}`
        yield* sql`VACUUM ${sql(table)}`
        yield* Effect.sleep("600 millis")
        yield* rowsReadBy(12)
        yield* grow(table)
        expect(yield* until(rowsReadBy(100), (rows) => rows < 20_000)).toBeLessThan(20_000)
      }
      const named = yield* Effect.provide(
        sql<{ readonly names: number }>`
          SELECT count(*)::int AS names FROM pg_prepared_statements WHERE statement LIKE ${`%${table}%hex%`}`,
        lone
      )
      expect(named[0]?.names).toBeLessThan(7)
    })
  )

  it.scoped("of statements under way when prepared ones turn out to be gone, none fails", () =>
    Effect.gen(function* () {
      const connections = 4
      const sql = yield* SqlClient
      const cache = yield* store()
      const everywhere = <A, E>(effect: Effect.Effect<A, E>) =>
        Effect.all(
          Array.from({ length: connections }, () => effect),
          { concurrency: "unbounded" }
        )
      // as many keys as fit into a batch
      const keys = Array.from({ length: 500 }, (_, index) => key(index))
      const all = everywhere(cache.read(keys))
      for (let round = 0; round < 10; round++) yield* all
      // each on a connection of its own, as all of them are taken at once
      yield* everywhere(sql.withTransaction(Effect.zipRight(Effect.sleep("50 millis"), sql`DEALLOCATE ALL`)))
      yield* all
    }).pipe(Effect.provide(client({ connections: 4 })))
  )

  it.scoped("does not start where something else has the name of an index", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const table = freshTable()
      yield* sql`CREATE TABLE ${sql(`${table}_record`)} (id int)`
      expect(Exit.isFailure(yield* Effect.exit(store({ table })))).toBe(true)
      const other = freshTable()
      yield* store({ table: other })
      expect(Exit.isFailure(yield* Effect.exit(store({ table: `${other}_record` })))).toBe(true)
    })
  )

  it.scoped("the keys of a namespace come in pages, each once, however many changes stand beside them", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const table = freshTable()
      const cache = yield* store({ table })
      yield* cache.write([key(3), key(5)].map((each) => ({ key: each, record: record("x") })))
      for (const changed of [1, 1, 1, 2, 4, 4]) yield* sql.withTransaction(cache.remove([key(changed)]))
      yield* sql.withTransaction(cache.clear)
      const { keysOf } = statements(yield* parseTable(table), 5_000)
      const page = (after: string) =>
        Effect.map(sql.unsafe<{ readonly key: string }>(keysOf.text, ["app", after, "clear app", 2]), (rows) =>
          rows.map((row) => row.key)
        )
      expect(yield* page("")).toEqual([key(1), key(2)])
      expect(yield* page(key(2))).toEqual([key(3), key(4)])
      expect(yield* page(key(4))).toEqual([key(5)])
      expect(yield* page(key(5))).toEqual([])
    })
  )

  it.scoped("a token of another store replaces nothing", () =>
    Effect.gen(function* () {
      const cache = yield* store()
      yield* cache.write([{ key: key(1), record: record("x") }])
      for (const token of ["", "no uuid", 7, null, {}, { record: randomUUID() }, randomUUID()]) {
        expect(yield* cache.replace(key(1), token, record("y"))).toEqual(Option.none())
      }
    })
  )

  it.effect("refuses hostile table names", () =>
    Effect.gen(function* () {
      for (const name of [
        "",
        ".",
        "a.b.c",
        `x"; DROP TABLE users; --`,
        "a b",
        "1a",
        "ü",
        "x\0",
        "x\n",
        "x".repeat(49),
        "'x'",
        "x;",
        "pg_catalog."
      ]) {
        const error = yield* Effect.flip(parseTable(name))
        expect([name, error.reason]).toEqual([name, "InvalidOption"])
      }
      expect((yield* parseTable("Schema_1.order")).quoted).toBe('"Schema_1"."order"')
    })
  )

  it.scoped("is unlogged by default, logged on request, and printed as SQL that creates the same", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const persistence = (table: string) =>
        Effect.map(
          sql<{ readonly kind: string }>`SELECT relpersistence AS kind FROM pg_class WHERE relname = ${table}`,
          (rows) => rows[0]?.kind
        )
      const [unlogged, logged, printed, migrated] = [freshTable(), freshTable(), freshTable(), freshTable()]
      yield* store({ table: unlogged })
      yield* store({ table: logged, unlogged: false })
      expect(yield* persistence(unlogged)).toBe("u")
      expect(yield* persistence(logged)).toBe("p")
      yield* sql.unsafe(yield* printDefinition({ table: printed, unlogged: false }))
      const cache = yield* store({ table: printed, createTable: false })
      expect(Option.isSome(yield* cache.add(key(1), record("a")))).toBe(true)
      yield* Migrator.make({})({ loader: Effect.succeed([migration(1, { table: migrated })]), table: freshTable() })
      expect(yield* persistence(migrated)).toBe("u")
    })
  )

  it.scoped("a logged table may be published for logical replication", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const table = freshTable()
      const cache = yield* store({ table, unlogged: false })
      yield* Effect.acquireRelease(sql`CREATE PUBLICATION ${sql(`${table}_all`)} FOR TABLE ${sql(table)}`, () =>
        Effect.orDie(sql`DROP PUBLICATION ${sql(`${table}_all`)}`)
      )
      const item = { key: key(1), record: record("x") }
      yield* cache.write([item])
      expect(yield* cache.write([item])).toEqual([])
      expect(yield* cache.remove([key(1)])).toBe(1)
    })
  )
})
