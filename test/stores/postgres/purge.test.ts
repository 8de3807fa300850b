import { SqlClient } from "@effect/sql/SqlClient"
import { expect, layer } from "@effect/vitest"
import { Context, Duration, Effect, Exit, Fiber, Layer, Scope } from "effect"
import type { SqlStoreOptions } from "../../../src/internal/stores/sql/SqlStore.js"
import * as SqlBackend from "../../../src/SqlBackend.js"
import { purgeCases, until } from "../../suites/sql/purge.js"
import { client, connectionsOf, freshTable, key, outsideTransaction, record, store, text } from "./support.js"

layer(client({ connections: 10 }), { excludeTestServices: true })("the purge", (it) => {
  const countOf = (table: string) =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const rows = yield* sql<{ readonly n: number }>`SELECT count(*)::int AS n FROM ${sql(table)}`
      return rows[0]?.n ?? 0
    })
  const ground = (options: Partial<SqlStoreOptions>) =>
    Effect.gen(function* () {
      const table = freshTable()
      const sql = yield* SqlClient
      const both = { cache: yield* store({ table, ...options }), other: yield* store({ table, ...options }) }
      return { ...both, count: Effect.provideService(countOf(table), SqlClient, sql) }
    })
  for (const [name, promise] of Object.entries(purgeCases(ground))) it.scoped(name, () => promise)

  it.scoped("holds maxEntries when the purge is slower than the writers", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const table = freshTable()
      const cache = yield* store({ table, maxEntries: 2_000 })
      const writing = Effect.forEach(
        Array.from({ length: 100 }, (_, round) => round),
        (round) =>
          cache.write(
            Array.from({ length: 50 }, (_, item) => ({ key: key(`${round}:${item}`), record: record("x", 120_000) }))
          )
      )
      // as another process does that removes the excess, and takes its time
      const held = yield* Effect.scoped(
        Effect.gen(function* () {
          const connection = yield* sql.reserve
          const lock = `hashtextextended('evict "${table}"', 0)`
          yield* connection.executeUnprepared(`SELECT pg_advisory_lock(${lock})`, [], undefined)
          const writers = yield* Effect.fork(writing)
          yield* Effect.sleep("700 millis")
          const most = yield* countOf(table)
          yield* connection.executeUnprepared(`SELECT pg_advisory_unlock(${lock})`, [], undefined)
          return { writers, most }
        })
      )
      expect(held.most).toBeLessThanOrEqual(2_200)
      yield* Fiber.join(held.writers)
      expect(
        yield* until(Effect.provideService(countOf(table), SqlClient, sql), (count) => count <= 2_020)
      ).toBeGreaterThanOrEqual(1_800)
    })
  )

  it.scoped("folds what transactions left into one record a key", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const table = freshTable()
      const cache = yield* store({ table, purgeEvery: Duration.millis(20) })
      yield* cache.write([1, 2, 3].map((one) => ({ key: key(one), record: record("old") })))
      yield* sql.withTransaction(
        Effect.gen(function* () {
          yield* cache.remove([key(1), key(4)])
          yield* cache.write([{ key: key(2), record: record("new") }])
          yield* cache.write([{ key: key(5), record: record("for ever", Number.POSITIVE_INFINITY) }])
        })
      )
      expect(yield* until(Effect.provideService(countOf(table), SqlClient, sql), (count) => count === 3)).toBe(3)
      expect((yield* cache.read([1, 2, 3, 4, 5].map(key))).map(text)).toEqual([
        undefined,
        "new",
        "old",
        undefined,
        "for ever"
      ])
      const left = yield* sql`SELECT key, extract(epoch FROM expires_at - now()) BETWEEN 50 AND 61 AS kept
        FROM ${sql(table)} WHERE key = ${key(2)}`
      expect(left).toEqual([{ key: key(2), kept: true }])
    })
  )

  it.effect("stops with its layer", () =>
    Effect.gen(function* () {
      const table = freshTable()
      const scope = yield* Scope.make()
      const cache = yield* Scope.extend(store({ table, purgeEvery: Duration.millis(10) }), scope)
      yield* Scope.close(scope, Exit.void)
      const error = yield* Effect.flip(cache.read([key(1)]))
      expect(error.reason).toBe("Unavailable")
      const other = yield* Scope.extend(store({ table }), scope).pipe(Effect.either)
      yield* Effect.scoped(
        Effect.gen(function* () {
          const next = yield* store({ table })
          yield* next.write([{ key: key(1), record: record("x", 1) }])
          yield* Effect.sleep("100 millis")
          expect(yield* countOf(table)).toBe(1)
        })
      )
      expect(other._tag).toBe("Right")
    })
  )

  it.effect("leaves no connection behind when its layer closes in the midst of a statement", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const table = freshTable()
      const scope = yield* Scope.make()
      const pool = client({ connections: 4, name: table })
      const cache = SqlBackend.layer({ table, purgeEvery: "10 millis" })
      const context = yield* Layer.buildWithScope(Layer.provideMerge(cache, pool), scope)
      // in use at once, so that the pool has all its connections, and idle ones afterwards
      const its = Context.get(context, SqlClient)
      yield* Effect.replicateEffect(its`SELECT pg_sleep(0.05)`, 4, { concurrency: 4, discard: true })
      const connections = Effect.map(connectionsOf(sql, table), ({ all }) => all)
      const waiting = Effect.map(
        sql`SELECT 1 FROM pg_stat_activity WHERE application_name = ${table} AND wait_event_type = 'Lock'`,
        (rows) => rows.length
      )
      const afterwards = yield* sql.withTransaction(
        Effect.gen(function* () {
          yield* sql`LOCK TABLE ${sql(table)} IN ACCESS EXCLUSIVE MODE`
          // a transaction would be told the same of other sessions until it ends
          return yield* outsideTransaction(
            Effect.gen(function* () {
              expect(yield* until(waiting, (statements) => statements > 0)).toBe(1)
              yield* Scope.close(scope, Exit.void)
              return yield* until(connections, (all) => all === 0)
            })
          )
        })
      )
      expect(afterwards).toBe(0)
    })
  )
})
