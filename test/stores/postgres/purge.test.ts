import { SqlClient } from "@effect/sql/SqlClient"
import { describe, expect, layer } from "@effect/vitest"
import { Context, Duration, Effect, Exit, Fiber, Layer, Scope } from "effect"
import type { CacheError } from "../../../src/CacheError.js"
import { statements } from "../../../src/internal/stores/postgres/statements/statements.js"
import { parseTable } from "../../../src/internal/stores/sql/table.js"
import * as SqlBackend from "../../../src/SqlBackend.js"
import { countOf } from "../../suites/sql/ground.js"
import { purgeTests } from "../../suites/sql/purge.js"
import { until } from "../../support/until.js"
import { client, connectionsOf, freshTable, key, outsideTransaction, postgres, record, store, text } from "./support.js"

describe("the purge on PostgreSQL", () => purgeTests(postgres))

layer(client({ connections: 10 }), { excludeTestServices: true })("the purge beside others", (it) => {
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
          const most = yield* countOf(sql, table)
          yield* connection.executeUnprepared(`SELECT pg_advisory_unlock(${lock})`, [], undefined)
          return { writers, most }
        })
      )
      expect(held.most).toBeLessThanOrEqual(2_200)
      yield* Fiber.join(held.writers)
      expect(yield* until(countOf(sql, table), (count) => count <= 2_020)).toBeGreaterThanOrEqual(1_800)
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
      expect(yield* until(countOf(sql, table), (count) => count === 3)).toBe(3)
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

  it.scoped("of the tombstones of one key in one transaction it keeps the last, and so all that they mean", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const table = freshTable()
      const cache = yield* store({ table })
      const { thin } = statements(yield* parseTable(table), 5_000)
      const thinned = (most: number) =>
        Effect.map(sql.unsafe<{ readonly rows: string }>(thin.text, [most]).withoutTransform, ([row]) =>
          Number(row?.rows)
        )
      const keys = [1, 2, 3, 4].map(key)
      yield* cache.write(keys.map((each) => ({ key: each, record: record("old") })))
      const set = (name: number) => cache.write([{ key: key(name), record: record(`new ${name}`) }])
      const remove = (name: number) => cache.remove([key(name)])
      const steps: ReadonlyArray<Effect.Effect<unknown, CacheError>> = [
        ...[remove(1), remove(1), remove(1)],
        ...[remove(2), set(2), remove(2)],
        ...[remove(3), remove(3), set(3)],
        set(4),
        ...[cache.clear, cache.clear, set(4)]
      ]
      for (const _transaction of [1, 2]) yield* sql.withTransaction(Effect.all(steps, { discard: true }))
      const meant = yield* cache.read(keys)
      expect(meant.map(text)).toEqual([undefined, undefined, undefined, "new 4"])
      expect(yield* thinned(3)).toBe(3)
      expect(yield* thinned(100)).toBe(7)
      expect(yield* thinned(100)).toBe(0)
      expect(yield* cache.read(keys)).toEqual(meant)
    })
  )

  it.effect("what is asked when its layer is closed fails, and a layer that is built afterwards works", () =>
    Effect.gen(function* () {
      const table = freshTable()
      const closed = yield* Effect.scoped(store({ table }))
      expect((yield* Effect.flip(closed.read([key(1)]))).reason).toBe("Unavailable")
      const [found] = yield* Effect.scoped(
        Effect.flatMap(store({ table }), (next) =>
          Effect.zipRight(next.write([{ key: key(1), record: record("x") }]), next.read([key(1)]))
        )
      )
      expect(text(found)).toBe("x")
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
