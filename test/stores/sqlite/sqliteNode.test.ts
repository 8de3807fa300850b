/** SQLite through `@effect/sql-sqlite-node`, whose client has one connection: better-sqlite3. */
import { randomUUID } from "node:crypto"
import { fileURLToPath } from "node:url"
import { SqlClient } from "@effect/sql/SqlClient"
import * as SqliteClient from "@effect/sql-sqlite-node/SqliteClient"
import { describe, expect, it } from "@effect/vitest"
import { Context, Duration, Effect, Fiber, Layer, Option } from "effect"
import { CacheBackend } from "effect-cached"
import * as SqlBackend from "effect-cached/SqlBackend"
import { cacheBackendSuite } from "effect-cached/testing"
import { afterAll, beforeAll } from "vitest"
import { smokeSuite } from "../../suites/smokeSuite.js"
import { backendTests } from "../../suites/sql/backend.js"
import * as Ground from "../../suites/sql/ground.js"
import { primitiveTests } from "../../suites/sql/primitives.js"
import { processTests } from "../../suites/sql/processes.js"
import { purgeTests } from "../../suites/sql/purge.js"
import { transactionTests } from "../../suites/sql/transactions.js"
import { whole } from "../../support/size.js"
import { heldTransaction, key, newFile, record, sqlite, text } from "./support.js"

const files = { WAL: newFile("WAL"), DELETE: newFile("DELETE") }
beforeAll(() => Effect.runPromise(Effect.all([files.WAL.create, files.DELETE.create])))
afterAll(() => Effect.runPromise(Effect.all([files.WAL.remove, files.DELETE.remove])))

/** Each layer has a client of its own, as another process would. */
const backend = (mode: keyof typeof files) =>
  Layer.provide(
    SqlBackend.layer({ namespace: randomUUID(), timeout: "1 minute" }),
    SqliteClient.layer({ filename: fileURLToPath(files[mode].url), disableWAL: true })
  )

if (whole) {
  cacheBackendSuite("SqlBackend on SQLite through @effect/sql-sqlite-node", backend("WAL"), {
    shared: true,
    neighbour: backend("WAL")
  })
}
smokeSuite("SqlBackend on SQLite through @effect/sql-sqlite-node, DELETE", backend("DELETE"), backend("DELETE"))

const database = sqlite("WAL", "sqlite-node")

describe("SQLite through @effect/sql-sqlite-node", () => {
  primitiveTests(database)
  transactionTests(database)
  purgeTests(database)
  processTests(database)
  backendTests(database)

  const busyTimeout = (sql: SqlClient) =>
    Effect.map(sql<{ readonly timeout: number }>`PRAGMA busy_timeout`, ([row]) => row?.timeout)

  for (const mode of ["WAL", "DELETE"] as const) {
    it.scopedLive(`a lock of another process does not block the event loop, ${mode}`, () =>
      Effect.gen(function* () {
        const { cache, other, otherSql, sql } = yield* Ground.twoStores(sqlite(mode, "sqlite-node"), {
          timeout: Duration.minutes(1)
        })
        const before = yield* busyTimeout(sql)
        yield* cache.write([{ key: key(1), record: record("old") }])
        const held = yield* heldTransaction(otherSql, other.remove([key(1)]))
        const started = performance.now()
        // in the driver's own way, the first of these would block this process for the driver's 5 seconds
        const writing = yield* Effect.forkScoped(
          Effect.all([
            cache.write([{ key: key(2), record: record("x") }]),
            sql.withTransaction(cache.write([{ key: key(3), record: record("y") }]))
          ])
        )
        yield* Effect.sleep("50 millis")
        expect(performance.now() - started).toBeLessThan(3_000)
        expect(yield* Fiber.poll(writing)).toEqual(Option.none())
        yield* held.end
        yield* Fiber.join(writing)
        expect((yield* cache.read([1, 2, 3].map(key))).map(text)).toEqual([undefined, "x", "y"])
        expect([before, yield* busyTimeout(sql)]).toEqual([5_000, 5_000])
      })
    )
  }

  it.scopedLive("a transaction's first write waits for the lock of another process, and blocks nothing", () =>
    Effect.gen(function* () {
      const { cache, other, otherSql, sql } = yield* Ground.twoStores(database, { timeout: Duration.minutes(1) })
      const held = yield* heldTransaction(otherSql, other.write([{ key: key(1), record: record("theirs") }]))
      const started = performance.now()
      const writing = yield* Effect.forkScoped(
        sql.withTransaction(cache.write([{ key: key(1), record: record("mine") }]))
      )
      yield* Effect.sleep("50 millis")
      expect(performance.now() - started).toBeLessThan(3_000)
      yield* held.end
      yield* Fiber.join(writing)
      expect((yield* other.read([key(1)])).map(text)).toEqual(["mine"])
    })
  )

  it.scopedLive("a transaction that stays open makes the cache's calls fail, not hang; then they work again", () =>
    Effect.gen(function* () {
      const place = yield* database.place
      const sql = yield* Ground.clientOn(place)
      const cache = yield* Ground.storeOn(sql, place.table, { timeout: Duration.millis(200) })
      const held = yield* heldTransaction(sql, Effect.void)
      const error = yield* Effect.flip(cache.read([key(1)]))
      expect(error).toMatchObject({ reason: "Timeout" })
      expect(error.message).toContain("transaction of this program")
      yield* held.end
      expect(yield* cache.read([key(1)])).toEqual([undefined])
    })
  )

  it.scopedLive("reads what it wrote whatever the program has set the names of columns to", () =>
    Effect.gen(function* () {
      const { cache, sql } = yield* Ground.twoStores(sqlite("WAL", "sqlite-node"))
      yield* sql`PRAGMA short_column_names = OFF`
      yield* sql`PRAGMA full_column_names = ON`
      yield* cache.write([{ key: key(1), record: record("value") }])
      expect((yield* cache.read([key(1)])).map(text)).toEqual(["value"])
      yield* cache.clear
      expect(yield* cache.read([key(1)])).toEqual([undefined])
    })
  )

  it.scopedLive("works in memory, as programs use it in tests", () =>
    Effect.gen(function* () {
      const context = yield* Layer.build(
        Layer.provideMerge(SqlBackend.layer(), SqliteClient.layer({ filename: ":memory:" }))
      )
      const [sql, cache] = [Context.get(context, SqlClient), Context.get(context, CacheBackend)]
      yield* cache.set("a", 1)
      expect(yield* cache.get("a")).toEqual(Option.some(1))
      yield* sql.withTransaction(cache.delete("a"))
      expect(yield* cache.get("a")).toEqual(Option.none())
    })
  )
})
