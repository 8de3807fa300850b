import type { SqlClient } from "@effect/sql/SqlClient"
import { describe, expect, it } from "@effect/vitest"
import { Duration, Effect, Exit, Scope } from "effect"
import type { SqlStoreOptions } from "../../../src/internal/stores/sql/SqlStore.js"
import { purgeCases, until } from "../../suites/sql/purge.js"
import { key, record } from "../../suites/sql/records.js"
import { clientOn, freshFile, heldTransaction, store, twoStores } from "./support.js"

describe("the purge on SQLite", () => {
  const countOf = (sql: SqlClient) =>
    Effect.map(sql<{ readonly n: number }>`SELECT count(*) AS n FROM cache`, (rows) => rows[0]?.n ?? 0)
  const ground = (options: Partial<SqlStoreOptions>) =>
    Effect.map(twoStores(options), ({ cache, other, sql }) => ({ cache, other, count: countOf(sql) }))
  for (const [name, promise] of Object.entries(purgeCases(ground))) it.scopedLive(name, () => promise)

  it.scopedLive("tells how many entries there are", () =>
    Effect.gen(function* () {
      const { cache } = yield* twoStores({ purgeEvery: Duration.millis(20) })
      yield* cache.write(Array.from({ length: 500 }, (_, index) => ({ key: key(index), record: record("x") })))
      const entries = Effect.map(cache.size ?? Effect.succeed(undefined), (size) => size?.entries)
      yield* Effect.repeat(entries, { until: (found) => found?._tag === "Some" && found.value === 500 })
    })
  )

  it.scopedLive("takes records that end soon where there are no others, and those without an end last", () =>
    Effect.gen(function* () {
      const { cache, sql } = yield* twoStores({ maxEntries: 100, purgeEvery: Duration.millis(20) })
      const items = (count: number, name: string, lifetime: number) =>
        Array.from({ length: count }, (_, index) => ({ key: key(`${name}${index}`), record: record("x", lifetime) }))
      yield* cache.write(items(300, "soon", 30_000))
      expect(yield* until(countOf(sql), (count) => count <= 100)).toBe(100)
      yield* cache.clear
      yield* cache.write(items(100, "for ever", Number.POSITIVE_INFINITY))
      yield* cache.write(items(100, "later", 600_000))
      expect(yield* until(countOf(sql), (count) => count <= 100)).toBe(100)
      const left = yield* cache.read(items(100, "for ever", 0).map((item) => item.key))
      expect(left.filter((stored) => stored !== undefined).length).toBe(100)
    })
  )

  it.scopedLive("goes on after a transaction kept it out", () =>
    Effect.gen(function* () {
      const { cache, other, otherSql, sql } = yield* twoStores({
        purgeEvery: Duration.millis(10),
        timeout: Duration.millis(30)
      })
      yield* cache.write([{ key: key(1), record: record("x", 50) }])
      const held = yield* heldTransaction(otherSql, other.remove([key(2)]))
      yield* Effect.sleep("150 millis")
      expect(yield* countOf(sql).pipe(Effect.timeout("1 second"))).toBe(1)
      yield* held.end
      expect(yield* until(countOf(sql), (count) => count === 0)).toBe(0)
    })
  )

  it.scopedLive("stops with its layer", () =>
    Effect.gen(function* () {
      const sql = yield* Effect.flatMap(freshFile(), clientOn)
      const scope = yield* Scope.make()
      yield* Scope.extend(store(sql, { purgeEvery: Duration.millis(10) }), scope)
      yield* Scope.close(scope, Exit.void)
      const next = yield* store(sql)
      yield* next.write([{ key: key(1), record: record("x", 1) }])
      yield* Effect.sleep("100 millis")
      expect(yield* countOf(sql)).toBe(1)
    })
  )
})
