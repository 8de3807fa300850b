/** Faults that last until somebody mends them: told once a minute, and no call asks the store in vain. */
import { SqlClient } from "@effect/sql/SqlClient"
import * as PgClient from "@effect/sql-pg/PgClient"
import { describe, expect, it } from "@effect/vitest"
import { Context, Effect, Layer, Option, Redacted, type Scope } from "effect"
import { CacheBackend, cached } from "effect-cached"
import * as SqlBackend from "effect-cached/SqlBackend"
import { until } from "../../support/until.js"
import { warned } from "../../support/warned.js"
import { client, freshTable, url } from "./support.js"

const administrator = Effect.map(Layer.build(client()), (context) => Context.get(context, SqlClient))

let roles = 0

/** A role that may do everything with its tables, and a URL for it. */
const ownRole = (sql: SqlClient) =>
  Effect.acquireRelease(
    Effect.gen(function* () {
      const name = `role_${process.pid}_${Date.now().toString(36)}_${roles++}`
      yield* sql.unsafe(`CREATE ROLE ${name} LOGIN PASSWORD 'secret'`)
      yield* sql.unsafe(`GRANT CREATE, USAGE ON SCHEMA public TO ${name}`)
      const address = new URL(url())
      address.username = name
      address.password = "secret"
      return { name, url: address.href }
    }),
    ({ name }) => Effect.ignore(sql.unsafe(`DROP OWNED BY ${name} CASCADE; DROP ROLE ${name}`))
  )

/** As after a failover: the next statement has a session with the new settings. */
const endSessions = (sql: SqlClient, role: string) =>
  sql`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = ${role}`

const backend = (
  at: string,
  options: SqlBackend.SqlBackendOptions
): Effect.Effect<CacheBackend["Type"], unknown, Scope.Scope> =>
  Effect.map(
    Layer.build(
      Layer.provide(SqlBackend.layer(options), PgClient.layer({ url: Redacted.make(at), maxConnections: 3 }))
    ),
    (context) => Context.get(context, CacheBackend)
  )

const doubled = cached((n: number) => Effect.sync(() => 2 * n), { key: "doubled", ttl: "1 hour" })

/** So many calls, each under a key of its own: all of them get their value. */
const calls = (cache: CacheBackend["Type"], from: number, count: number) =>
  Effect.forEach(
    Array.from({ length: count }, (_, index) => from + index),
    (n) => Effect.map(Effect.provideService(doubled(n), CacheBackend, cache), (value) => expect(value).toBe(2 * n)),
    { discard: true }
  )

const isHit = (cache: CacheBackend["Type"], key: string) =>
  Effect.map(Effect.option(cache.get(key)), (found) => Option.isSome(Option.flatten(found)))

const breaker = { retryAfter: "100 millis" } as const

