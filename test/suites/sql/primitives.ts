/** The six primitives, which both databases must keep. */
import * as Migrator from "@effect/sql/Migrator"
import { SqlClient } from "@effect/sql/SqlClient"
import { expect, it } from "@effect/vitest"
import { Effect, Option } from "effect"
import { migration, printDefinition } from "../../../src/SqlBackend.js"
import { amended, amendOf, amends, body, bytesOf, recordOf } from "../amend.js"
import { clientOn, type Database, key, record, storeOn, text, twoStores } from "./ground.js"

export const primitiveTests = (database: Database): void => {
  const { contest, schema } = database

  it.scopedLive("read, write, add, replace, remove", () =>
    Effect.gen(function* () {
      const { cache } = yield* twoStores(database)
      expect(yield* cache.read([key(1), key(2)])).toEqual([undefined, undefined])
      const added = yield* cache.add(key(1), record("one"))
      expect(Option.isSome(added)).toBe(true)
      expect(yield* cache.add(key(1), record("other"))).toEqual(Option.none())
      const token = Option.getOrThrow(added)
      expect((yield* cache.read([key(1)]))[0]?.token).toEqual(token)
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

  it.scopedLive("amend puts a new head before the rest, which stays where it is", () =>
    Effect.flatMap(twoStores(database), ({ cache }) => amends(cache, key))
  )

  it.scopedLive("amend in a transaction, and over what a transaction has written", () =>
    Effect.gen(function* () {
      const { cache, other, sql } = yield* twoStores(database)
      const [amend, head] = [amendOf(cache), Buffer.from("head")]
      const written = (name: string) => cache.write([{ key: key(name), record: recordOf(Buffer.alloc(0)) }])
      const amending = (name: string) =>
        Effect.flatMap(cache.read([key(name)]), ([found]) => amend(key(name), found?.token, amended(head, 0)))
      yield* written("inside")
      yield* sql.withTransaction(
        Effect.gen(function* () {
          expect(Option.isSome(yield* amending("inside"))).toBe(true)
          expect(yield* bytesOf(cache, key("inside"))).toEqual(Buffer.concat([head, body]))
        })
      )
      expect(yield* bytesOf(other, key("inside"))).toEqual(Buffer.concat([head, body]))
      yield* sql.withTransaction(written("after"))
      expect(Option.isSome(yield* amending("after"))).toBe(true)
      expect(yield* bytesOf(other, key("after"))).toEqual(Buffer.concat([head, body]))
      // A removal that is committed meanwhile wins.
      yield* written("removed")
      const [found] = yield* cache.read([key("removed")])
      yield* sql.withTransaction(cache.remove([key("removed")]))
      expect(yield* amend(key("removed"), found?.token, amended(head, 0))).toEqual(Option.none())
      expect(yield* bytesOf(other, key("removed"))).toBeUndefined()
    })
  )

  it.scopedLive("a token does not come back with a record that is created again, nor after a rollback", () =>
    Effect.gen(function* () {
      const { cache, sql } = yield* twoStores(database)
      const tokens = new Set<unknown>()
      const keep = (token: Option.Option<unknown>) => tokens.add(JSON.stringify(Option.getOrThrow(token)))
      const first = Option.getOrThrow(yield* cache.add(key(1), record("a")))
      for (let round = 0; round < 20; round++) {
        yield* cache.remove([key(1)])
        yield* cache
          .add(key(1), record("a"))
          .pipe(Effect.map(keep), Effect.zipRight(Effect.fail("rolled back")), sql.withTransaction, Effect.ignore)
        keep(yield* cache.add(key(1), record("a")))
        expect(yield* cache.replace(key(1), first, record("b"))).toEqual(Option.none())
      }
      expect(tokens.size).toBe(40)
    })
  )

  it.scopedLive("an expired record is absent to all but the one who adds over it", () =>
    Effect.gen(function* () {
      const { cache } = yield* twoStores(database)
      const token = Option.getOrThrow(yield* cache.add(key(1), record("a", 20)))
      yield* Effect.sleep("60 millis")
      expect(yield* cache.read([key(1)])).toEqual([undefined])
      expect(yield* cache.replace(key(1), token, record("b"))).toEqual(Option.none())
      expect(yield* cache.remove([key(1)])).toBe(0)
      expect(Option.isSome(yield* cache.add(key(1), record("b", 20)))).toBe(true)
      yield* Effect.sleep("60 millis")
      expect(Option.isSome(yield* cache.add(key(1), record("c", Number.POSITIVE_INFINITY)))).toBe(true)
      expect(yield* cache.add(key(1), record("d"))).toEqual(Option.none())
      expect((yield* cache.read([key(1)])).map(text)).toEqual(["c"])
    })
  )

  it.scopedLive("clear removes the namespace in all its versions, and no other", () =>
    Effect.gen(function* () {
      const { cache, sql, table } = yield* twoStores(database)
      const neighbours = yield* Effect.forEach(["app2", "ap", "b"], (namespace) => storeOn(sql, table, { namespace }))
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

  it.scopedLive("any bytes and any printable key come back, up to 8 MB", () =>
    Effect.gen(function* () {
      const { cache } = yield* twoStores(database)
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

  it.scopedLive("thousands of keys are read at once, and written", () =>
    Effect.gen(function* () {
      const { cache } = yield* twoStores(database)
      // more than the parameters that a statement may have
      const names = Array.from({ length: 40_000 }, (_, index) => key(index))
      yield* cache.write(names.map((name) => ({ key: name, record: record(name) })))
      expect((yield* cache.read(names)).map(text)).toEqual(names)
      expect(yield* cache.remove(names)).toBe(40_000)
    })
  )

  it.scopedLive("what is too large, or refused by the database, fails alone", () =>
    Effect.gen(function* () {
      const { cache, place, sql } = yield* twoStores(database)
      yield* place.refuse(sql, "bad")
      const huge = { bytes: new Uint8Array(251 * 1024 * 1024), lifetime: 60_000 }
      const records = [record("a"), huge, record("b"), record("bad"), record("c")]
      const rejected = yield* cache.write(records.map((each, index) => ({ key: key(index), record: each })))
      expect(rejected.map((one) => [one.key, one.error.reason])).toEqual([
        [key(1), "TooLarge"],
        [key(3), "StoreFailed"]
      ])
      expect((yield* cache.read([0, 1, 2, 3, 4].map(key))).map(text)).toEqual(["a", undefined, "b", undefined, "c"])
      // at the same moment, so that they are sent together
      const adds = yield* Effect.forEach(
        records,
        (each, index) =>
          Effect.flip(Effect.filterOrFail(cache.add(key(10 + index), each), Option.isNone, () => "added")),
        { concurrency: "unbounded" }
      )
      expect(adds).toMatchObject(["added", { reason: "TooLarge" }, "added", { reason: "StoreFailed" }, "added"])
      const writes = yield* Effect.forEach(
        records,
        (each, index) => cache.write([{ key: key(20 + index), record: each }]),
        { concurrency: "unbounded" }
      )
      expect(writes.map((one) => one.map(({ error }) => error.reason))).toEqual([
        [],
        ["TooLarge"],
        [],
        ["StoreFailed"],
        []
      ])
      const token = Option.getOrThrow(yield* cache.add(key(30), record("old")))
      expect((yield* Effect.flip(cache.replace(key(30), token, huge))).reason).toBe("TooLarge")
      expect((yield* cache.read([10, 12, 14, 20, 22, 24, 30].map(key))).map(text)).toEqual([
        "a",
        "b",
        "c",
        "a",
        "b",
        "c",
        "old"
      ])
    })
  )

  /** Half of them on a client of their own; none sends its requests together with another's. */
  const contenders = (stores: number) =>
    Effect.gen(function* () {
      const place = yield* database.place
      const clients = yield* Effect.all([clientOn(place, stores / 2), clientOn(place, stores / 2)])
      yield* Effect.forEach(clients, (sql) => storeOn(sql, place.table))
      return yield* Effect.forEach(
        Array.from({ length: stores / 2 }).flatMap(() => clients),
        (sql) => storeOn(sql, place.table, { createTable: false })
      )
    })

  it.scopedLive(
    `of ${contest.stores} stores that add a missing or an expired key, one wins, ${contest.rounds} times`,
    () =>
      Effect.gen(function* () {
        const caches = yield* contenders(contest.stores)
        const [reader] = caches
        if (reader === undefined) return
        const expired = Array.from({ length: contest.rounds / 2 }, (_, round) => round)
        yield* reader.write(expired.map((round) => ({ key: key(round), record: record("old", 1) })))
        yield* Effect.sleep("5 millis")
        for (let round = 0; round < contest.rounds; round++) {
          const results = yield* Effect.forEach(caches, (cache, index) => cache.add(key(round), record(`${index}`)), {
            concurrency: "unbounded"
          })
          const winners = results.flatMap((result, index) => (Option.isSome(result) ? [`${index}`] : []))
          expect(winners.length).toBe(1)
          expect((yield* reader.read([key(round)])).map(text)).toEqual(winners)
        }
      })
  )

  it.scopedLive("of as many that replace with one token, one wins", () =>
    Effect.gen(function* () {
      const caches = yield* contenders(contest.stores)
      const [first] = caches
      for (let round = 0; round < 50; round++) {
        if (first === undefined) return
        const token = Option.getOrThrow(yield* first.add(key(round), record("0")))
        const results = yield* Effect.forEach(
          caches,
          (cache, index) => cache.replace(key(round), token, record(`${index}`)),
          { concurrency: "unbounded" }
        )
        expect(results.filter(Option.isSome).length).toBe(1)
      }
    })
  )

  it.scopedLive("a table that is missing fails; a client that is gone is unavailable", () =>
    Effect.gen(function* () {
      const place = yield* database.place
      const sql = yield* clientOn(place)
      const missing = yield* storeOn(sql, `${place.table}_missing`, { createTable: false })
      expect((yield* Effect.flip(missing.read([key(1)]))).reason).toBe("StoreFailed")
      expect((yield* Effect.flip(missing.add(key(1), record("x")))).reason).toBe("StoreFailed")
      const closed = yield* Effect.scoped(Effect.flatMap(clientOn(place), (own) => storeOn(own, place.table)))
      expect((yield* Effect.flip(closed.read([key(1)]))).reason).toBe("Unavailable")
      expect((yield* Effect.flip(closed.remove([key(1)]))).reason).toBe("Unavailable")
    })
  )

  it.scopedLive(`works in the schema ${schema} and under reserved names`, () =>
    Effect.gen(function* () {
      const sql = yield* Effect.flatMap(database.place, clientOn)
      if (schema !== "main") yield* sql`CREATE SCHEMA IF NOT EXISTS ${sql(schema)}`
      const cache = yield* storeOn(sql, `${schema}.select`)
      yield* cache.add(key(1), record("a"))
      expect((yield* cache.read([key(1)])).map(text)).toEqual(["a"])
      expect(yield* sql`SELECT 1 AS found FROM ${sql(schema)}."select"`).toEqual([{ found: 1 }])
    })
  )

  it.scopedLive("20 processes may create the table at once, and find it later while another writes", () =>
    Effect.gen(function* () {
      const place = yield* database.place
      const create = Effect.scoped(Effect.flatMap(clientOn(place, 1), (sql) => storeOn(sql, place.table)))
      yield* Effect.all(
        Array.from({ length: 20 }, () => create),
        { concurrency: "unbounded" }
      )
      const sql = yield* clientOn(place)
      yield* sql.withTransaction(Effect.zipRight(sql`DELETE FROM ${sql(place.table)}`, create))
    })
  )

  it.scopedLive("is printed as SQL, and migrated to, that creates the same", () =>
    Effect.gen(function* () {
      const { sql, place } = yield* twoStores(database)
      const [printed, migrated] = [`${place.table}_printed`, `${place.table}_migrated`]
      const definition = yield* printDefinition({
        table: printed,
        ...(place.dialect === "sqlite" ? { dialect: "sqlite" } : {})
      })
      for (const statement of definition.split(/;\n+/)) if (statement !== "") yield* sql.unsafe(statement)
      yield* Effect.provideService(
        Migrator.make({})({
          loader: Effect.succeed([migration(1, { table: migrated })]),
          table: `${place.table}_migrations`
        }),
        SqlClient,
        sql
      )
      for (const table of [printed, migrated]) {
        const cache = yield* storeOn(sql, table, { createTable: false })
        expect(Option.isSome(yield* cache.add(key(1), record("a")))).toBe(true)
        expect((yield* cache.read([key(1)])).map(text)).toEqual(["a"])
      }
    })
  )
}
