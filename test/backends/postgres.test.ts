import { randomUUID } from "node:crypto"
import { SqlClient } from "@effect/sql/SqlClient"
import { describe, expect, it } from "@effect/vitest"
import { Config, ConfigProvider, Effect, Layer, Option } from "effect"
import { CacheBackend, cached, invalidateGroup } from "effect-cached"
import * as SqlBackend from "effect-cached/SqlBackend"
import { cacheBackendSuite } from "effect-cached/testing"
import { client, freshTable } from "../stores/postgres/support.js"
import { cachedSuite } from "../suites/cachedSuite.js"

for (const connections of [1, 2, 10]) {
  const table = freshTable()
  const backend = () =>
    SqlBackend.layer({ table, namespace: randomUUID() }).pipe(Layer.provide(client({ connections })))
  const [mine, neighbour] = [backend(), backend()]
  cacheBackendSuite(`SqlBackend, connections: ${connections}`, mine, { shared: true, neighbour })
  cachedSuite(`cached on PostgreSQL, connections: ${connections}`, mine, { shared: true })
}

describe("SqlBackend", () => {
  const table = freshTable()
  const pool = client({ connections: 4 })
  const both = Layer.merge(pool, Layer.provide(SqlBackend.layer({ table }), pool))

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

  it.scopedLive("garbage and formats of the future are misses, and are overwritten", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      let computed = 0
      const count = cached(
        Effect.sync(() => ++computed),
        { key: "poison", ttl: "1 hour" }
      )
      expect(yield* count).toBe(1)
      for (const poison of ["00", "ff00ff", "", "7b226122", "00".repeat(300)]) {
        const before = computed
        yield* sql`UPDATE ${sql(table)} SET value = decode(${poison}, 'hex') WHERE key LIKE '%poison%'`
        expect(yield* count).toBe(before + 1)
        expect(yield* count).toBe(before + 1)
      }
    }).pipe(Effect.provide(both))
  )

  it.effect("takes its options from a Config", () =>
    Effect.gen(function* () {
      const backend = SqlBackend.layerConfig({
        table: Config.string("CACHE_TABLE"),
        maxEntries: Config.integer("CACHE_ENTRIES")
      })
      const program = Effect.gen(function* () {
        const cache = yield* CacheBackend
        yield* cache.set("a", 1)
        return yield* cache.get("a")
      })
      const withTable = (name: string) =>
        Effect.provide(program, Layer.provide(backend, pool)).pipe(
          Effect.withConfigProvider(
            ConfigProvider.fromMap(
              new Map([
                ["CACHE_TABLE", name],
                ["CACHE_ENTRIES", "100"]
              ])
            )
          )
        )
      expect(yield* withTable(freshTable())).toEqual(Option.some(1))
      expect(yield* Effect.flip(withTable(`"; DROP TABLE x`))).toMatchObject({ reason: "InvalidOption" })
    })
  )

  it.effect("refuses bounds that are none", () =>
    Effect.gen(function* () {
      for (const options of [{ maxEntries: 0 }, { purgeEvery: 0 }, { timeout: Number.NaN }, { table: "a-b" }]) {
        const error = yield* Effect.flip(Effect.scoped(Layer.build(Layer.provide(SqlBackend.layer(options), pool))))
        expect(error).toMatchObject({ reason: "InvalidOption" })
      }
    })
  )
})
