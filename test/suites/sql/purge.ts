/** The promises of the purge, on either database. */
import { expect, it } from "@effect/vitest"
import { Duration, Effect, Exit, Option, Scope } from "effect"
import { until } from "../../support/until.js"
import { clientOn, countOf, type Database, key, record, storeOn, text, twoStores } from "./ground.js"

export const purgeTests = (database: Database): void => {
  it.scopedLive("several at once remove all that has expired and nothing else", () =>
    Effect.gen(function* () {
      const { cache, other, sql, table } = yield* twoStores(database, { purgeEvery: Duration.millis(20) })
      const count = countOf(sql, table)
      const items = Array.from({ length: 5_000 }, (_, index) => ({
        key: key(index),
        record: record("x", index % 10 === 0 ? 60_000 : 30)
      }))
      yield* cache.write(items)
      expect(yield* until(count, (rows) => rows <= 500)).toBe(500)
      expect((yield* other.read([key(0), key(4_990)])).map(text)).toEqual(["x", "x"])
    })
  )

  it.scopedLive("never removes a record that was renewed in between", () =>
    Effect.gen(function* () {
      const { cache } = yield* twoStores(database, { purgeEvery: Duration.millis(1) })
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
      const { cache, other, sql, table } = yield* twoStores(database, { maxEntries: 2_000 })
      const count = countOf(sql, table)
      const lease = yield* cache.add(key("lease"), record("lease", 30_000))
      let most = 0
      for (let round = 0; round < 80; round++) {
        yield* Effect.forEach(
          [cache, other],
          (each, index) =>
            each.write(
              Array.from({ length: 50 }, (_, item) => ({
                key: key(`${index}:${round}:${item}`),
                record: record("x", 120_000 + round * 1_000)
              }))
            ),
          { concurrency: "unbounded" }
        )
        most = Math.max(most, yield* count)
      }
      expect(most).toBeLessThanOrEqual(2_200)
      expect(yield* until(count, (rows) => rows <= 2_020)).toBeGreaterThanOrEqual(1_800)
      // the newest are there, and so is the lease
      expect((yield* cache.read([key("0:79:0")])).map(text)).toEqual(["x"])
      expect(Option.isSome(yield* cache.replace(key("lease"), Option.getOrThrow(lease), record("value")))).toBe(true)
      const size = cache.size === undefined ? undefined : yield* cache.size
      expect(Option.isSome(size?.entries ?? Option.none())).toBe(true)
      expect(Option.getOrElse(size?.evictions ?? Option.none(), () => 0)).toBeGreaterThan(0)
    })
  )

  it.scopedLive("stops with its layer", () =>
    Effect.gen(function* () {
      const place = yield* database.place
      const sql = yield* clientOn(place)
      const scope = yield* Scope.make()
      const cache = yield* Scope.extend(storeOn(sql, place.table, { purgeEvery: Duration.millis(10) }), scope)
      yield* cache.write([{ key: key(1), record: record("x") }])
      yield* Scope.close(scope, Exit.void)
      const next = yield* storeOn(sql, place.table)
      yield* next.write([{ key: key(1), record: record("x", 1) }])
      yield* Effect.sleep("100 millis")
      expect(yield* countOf(sql, place.table)).toBe(1)
    })
  )
}
