/** What an administrator sets for a role or a database, and the cache's own statements all the same. */
import { SqlClient } from "@effect/sql/SqlClient"
import { describe, expect, it } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import { CacheBackend, cached } from "effect-cached"
import * as SqlBackend from "effect-cached/SqlBackend"
import { blockedFor } from "../../support/blocked.js"
import { whole } from "../../support/size.js"
import { client, freshTable, heldTransaction, type SessionSettings } from "./support.js"

type Options = SqlBackend.SqlBackendOptions

/** A backend with a pool of its own, as another process would have it. */
const backendOn = (settings: SessionSettings, options: Options, connections = 2) =>
  Effect.map(Layer.build(Layer.provide(SqlBackend.layer(options), client({ settings, connections }))), (context) =>
    Context.get(context, CacheBackend)
  )

const administrator = Effect.map(Layer.build(client()), (context) => Context.get(context, SqlClient))

const together = <A, E, R>(effects: Iterable<Effect.Effect<A, E, R>>) =>
  Effect.all([...effects], { concurrency: "unbounded" })

/** What fails at the first fails at the second, too. */
const levels = whole ? ["repeatable read", "serializable"] : ["serializable"]

describe.each(levels)("default_transaction_isolation = %s", (level) => {
  const settings = { default_transaction_isolation: level }

  it.scopedLive("100 layers that start at once, 20 of them with pools of their own, find or create the table", () =>
    Effect.gen(function* () {
      const table = freshTable()
      const clients = yield* together(
        Array.from({ length: 20 }, () => Layer.build(client({ settings, connections: 2 })))
      )
      const start = (context: Context.Context<SqlClient>) =>
        Effect.either(
          Effect.scoped(
            Layer.build(Layer.provide(SqlBackend.layer({ table, timeout: "1 minute" }), Layer.succeedContext(context)))
          )
        )
      const started = yield* together([1, 2, 3, 4, 5].flatMap(() => clients.map(start)))
      expect(started.filter((result) => result._tag === "Left")).toEqual([])
    })
  )

  it.scopedLive("200 increments from four pools all count, and none fails", () =>
    Effect.gen(function* () {
      const table = freshTable()
      const caches = yield* Effect.forEach([1, 2, 3, 4], () => backendOn(settings, { table, timeout: "1 minute" }))
      for (const cache of caches.slice(0, 1)) yield* cache.set("counter", 0, { ttl: "1 hour" })
      const increments = Array.from({ length: 50 }, () =>
        caches.map((cache) => Effect.either(cache.increment("counter")))
      )
      const results = yield* together(increments.flat())
      expect(results.filter((result) => result._tag === "Left")).toEqual([])
      expect(yield* caches[1]?.get("counter") ?? Effect.void).toMatchObject({ value: 200 })
    })
  )

  /** As many processes: one pool would send what is asked at the same time together. */
  const twenty = (table: string) =>
    together(Array.from({ length: 20 }, () => backendOn(settings, { table, timeout: "1 minute" })))

  it.scopedLive("200 invalidations from 20 pools all succeed", () =>
    Effect.gen(function* () {
      const caches = yield* twenty(freshTable())
      const rounds = (cache: CacheBackend["Type"]) =>
        Effect.forEach(Array.from({ length: 10 }), (_, round) =>
          Effect.gen(function* () {
            const key = `key ${round % 2}`
            yield* cache.set(key, round, { ttl: "1 hour", groups: ["all"] })
            const results = [
              yield* Effect.either(cache.delete(key)),
              yield* Effect.either(cache.invalidateGroup("all"))
            ]
            return results.filter((result) => result._tag === "Left")
          })
        )
      const failed = yield* together(caches.map(rounds))
      expect(failed.flat(2)).toEqual([])
    })
  )

  it.scopedLive("20 cold keys cost 20 computations, whichever of 20 pools asks", () =>
    Effect.gen(function* () {
      const caches = yield* twenty(freshTable())
      let computed = 0
      const slow = cached(
        (id: number) =>
          Effect.delay(
            Effect.sync(() => {
              computed++
              return id
            }),
            "50 millis"
          ),
        { key: "slow", ttl: "1 hour", groups: ["slow"] }
      )
      yield* together(
        caches.map((cache) =>
          Effect.forEach(
            Array.from({ length: 20 }, (_, id) => id),
            (id) => Effect.provideService(slow(id), CacheBackend, cache)
          )
        )
      )
      expect(computed).toBe(20)
    })
  )
})

