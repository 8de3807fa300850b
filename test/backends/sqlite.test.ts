import { randomUUID } from "node:crypto"
import { SqlClient } from "@effect/sql/SqlClient"
import * as LibsqlClient from "@effect/sql-libsql/LibsqlClient"
import { describe, expect, it } from "@effect/vitest"
import { Context, Effect, Layer, Option } from "effect"
import { CacheBackend, cached, invalidateGroup, MemoryBackend } from "effect-cached"
import * as SqlBackend from "effect-cached/SqlBackend"
import { cacheBackendSuite } from "effect-cached/testing"
import { afterAll, beforeAll } from "vitest"
import { freshFile, newFile, ownFile } from "../stores/sqlite/support.js"
import { cachedSuite } from "../suites/cachedSuite.js"

for (const mode of ["WAL", "DELETE"] as const) {
  const { create, remove, url } = newFile(mode)
  beforeAll(() => Effect.runPromise(create))
  afterAll(() => Effect.runPromise(remove))
  // each layer has a client of its own, as another process would
  const backend = () => Layer.provide(SqlBackend.layer({ namespace: randomUUID() }), LibsqlClient.layer({ url }))
  const [mine, neighbour] = [backend(), backend()]
  cacheBackendSuite(`SqlBackend on SQLite, ${mode}`, mine, { shared: true, neighbour })
  if (mode === "WAL") cachedSuite("cached on SQLite", mine, { shared: true })
}

describe("SqlBackend on SQLite", () => {
  const both = Layer.provideMerge(SqlBackend.layer(), ownFile)

  it.scopedLive("what a transaction does to the cache takes effect with its commit", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const cache = yield* CacheBackend
      let computed = 0
      const count = cached(
        Effect.sync(() => ++computed),
        { key: "count", ttl: "1 hour", groups: ["counts"] }
      )
      expect(yield* count).toBe(1)
      expect(yield* count).toBe(1)
      yield* Effect.ignore(
        sql.withTransaction(
          Effect.gen(function* () {
            yield* count.invalidate
            yield* invalidateGroup("counts")
            yield* cache.set("other", "x")
            return yield* Effect.fail("rolled back")
          })
        )
      )
      expect(yield* count).toBe(1)
      expect(yield* cache.has("other")).toBe(false)
      yield* sql.withTransaction(count.invalidate)
      expect(yield* count).toBe(2)
      yield* sql.withTransaction(invalidateGroup("counts"))
      expect(yield* count).toBe(3)
      yield* sql.withTransaction(cache.set("other", "y"))
      expect(yield* cache.get("other")).toEqual(Option.some("y"))
      yield* sql.withTransaction(cache.clear)
      expect(yield* count).toBe(4)
      expect(yield* count).toBe(4)
    }).pipe(Effect.provide(both))
  )

  for (const [name, backend] of [
    ["this backend", SqlBackend.layer()],
    ["another backend", MemoryBackend.layer()]
  ] as const) {
    it.scopedLive(`what is computed inside a transaction is not stored, in ${name}`, () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient
        yield* sql`CREATE TABLE city (population INTEGER)`
        yield* sql`INSERT INTO city VALUES (1)`
        const population = cached(
          Effect.map(sql<{ readonly population: number }>`SELECT population FROM city`, (rows) => rows[0]?.population),
          { key: "population", ttl: "1 hour" }
        )
        yield* Effect.ignore(
          sql.withTransaction(
            Effect.gen(function* () {
              yield* sql`UPDATE city SET population = 2`
              expect(yield* population).toBe(2)
              return yield* Effect.fail("rolled back")
            })
          )
        )
        expect(yield* population).toBe(1)
        yield* sql.withTransaction(
          Effect.gen(function* () {
            yield* sql`UPDATE city SET population = 3`
            yield* population.invalidate
            expect(yield* population).toBe(3)
          })
        )
        expect(yield* population).toBe(3)
      }).pipe(Effect.provide(Layer.provideMerge(backend, ownFile)))
    )
  }

  it.scopedLive("garbage and formats of the future are misses, and are overwritten", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      let computed = 0
      const count = cached(
        Effect.sync(() => ++computed),
        { key: "poison", ttl: "1 hour" }
      )
      expect(yield* count).toBe(1)
      for (const poison of [
        "x'00'",
        "x'ff00ff'",
        "x''",
        "x'7b226122'",
        "zeroblob(300)",
        "'text'",
        "1e300",
        "9007199254740993"
      ]) {
        const before = computed
        yield* sql.unsafe(`UPDATE effect_cache SET value = ${poison} WHERE key LIKE '%poison%'`)
        expect(yield* count).toBe(before + 1)
        expect(yield* count).toBe(before + 1)
      }
    }).pipe(Effect.provide(both))
  )

  it.scopedLive("refuses what is no file that all connections share, and tables in other schemas", () =>
    Effect.gen(function* () {
      const refusal = (url: string, table = "cache") =>
        Effect.scoped(Layer.build(Layer.provide(SqlBackend.layer({ table }), LibsqlClient.layer({ url })))).pipe(
          Effect.flip
        )
      const file = yield* freshFile()
      for (const [url, table] of [
        [":memory:"],
        ["file::memory:?cache=shared"],
        ["http://127.0.0.1:1"],
        [file, "temp.cache"],
        [file, `"; DROP TABLE x`],
        [file, "a-b"]
      ] as const) {
        expect([url, table, yield* refusal(url, table)]).toMatchObject([url, table, { reason: "InvalidOption" }])
      }
    })
  )

  for (const [what, properties] of [
    ["whose driver it does not know", { sdk: undefined }],
    ["that works on a replica", { config: { syncUrl: "http://127.0.0.1:1" } }]
  ] as const) {
    it.scopedLive(`refuses a client of SQLite ${what}`, () =>
      Effect.gen(function* () {
        const sql = Object.assign(Context.get(yield* Layer.build(ownFile), SqlClient), properties)
        const error = yield* SqlBackend.layer().pipe(
          Layer.provide(Layer.succeed(SqlClient, sql)),
          Layer.build,
          Effect.scoped,
          Effect.flip
        )
        expect(error).toMatchObject({ reason: "InvalidOption" })
      })
    )
  }
})
