/** The SQL backend as a program sees it, on either database. */
import { SqlClient } from "@effect/sql/SqlClient"
import { expect, it } from "@effect/vitest"
import { Config, ConfigProvider, Effect, Layer, Option } from "effect"
import { CacheBackend, cached, invalidateGroup, MemoryBackend } from "effect-cached"
import * as SqlBackend from "effect-cached/SqlBackend"
import { clientOn, type Database } from "./ground.js"

export const backendTests = (database: Database): void => {
  /** A client, a table that nobody else uses, and a layer on both. */
  const ground = Effect.gen(function* () {
    const place = yield* database.place
    const sql = yield* clientOn(place)
    const client = Layer.succeed(SqlClient, sql)
    const { table } = place
    return { client, sql, table, context: yield* Layer.build(Layer.provide(SqlBackend.layer({ table }), client)) }
  })

  it.scopedLive("what a transaction does to the cache takes effect with its commit", () =>
    Effect.gen(function* () {
      const { context, sql } = yield* ground
      const program = Effect.gen(function* () {
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
      })
      yield* Effect.provide(program, context)
    })
  )

  for (const [name, another] of [
    ["this backend", undefined],
    ["another backend", MemoryBackend.layer()]
  ] as const) {
    it.scopedLive(`what is computed inside a transaction is not stored, in ${name}`, () =>
      Effect.gen(function* () {
        const { context, sql, table } = yield* ground
        const city = sql(`${table}_city`)
        yield* sql`CREATE TABLE ${city} (population INTEGER)`
        yield* sql`INSERT INTO ${city} VALUES (1)`
        const population = cached(
          Effect.map(
            sql<{ readonly population: number }>`SELECT population FROM ${city}`,
            (rows) => rows[0]?.population
          ),
          { key: "population", ttl: "1 hour" }
        )
        const program = Effect.gen(function* () {
          yield* Effect.ignore(
            sql.withTransaction(
              Effect.gen(function* () {
                yield* sql`UPDATE ${city} SET population = 2`
                expect(yield* population).toBe(2)
                return yield* Effect.fail("rolled back")
              })
            )
          )
          expect(yield* population).toBe(1)
          yield* sql.withTransaction(
            Effect.gen(function* () {
              yield* sql`UPDATE ${city} SET population = 3`
              yield* population.invalidate
              expect(yield* population).toBe(3)
            })
          )
          expect(yield* population).toBe(3)
        })
        yield* Effect.provide(program, another === undefined ? context : yield* Layer.build(another))
      })
    )
  }

  it.scopedLive("garbage and formats of the future are misses, and are overwritten", () =>
    Effect.gen(function* () {
      const { context, sql, table } = yield* ground
      let computed = 0
      const count = Effect.provide(
        cached(
          Effect.sync(() => ++computed),
          { key: "poison", ttl: "1 hour" }
        ),
        context
      )
      expect(yield* count).toBe(1)
      for (const poison of database.poison) {
        const before = computed
        yield* sql`UPDATE ${sql(table)} SET value = ${sql.literal(poison)} WHERE key LIKE '%poison%'`
        expect(yield* count).toBe(before + 1)
        expect(yield* count).toBe(before + 1)
      }
    })
  )

  it.scopedLive("takes its options from a Config", () =>
    Effect.gen(function* () {
      const { client, table } = yield* ground
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
        Effect.provide(program, Layer.provide(backend, client)).pipe(
          Effect.withConfigProvider(
            ConfigProvider.fromMap(
              new Map([
                ["CACHE_TABLE", name],
                ["CACHE_ENTRIES", "100"]
              ])
            )
          )
        )
      expect(yield* withTable(`${table}_config`)).toEqual(Option.some(1))
      expect(yield* Effect.flip(withTable(`"; DROP TABLE x`))).toMatchObject({ reason: "InvalidOption" })
    })
  )

  it.scopedLive("refuses bounds that are none", () =>
    Effect.gen(function* () {
      const { client } = yield* ground
      for (const options of [{ maxEntries: 0 }, { purgeEvery: 0 }, { timeout: Number.NaN }, { table: "a-b" }]) {
        const error = yield* Effect.flip(Effect.scoped(Layer.build(Layer.provide(SqlBackend.layer(options), client))))
        expect(error).toMatchObject({ reason: "InvalidOption" })
      }
    })
  )
}