describe("lock_timeout", () => {
  it.scopedLive("of 20 ms: 80 layers wait for a table that another process is creating", () =>
    Effect.gen(function* () {
      const table = freshTable()
      const clients = yield* together(
        Array.from({ length: 20 }, () => Layer.build(client({ settings: { lock_timeout: "20ms" }, connections: 4 })))
      )
      const sql = yield* administrator
      const [schema] = yield* sql<{ readonly name: string }>`SELECT current_schema() AS name`
      // the lock of those who create it
      const held = yield* heldTransaction(
        sql,
        sql`SELECT pg_advisory_xact_lock(hashtextextended(${`create "${schema?.name}"."${table}"`}, 0))`
      )
      const starting = yield* Effect.forkScoped(
        together(
          [1, 2, 3, 4].flatMap(() =>
            clients.map((context) =>
              Effect.either(
                Effect.scoped(
                  Layer.build(
                    Layer.provide(SqlBackend.layer({ table, timeout: "1 minute" }), Layer.succeedContext(context))
                  )
                )
              )
            )
          )
        )
      )
      yield* Effect.sleep("300 millis")
      yield* held.end
      const started = yield* starting
      expect(started.filter((result) => result._tag === "Left")).toEqual([])
    })
  )

  it.scopedLive("whatever it is: a layer waits for the table as long as its own time-out, and says so", () =>
    Effect.gen(function* () {
      const table = freshTable()
      const sql = yield* administrator
      const [schema] = yield* sql<{ readonly name: string }>`SELECT current_schema() AS name`
      yield* heldTransaction(
        sql,
        sql`SELECT pg_advisory_xact_lock(hashtextextended(${`create "${schema?.name}"."${table}"`}, 0))`
      )
      for (const lock_timeout of ["20ms", "0"]) {
        const error = yield* Effect.flip(backendOn({ lock_timeout }, { table, timeout: "300 millis" }))
        expect(error).toMatchObject({ reason: "Timeout" })
      }
    })
  )

  it.scopedLive("of 20 ms: an invalidation waits for a transaction that holds its record", () =>
    Effect.gen(function* () {
      const table = freshTable()
      const cache = yield* backendOn({ lock_timeout: "20ms" }, { table, timeout: "1 minute" })
      yield* cache.set("a", 1, { ttl: "1 hour" })
      const sql = yield* administrator
      const held = yield* heldTransaction(sql, sql`SELECT key FROM ${sql(table)} FOR UPDATE`)
      const removing = yield* Effect.forkScoped(cache.delete("a"))
      yield* Effect.sleep("200 millis")
      yield* held.end
      expect(yield* removing).toBe(true)
    })
  )

  it.scopedLive("does not make the wait longer than the layer's own time-out", () =>
    Effect.gen(function* () {
      const table = freshTable()
      const cache = yield* backendOn({ lock_timeout: "20ms" }, { table, timeout: "300 millis" })
      yield* cache.set("a", 1, { ttl: "1 hour" })
      const sql = yield* administrator
      yield* heldTransaction(sql, sql`SELECT key FROM ${sql(table)} FOR UPDATE`)
      expect(yield* Effect.flip(cache.delete("a"))).toMatchObject({ reason: "Timeout" })
    })
  )
})

describe("idle_session_timeout", () => {
  it.scopedLive("a statement that is sent to a session which has just ended is sent again, on another connection", () =>
    Effect.gen(function* () {
      const cache = yield* backendOn({ idle_session_timeout: "200ms" }, { table: freshTable(), timeout: "1 minute" }, 1)
      for (let round = 0; round < 2; round++) {
        yield* cache.set("key", round)
        // What the server says when it ends the session lies in the socket while the process is busy.
        blockedFor(500)
        expect(yield* cache.increment("key")).toBe(round + 1)
        blockedFor(500)
        expect(yield* cache.get("key")).toMatchObject({ value: round + 1 })
      }
      expect((yield* cache.stats).storeErrors).toBe(0)
    })
  )
})
