import { describe, expect, it } from "@effect/vitest"
import { Duration, Effect } from "effect"
import { countOf } from "../../suites/sql/ground.js"
import { purgeTests } from "../../suites/sql/purge.js"
import { until } from "../../support/until.js"
import { heldTransaction, key, record, sqlite, text, twoStores } from "./support.js"

describe("the purge on SQLite", () => {
  purgeTests(sqlite())

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
      expect(yield* until(countOf(sql, "cache"), (count) => count <= 100)).toBe(100)
      yield* cache.clear
      yield* cache.write(items(100, "for ever", Number.POSITIVE_INFINITY))
      yield* cache.write(items(100, "later", 600_000))
      expect(yield* until(countOf(sql, "cache"), (count) => count <= 100)).toBe(100)
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
      const items = [
        { key: key("short"), record: record("x", 1) },
        { key: key("long"), record: record("y") }
      ]
      const held = yield* heldTransaction(otherSql, other.write(items))
      yield* Effect.sleep("150 millis")
      yield* held.end
      expect(yield* until(countOf(sql, "cache"), (count) => count === 1)).toBe(1)
      expect((yield* cache.read(items.map((item) => item.key))).map(text)).toEqual([undefined, "y"])
    })
  )
})
