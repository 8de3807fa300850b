/** The pool of the program, which the cache shares: who waits for a connection of it does not wait for the server. */
import { SqlClient } from "@effect/sql/SqlClient"
import * as PgClient from "@effect/sql-pg/PgClient"
import { describe, expect, it } from "@effect/vitest"
import { Context, Effect, Fiber, Layer, Metric, Option, Redacted } from "effect"
import { CacheBackend, cached } from "effect-cached"
import * as SqlBackend from "effect-cached/SqlBackend"
import { relayTo } from "../../servers/relay.js"
import { warned } from "../../support/warned.js"
import { client, freshTable, heldTransaction, url } from "./support.js"

const openBreakers = Effect.map(Metric.snapshot, (pairs) =>
  pairs
    .filter(({ metricKey }) => metricKey.name === "effect_cached_breaker_open")
    .filter(({ metricKey }) => metricKey.tags.some(({ value }) => value === "postgresql"))
    .reduce((sum, { metricState }) => sum + ("value" in metricState ? Number(metricState.value) : 0), 0)
)

const backendOn = (context: Context.Context<SqlClient>, options: SqlBackend.SqlBackendOptions) =>
  Effect.map(Layer.build(Layer.provide(SqlBackend.layer(options), Layer.succeedContext(context))), (built) =>
    Context.get(built, CacheBackend)
  )

describe("a pool of one connection", () => {
  it.scopedLive("is warned of when the layer is built", () =>
    Effect.gen(function* () {
      const { layer, lines } = warned()
      const start = (connections: number) =>
        Effect.provide(
          Effect.scoped(Layer.build(Layer.provide(SqlBackend.layer({ table: freshTable() }), client({ connections })))),
          layer
        )
      yield* start(2)
      expect(lines).toEqual([])
      yield* start(1)
      expect(lines).toHaveLength(1)
      expect(lines[0]).toContain("pool of one connection")
    })
  )

  it.scopedLive(
    "that a computation holds for longer than its lease: warned of once, no outage, and calls don't hang",
    () =>
      Effect.gen(function* () {
        const { layer, lines } = warned()
        yield* Effect.gen(function* () {
          const context = yield* Layer.build(client({ connections: 1 }))
          const sql = Context.get(context, SqlClient)
          const cache = yield* backendOn(context, { table: freshTable(), timeout: "300 millis" })
          yield* cache.set("hit", 1, { ttl: "1 hour" })
          const before = yield* openBreakers
          const slow = cached(sql.withTransaction(Effect.as(sql`SELECT pg_sleep(3)`, "value")), {
            key: "slow",
            ttl: "1 hour",
            lease: "400 millis"
          })
          const computing = yield* Effect.forkScoped(Effect.provideService(slow, CacheBackend, cache))
          yield* Effect.sleep("200 millis")
          const errors = yield* Effect.forEach(
            Array.from({ length: 6 }, (_, index) => index),
            () => Effect.flip(cache.get("hit")),
            { concurrency: "unbounded" }
          )
          for (const error of errors) {
            expect(error).toMatchObject({ reason: "Timeout" })
            expect(error.message).toContain("no free connection in the pool")
          }
          const quick = cached(Effect.succeed("computed"), { key: "quick", ttl: "1 hour" })
          expect(yield* Effect.provideService(quick, CacheBackend, cache)).toBe("computed")
          expect(yield* openBreakers).toBe(before)
          expect(yield* Fiber.join(computing)).toBe("value")
          const told = lines.filter((line) => line.includes("waited for a connection in vain"))
          expect(told).toHaveLength(1)
          expect(told[0]).toContain("Leases can't be renewed")
          expect(lines.join("\n")).not.toContain("did not answer")
          expect(yield* cache.get("hit")).toEqual(Option.some(1))
        }).pipe(Effect.provide(layer))
      })
  )

  for (const redactKeys of [false, true]) {
    it.scopedLive(`whose client has a connectTimeout of its own, redactKeys: ${redactKeys}: no outage either`, () =>
      Effect.gen(function* () {
        const context = yield* Layer.build(
          PgClient.layer({ url: Redacted.make(url()), maxConnections: 1, connectTimeout: "200 millis" })
        )
        const sql = Context.get(context, SqlClient)
        const cache = yield* backendOn(context, { table: freshTable(), breaker: { failures: 2 }, redactKeys })
        const before = yield* openBreakers
        const held = yield* heldTransaction(sql, Effect.void)
        for (let round = 0; round < 4; round++) {
          expect((yield* Effect.flip(cache.get("a"))).message).toContain("no free connection in the pool")
        }
        expect(yield* openBreakers).toBe(before)
        yield* held.end
        expect(yield* cache.get("a")).toEqual(Option.none())
      })
    )
  }

  it.scopedLive("does not shorten a statement's own time: it counts from when the statement has the connection", () =>
    Effect.gen(function* () {
      const context = yield* Layer.build(client({ connections: 1 }))
      const sql = Context.get(context, SqlClient)
      const table = freshTable()
      const cache = yield* backendOn(context, { table, timeout: "2 seconds" })
      yield* sql.unsafe(`
        CREATE FUNCTION ${table}_slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(1); RETURN NEW; END';
        CREATE TRIGGER slow BEFORE INSERT ON ${table} FOR EACH ROW EXECUTE FUNCTION ${table}_slow()`)
      const held = yield* heldTransaction(sql, Effect.void)
      const setting = yield* Effect.forkScoped(cache.set("a", 1, { ttl: "1 hour" }))
      yield* Effect.sleep("1500 millis")
      yield* held.end
      yield* Fiber.join(setting)
      expect(yield* cache.get("a")).toEqual(Option.some(1))
    })
  )

  it.scopedLive("to a server that does not answer: that is an outage, and opens the breaker", () =>
    Effect.gen(function* () {
      const { layer, lines } = warned()
      yield* Effect.gen(function* () {
        const address = new URL(url())
        const relay = yield* relayTo({ host: address.hostname, port: Number(address.port) })
        address.host = relay.address
        const context = yield* Layer.build(PgClient.layer({ url: Redacted.make(address.href), maxConnections: 2 }))
        const cache = yield* backendOn(context, {
          table: freshTable(),
          timeout: "300 millis",
          breaker: { failures: 2 }
        })
        yield* cache.set("hit", 1, { ttl: "1 hour" })
        const before = yield* openBreakers
        relay.swallow = true
        for (let round = 0; round < 4; round++) {
          expect((yield* Effect.flip(cache.get("hit"))).message).not.toContain("pool")
        }
        expect(yield* openBreakers).toBe(before + 1)
        expect(lines.join("\n")).not.toContain("pool")
        relay.swallow = false
        yield* relay.reset
      }).pipe(Effect.provide(layer))
    })
  )
})
