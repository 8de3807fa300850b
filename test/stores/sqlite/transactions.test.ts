import type { SqlClient } from "@effect/sql/SqlClient"
import { describe, expect, it } from "@effect/vitest"
import { Duration, Effect, Exit, Fiber, Option } from "effect"
import { transactionTests } from "../../suites/sql/transactions.js"
import { heldTransaction, key, record, sqlite, text, twoStores } from "./support.js"

/** A transaction as a client begins it that does not take the lock at once: runs statements, tells their errors' codes. */
const plainBegin = (sql: SqlClient) =>
  Effect.promise(async () => {
    // the driver, which the type of the client does not name
    const driver = Reflect.get(sql, "sdk") as {
      transaction: (mode: "deferred") => Promise<{ execute: (statement: string) => Promise<unknown> }>
    }
    const transaction = await driver.transaction("deferred")
    return (statement: string) =>
      Effect.promise(() =>
        transaction.execute(statement).then(
          () => "done",
          (error: { readonly code: string }) => error.code
        )
      )
  })

describe("transactions on SQLite", () => {
  transactionTests(sqlite())

  it.scopedLive("of a write to several records, those are stored that the database does not refuse", () =>
    Effect.gen(function* () {
      const { cache, place, sql } = yield* twoStores()
      yield* place.refuse(sql, "bad")
      const rejected = yield* sql.withTransaction(
        cache.write(["a", "bad", "c"].map((value) => ({ key: key(value), record: record(value) })))
      )
      expect(rejected.map((one) => one.key)).toEqual([key("bad")])
      expect((yield* cache.read(["a", "bad", "c"].map(key))).map(text)).toEqual(["a", undefined, "c"])
    })
  )

  it.scopedLive("a cache operation of several statements happens as a whole or not at all", () =>
    Effect.gen(function* () {
      const { cache, sql } = yield* twoStores()
      yield* cache.write(Array.from({ length: 1_500 }, (_, index) => ({ key: key(index), record: record("x") })))
      yield* sql.unsafe(`CREATE TRIGGER refusal BEFORE DELETE ON cache WHEN OLD.key = '${key(999)}'
        BEGIN SELECT RAISE(ABORT, 'no'); END`)
      yield* sql.withTransaction(
        Effect.gen(function* () {
          expect((yield* Effect.flip(cache.clear)).reason).toBe("StoreFailed")
          yield* cache.write([{ key: key("after"), record: record("y") }])
        })
      )
      expect(yield* sql`SELECT count(*) AS n FROM cache`).toEqual([{ n: 1_501 }])
    })
  )

  it.scopedLive("who leased before the commit can't publish after it; who leases during it waits for the commit", () =>
    Effect.gen(function* () {
      const { cache, other, sql } = yield* twoStores()
      const early = yield* other.add(key(1), record("lease"))
      const published = Option.getOrThrow(yield* other.add(key(2), record("lease")))
      yield* other.replace(key(2), published, record("old"))
      const held = yield* heldTransaction(sql, cache.remove([key(1), key(2), key(3)]))
      const late = yield* Effect.forkScoped(other.replace(key(1), Option.getOrThrow(early), record("old")))
      const during = yield* Effect.forkScoped(other.add(key(3), record("lease")))
      yield* Effect.sleep("50 millis")
      expect([yield* Fiber.poll(late), yield* Fiber.poll(during)]).toEqual([Option.none(), Option.none()])
      yield* held.end
      expect(yield* Fiber.join(late)).toEqual(Option.none())
      const lease = yield* Fiber.join(during)
      expect(yield* cache.read([key(1), key(2)])).toEqual([undefined, undefined])
      expect(yield* cache.add(key(3), record("lease"))).toEqual(Option.none())
      expect(Option.isSome(yield* other.replace(key(3), Option.getOrThrow(lease), record("new")))).toBe(true)
    })
  )

  for (const mode of ["WAL", "DELETE"] as const) {
    for (const leases of [true, false]) {
      it.scopedLive(`a plain BEGIN that reads, then invalidates${leases ? ", a lease in between" : ""}, ${mode}`, () =>
        Effect.gen(function* () {
          const { other, sql } = yield* twoStores({ mode, timeout: Duration.millis(300) })
          yield* sql`CREATE TABLE city (population INTEGER)`
          yield* sql`INSERT INTO city VALUES (1)`
          yield* other.write([{ key: key(1), record: record("old") }])
          const begun = yield* plainBegin(sql)
          expect(yield* begun("SELECT population FROM city")).toBe("done")
          const lease = leases ? yield* Effect.exit(other.add(key(2), record("lease"))) : Exit.succeed(Option.none())
          const invalidation = yield* begun(`DELETE FROM cache WHERE key = '${key(2)}'`)
          const commit = yield* begun("COMMIT")
          if (!leases) expect([invalidation, commit]).toEqual(["done", "done"])
          // with a log the lease stands and the invalidation fails; without one it is the lease that can't be made
          else if (mode === "WAL") expect([Exit.isSuccess(lease), invalidation]).toEqual([true, "SQLITE_BUSY_SNAPSHOT"])
          else expect([Exit.isFailure(lease), invalidation, commit]).toEqual([true, "done", "done"])
        })
      )
    }
  }
})
