import type { SqlClient } from "@effect/sql/SqlClient"
import { describe, expect, it } from "@effect/vitest"
import { Duration, Effect, Exit, Option, Schedule, Scope } from "effect"
import { key, record, text } from "../sql/records.js"
import { clientOn, freshFile, heldTransaction, store, twoStores } from "./support.js"

describe("the purge on SQLite", () => {
  const countOf = (sql: SqlClient) =>
    Effect.map(sql<{ readonly n: number }>`SELECT count(*) AS n FROM cache`, (rows) => rows[0]?.n ?? 0)
  const until = (sql: SqlClient, expected: (count: number) => boolean) =>
    Effect.repeat(countOf(sql), {
      until: expected,
      schedule: Schedule.intersect(Schedule.spaced("20 millis"), Schedule.recurs(200))
    }).pipe(Effect.zipRight(countOf(sql)))

  it.scopedLive("several at once remove all that has expired and nothing else", () =>
    Effect.gen(function* () {
      const { cache, other, sql } = yield* twoStores({ purgeEvery: Duration.millis(20) })
      const items = Array.from({ length: 5_000 }, (_, index) => ({
        key: key(index),
        record: record("x", index % 10 === 0 ? 60_000 : 30)
      }))
      yield* cache.write(items)
      expect(yield* until(sql, (count) => count <= 500)).toBe(500)
      expect((yield* other.read([key(0), key(4_990)])).map(text)).toEqual(["x", "x"])
      const entries = Effect.map(cache.size ?? Effect.succeed(undefined), (size) => size?.entries)
      yield* Effect.repeat(entries, { until: (found) => found?._tag === "Some" && found.value === 500 })
    })
  )

  it.scopedLive("never removes a record that was renewed in between", () =>
    Effect.gen(function* () {
      const { cache } = yield* twoStores({ purgeEvery: Duration.millis(1) })
      for (let round = 0; round < 300; round++) {
        yield* cache.write([{ key: key(1), record: record("short", 1) }])
        yield* cache.write([{ key: key(1), record: record(`${round}`) }])
        yield* Effect.sleep("1 millis")
        expect((yield* cache.read([key(1)])).map(text)).toEqual([`${round}`])
      }
    })
  )

  it.scopedLive("holds maxEntries within 10 %, sparing leases", () =>
    Effect.gen(function* () {
      const { cache, other, sql } = yield* twoStores({ maxEntries: 2_000 })
      const caches = [cache, other]
      const claim = yield* cache.add(key("lease"), record("lease", 30_000))
      let most = 0
      for (let round = 0; round < 80; round++) {
        yield* Effect.forEach(
          caches,
          (each, index) =>
            each.write(
              Array.from({ length: 50 }, (_, item) => ({
                key: key(`${index}:${round}:${item}`),
                record: record("x", 120_000 + round * 1_000)
              }))
            ),
          { concurrency: "unbounded" }
        )
        if (round % 5 === 4) {
          yield* Effect.sleep("20 millis")
          most = Math.max(most, yield* countOf(sql))
        }
      }
      expect(most).toBeLessThanOrEqual(2_200)
      expect(yield* until(sql, (count) => count <= 2_020)).toBeGreaterThanOrEqual(1_800)
      // the newest are there, and so is the lease
      expect((yield* cache.read([key("0:79:0")])).map(text)).toEqual(["x"])
      expect(Option.isSome(yield* cache.replace(key("lease"), Option.getOrThrow(claim), record("value")))).toBe(true)
      const size = cache.size === undefined ? undefined : yield* cache.size
      expect(Option.getOrElse(size?.entries ?? Option.none(), () => 0)).toBeGreaterThan(1_800)
      expect(Option.getOrElse(size?.evictions ?? Option.none(), () => 0)).toBeGreaterThan(0)
    })
  )

  it.scopedLive("takes records that end soon where there are no others, and those without an end last", () =>
    Effect.gen(function* () {
      const { cache, sql } = yield* twoStores({ maxEntries: 100, purgeEvery: Duration.millis(20) })
      const items = (count: number, name: string, lifetime: number) =>
        Array.from({ length: count }, (_, index) => ({ key: key(`${name}${index}`), record: record("x", lifetime) }))
      yield* cache.write(items(300, "soon", 30_000))
      expect(yield* until(sql, (count) => count <= 100)).toBe(100)
      yield* cache.clear
      yield* cache.write(items(100, "for ever", Number.POSITIVE_INFINITY))
      yield* cache.write(items(100, "later", 600_000))
      expect(yield* until(sql, (count) => count <= 100)).toBe(100)
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
      expect(yield* until(sql, (count) => count === 0)).toBe(0)
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
