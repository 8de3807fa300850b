import { SqlClient } from "@effect/sql/SqlClient"
import { expect, layer } from "@effect/vitest"
import { Duration, Effect, Exit, Fiber, Option, Schedule, Scope } from "effect"
import { client, freshTable, key, record, store, text } from "./support.js"

layer(client({ connections: 10 }), { excludeTestServices: true })("the purge", (it) => {
  const countOf = (table: string) =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const rows = yield* sql<{ readonly n: number }>`SELECT count(*)::int AS n FROM ${sql(table)}`
      return rows[0]?.n ?? 0
    })
  const until = (table: string, expected: (count: number) => boolean) =>
    Effect.repeat(countOf(table), {
      until: expected,
      schedule: Schedule.intersect(Schedule.spaced("20 millis"), Schedule.recurs(200))
    }).pipe(Effect.zipRight(countOf(table)))

  it.scoped("several at once remove all that has expired and nothing else", () =>
    Effect.gen(function* () {
      const table = freshTable()
      const caches = yield* Effect.forEach([1, 2, 3], () => store({ table, purgeEvery: Duration.millis(20) }))
      const [cache] = caches
      if (cache === undefined) return
      const items = Array.from({ length: 5_000 }, (_, index) => ({
        key: key(index),
        record: record("x", index % 10 === 0 ? 60_000 : 30)
      }))
      yield* cache.write(items)
      expect(yield* until(table, (count) => count <= 500)).toBe(500)
      expect((yield* cache.read([key(0), key(4_990)])).map(text)).toEqual(["x", "x"])
    })
  )

  it.scoped("never removes a record that was renewed in between", () =>
    Effect.gen(function* () {
      const table = freshTable()
      yield* Effect.forEach([1, 2], () => store({ table, purgeEvery: Duration.millis(1) }))
      const cache = yield* store({ table })
      for (let round = 0; round < 300; round++) {
        yield* cache.write([{ key: key(1), record: record("short", 1) }])
        yield* cache.write([{ key: key(1), record: record(`${round}`) }])
        yield* Effect.sleep("1 millis")
        expect((yield* cache.read([key(1)])).map(text)).toEqual([`${round}`])
      }
    })
  )

  it.scoped("holds maxEntries within 10 %, sparing leases", () =>
    Effect.gen(function* () {
      const table = freshTable()
      const caches = yield* Effect.forEach([1, 2], () => store({ table, maxEntries: 2_000 }))
      const [cache] = caches
      if (cache === undefined) return
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
          most = Math.max(most, yield* countOf(table))
        }
      }
      expect(most).toBeLessThanOrEqual(2_200)
      expect(yield* until(table, (count) => count <= 2_020)).toBeGreaterThanOrEqual(1_800)
      // the newest are there, and so is the lease
      expect((yield* cache.read([key("0:79:0")])).map(text)).toEqual(["x"])
      expect(Option.isSome(yield* cache.replace(key("lease"), Option.getOrThrow(claim), record("value")))).toBe(true)
      const size = cache.size === undefined ? undefined : yield* cache.size
      expect(Option.isSome(size?.entries ?? Option.none())).toBe(true)
      expect(Option.getOrElse(size?.evictions ?? Option.none(), () => 0)).toBeGreaterThan(0)
    })
  )

  it.scoped("holds maxEntries when the purge is slower than the writers", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const table = freshTable()
      const cache = yield* store({ table, maxEntries: 2_000 })
      const writing = Effect.forEach(
        Array.from({ length: 100 }, (_, round) => round),
        (round) =>
          cache.write(
            Array.from({ length: 50 }, (_, item) => ({ key: key(`${round}:${item}`), record: record("x", 120_000) }))
          )
      )
      // as another process does that removes the excess, and takes its time
      const held = yield* Effect.scoped(
        Effect.gen(function* () {
          const connection = yield* sql.reserve
          const lock = `hashtextextended('evict "${table}"', 0)`
          yield* connection.executeUnprepared(`SELECT pg_advisory_lock(${lock})`, [], undefined)
          const writers = yield* Effect.fork(writing)
          yield* Effect.sleep("700 millis")
          const most = yield* countOf(table)
          yield* connection.executeUnprepared(`SELECT pg_advisory_unlock(${lock})`, [], undefined)
          return { writers, most }
        })
      )
      expect(held.most).toBeLessThanOrEqual(2_200)
      yield* Fiber.join(held.writers)
      expect(yield* until(table, (count) => count <= 2_020)).toBeGreaterThanOrEqual(1_800)
    })
  )

  it.scoped("folds what transactions left into one record a key", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const table = freshTable()
      const cache = yield* store({ table, purgeEvery: Duration.millis(20) })
      yield* cache.write([1, 2, 3].map((one) => ({ key: key(one), record: record("old") })))
      yield* sql.withTransaction(
        Effect.gen(function* () {
          yield* cache.remove([key(1), key(4)])
          yield* cache.write([{ key: key(2), record: record("new") }])
          yield* cache.write([{ key: key(5), record: record("for ever", Number.POSITIVE_INFINITY) }])
        })
      )
      expect(yield* until(table, (count) => count === 3)).toBe(3)
      expect((yield* cache.read([1, 2, 3, 4, 5].map(key))).map(text)).toEqual([
        undefined,
        "new",
        "old",
        undefined,
        "for ever"
      ])
      const left = yield* sql`SELECT key, extract(epoch FROM expires_at - now()) BETWEEN 50 AND 61 AS kept
        FROM ${sql(table)} WHERE key = ${key(2)}`
      expect(left).toEqual([{ key: key(2), kept: true }])
    })
  )

  it.effect("stops with its layer", () =>
    Effect.gen(function* () {
      const table = freshTable()
      const scope = yield* Scope.make()
      const cache = yield* Scope.extend(store({ table, purgeEvery: Duration.millis(10) }), scope)
      yield* Scope.close(scope, Exit.void)
      const error = yield* Effect.flip(cache.read([key(1)]))
      expect(error.reason).toBe("Unavailable")
      const other = yield* Scope.extend(store({ table }), scope).pipe(Effect.either)
      yield* Effect.scoped(
        Effect.gen(function* () {
          const next = yield* store({ table })
          yield* next.write([{ key: key(1), record: record("x", 1) }])
          yield* Effect.sleep("100 millis")
          expect(yield* countOf(table)).toBe(1)
        })
      )
      expect(other._tag).toBe("Right")
    })
  )
})