describe("a fault that lasts", () => {
  it.scopedLive("a table that was dropped: 200 calls warn a few times in all, and it works again when it is back", () =>
    Effect.gen(function* () {
      const { layer, lines } = warned()
      yield* Effect.gen(function* () {
        const sql = yield* administrator
        const table = freshTable()
        const cache = yield* backend(url(), { table, breaker })
        yield* cache.set("kept", 1, { ttl: "1 hour" })
        yield* calls(cache, 0, 5)
        yield* sql`DROP TABLE ${sql(table)}`
        yield* calls(cache, 0, 200)
        expect(lines.length).toBeGreaterThan(0)
        expect(lines.length).toBeLessThan(8)
        expect(lines.join("\n")).toContain("create the table again")
        yield* sql.unsafe(yield* SqlBackend.printDefinition({ table }))
        yield* until(Effect.option(cache.set("kept", 2, { ttl: "1 hour" })), Option.isSome)
        expect(yield* cache.get("kept")).toEqual(Option.some(2))
        yield* calls(cache, 0, 5)
        const { hits } = yield* cache.stats
        yield* calls(cache, 0, 5)
        expect((yield* cache.stats).hits).toBe(hits + 5)
      }).pipe(Effect.provide(layer))
    })
  )

  it.scopedLive("a database that is read-only: the same, and it says so", () =>
    Effect.gen(function* () {
      const { layer, lines } = warned()
      yield* Effect.gen(function* () {
        const sql = yield* administrator
        const role = yield* ownRole(sql)
        const table = freshTable()
        const cache = yield* backend(role.url, { table, breaker })
        yield* cache.set("kept", 1, { ttl: "1 hour" })
        yield* sql.unsafe(`ALTER ROLE ${role.name} SET default_transaction_read_only = on`)
        yield* endSessions(sql, role.name)
        yield* calls(cache, 0, 200)
        expect(lines.length).toBeGreaterThan(0)
        expect(lines.length).toBeLessThan(8)
        expect(lines.join("\n")).toContain("default_transaction_read_only")
        expect(yield* Effect.flip(cache.delete("kept"))).toMatchObject({ _tag: "CacheError" })
        yield* sql.unsafe(`ALTER ROLE ${role.name} RESET default_transaction_read_only`)
        yield* endSessions(sql, role.name)
        yield* until(isHit(cache, "kept"), (hit) => hit)
        yield* until(Effect.option(cache.delete("kept")), Option.isSome)
      }).pipe(Effect.provide(layer))
    })
  )

  it.scopedLive("no right to insert: hits go on, removals work, and it stores again once it may", () =>
    Effect.gen(function* () {
      const { layer, lines } = warned()
      yield* Effect.gen(function* () {
        const sql = yield* administrator
        const role = yield* ownRole(sql)
        const table = freshTable()
        yield* sql.unsafe(yield* SqlBackend.printDefinition({ table }))
        yield* sql.unsafe(`GRANT ALL ON ${table} TO ${role.name}`)
        const cache = yield* backend(role.url, { table, breaker })
        yield* cache.set("kept", 1, { ttl: "1 hour" })
        yield* cache.set("removed", 1, { ttl: "1 hour", groups: ["group"] })
        yield* sql.unsafe(`REVOKE INSERT ON ${table} FROM ${role.name}`)
        for (let round = 0; round < 50; round++) {
          yield* calls(cache, 4 * round, 4)
          expect(yield* cache.get("kept")).toEqual(Option.some(1))
        }
        expect(lines.length).toBeGreaterThan(0)
        expect(lines.length).toBeLessThan(8)
        expect(lines.join("\n")).toContain("what it has is served, nothing new is stored")
        yield* cache.invalidateGroup("group")
        expect(yield* cache.get("removed")).toEqual(Option.none())
        expect(yield* cache.delete("kept")).toBe(true)
        yield* sql.unsafe(`GRANT INSERT ON ${table} TO ${role.name}`)
        yield* until(Effect.option(cache.set("kept", 2, { ttl: "1 hour" })), Option.isSome)
        expect(yield* cache.get("kept")).toEqual(Option.some(2))
      }).pipe(Effect.provide(layer))
    })
  )

  for (const [what, break_, advice] of [
    [
      "without the right to delete",
      (table: string, role: string) => `REVOKE DELETE ON ${table} FROM ${role}`,
      "grant the role of the cache SELECT, INSERT, UPDATE and DELETE"
    ],
    [
      "under a statement_timeout that is too short for it",
      (table: string) => `
        CREATE FUNCTION ${table}_slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(1); RETURN OLD; END';
        CREATE TRIGGER slow BEFORE DELETE ON ${table} FOR EACH ROW EXECUTE FUNCTION ${table}_slow()`,
      "statement_timeout"
    ]
  ] as const) {
    it.scopedLive(`a purge ${what}: one warning a minute, which says what to do`, () =>
      Effect.gen(function* () {
        const { layer, lines } = warned()
        yield* Effect.gen(function* () {
          const sql = yield* administrator
          const role = yield* ownRole(sql)
          yield* sql.unsafe(`ALTER ROLE ${role.name} SET statement_timeout = '200ms'`)
          const table = freshTable()
          yield* sql.unsafe(yield* SqlBackend.printDefinition({ table }))
          yield* sql.unsafe(`GRANT ALL ON ${table} TO ${role.name}; ${break_(table, role.name)}`)
          const cache = yield* backend(role.url, { table, purgeEvery: "30 millis" })
          yield* cache.set("expires", 1, { ttl: 1 })
          const purges = Effect.sync(() => lines.filter((line) => line.includes("purge")))
          const [line] = yield* until(purges, (seen) => seen.length > 0)
          expect(line).toContain(advice)
          yield* Effect.sleep("500 millis")
          expect(yield* purges).toHaveLength(1)
        }).pipe(Effect.provide(layer))
      })
    )
  }
})
