import { SqlClient } from "@effect/sql/SqlClient"
import { describe, expect, it } from "@effect/vitest"
import { Deferred, Duration, Effect, Exit, Fiber, Layer, Option } from "effect"
import { cached } from "effect-cached"
import * as SqlBackend from "effect-cached/SqlBackend"
import { key, record, text } from "../../suites/sql/records.js"
import { clientOn, freshFile, heldTransaction, outsideTransaction, store, twoStores } from "./support.js"

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
  it.scopedLive("what is done inside shows inside at once, outside with the commit", () =>
    Effect.gen(function* () {
      const { cache, other, sql } = yield* twoStores()
      yield* cache.write([{ key: key(1), record: record("old") }])
      yield* sql.withTransaction(
        Effect.gen(function* () {
          expect(yield* cache.remove([key(1), key(2)])).toBe(1)
          expect(yield* cache.read([key(1)])).toEqual([undefined])
          expect(Option.isSome(yield* cache.add(key(1), record("added")))).toBe(true)
          expect(yield* cache.add(key(1), record("again"))).toEqual(Option.none())
          expect((yield* cache.read([key(1)])).map(text)).toEqual(["added"])
          yield* cache.write([{ key: key(2), record: record("written") }])
          const [stored] = yield* cache.read([key(2)])
          expect(Option.isSome(yield* cache.replace(key(2), stored?.token, record("replaced")))).toBe(true)
          expect(yield* cache.replace(key(2), stored?.token, record("again"))).toEqual(Option.none())
          for (const each of [cache, other]) {
            const seen = yield* outsideTransaction(each.read([key(1), key(2)]))
            expect(seen.map(text)).toEqual(["old", undefined])
          }
        })
      )
      expect((yield* other.read([key(1), key(2)])).map(text)).toEqual(["added", "replaced"])
      expect(yield* cache.remove([key(1), key(2)])).toBe(2)
      expect(yield* other.read([key(1), key(2)])).toEqual([undefined, undefined])
    })
  )

  it.scopedLive("a rollback takes everything back, that of a nested transaction its own part", () =>
    Effect.gen(function* () {
      const { cache, sql } = yield* twoStores()
      yield* cache.write([{ key: key(1), record: record("old") }])
      const [before] = yield* cache.read([key(1)])
      const exit = yield* Effect.exit(
        sql.withTransaction(
          Effect.gen(function* () {
            yield* cache.remove([key(1)])
            yield* cache.add(key(3), record("x"))
            yield* cache.clear
            yield* cache.write([{ key: key(2), record: record("y") }])
            return yield* Effect.fail("changed my mind")
          })
        )
      )
      expect(Exit.isFailure(exit)).toBe(true)
      expect((yield* cache.read([key(1), key(2), key(3)])).map(text)).toEqual(["old", undefined, undefined])
      expect(Option.isSome(yield* cache.replace(key(1), before?.token, record("new")))).toBe(true)
      yield* sql.withTransaction(
        Effect.gen(function* () {
          yield* cache.write([{ key: key(4), record: record("outer") }])
          yield* Effect.ignore(sql.withTransaction(Effect.zipRight(cache.clear, Effect.fail("inner"))))
        })
      )
      expect((yield* cache.read([key(1), key(4)])).map(text)).toEqual(["new", "outer"])
    })
  )

  it.scopedLive("a cache statement that fails leaves the transaction as it was", () =>
    Effect.gen(function* () {
      const { cache, sql } = yield* twoStores()
      yield* sql`CREATE TABLE mine (id INTEGER)`
      const missing = yield* store(sql, { table: "missing", createTable: false })
      yield* sql.unsafe(`CREATE TRIGGER refusal BEFORE INSERT ON cache WHEN length(NEW.value) > 100
        BEGIN SELECT RAISE(ABORT, 'no'); END`)
      yield* sql.withTransaction(
        Effect.gen(function* () {
          yield* sql`INSERT INTO mine VALUES (1)`
          const errors = yield* Effect.all([
            Effect.flip(missing.read([key(1)])),
            Effect.flip(missing.add(key(1), record("x"))),
            Effect.flip(missing.remove([key(1)])),
            Effect.flip(missing.clear)
          ])
          expect(errors.map((error) => error.reason)).toEqual(Array(4).fill("StoreFailed"))
          const rejected = yield* cache.write([
            { key: key(1), record: record("a".repeat(200)) },
            { key: key(2), record: record("b") }
          ])
          expect(rejected.map((one) => one.key)).toEqual([key(1)])
          yield* sql`INSERT INTO mine VALUES (2)`
        })
      )
      expect(yield* sql`SELECT id FROM mine ORDER BY id`).toEqual([{ id: 1 }, { id: 2 }])
      expect((yield* cache.read([key(1), key(2)])).map(text)).toEqual([undefined, "b"])
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

  it.scopedLive("what others compute while a transaction is open is not served after its commit", () =>
    Effect.gen(function* () {
      const url = yield* freshFile()
      const backendOn = Effect.map(clientOn(url), (sql) => {
        const client = Layer.succeed(SqlClient, sql)
        return { sql, layer: Layer.provide(SqlBackend.layer({ table: "cache", timeout: "10 seconds" }), client) }
      })
      const writer = yield* backendOn
      const reader = yield* backendOn
      const mine = yield* Layer.build(writer.layer)
      const theirs = yield* Layer.build(reader.layer)
      yield* writer.sql`CREATE TABLE city (population INTEGER)`
      yield* writer.sql`INSERT INTO city VALUES (0)`
      const populationBy = (sql: SqlClient) =>
        cached(
          Effect.map(
            sql<{ readonly population: number }>`SELECT population FROM city`,
            (rows) => rows[0]?.population
          ).pipe(Effect.delay("3 millis")),
          { key: "population", ttl: "1 hour" }
        )
      const [writers, readers] = [populationBy(writer.sql), populationBy(reader.sql)]
      for (let round = 1; round <= 40; round++) {
        const reading = yield* Effect.forkScoped(
          Effect.repeatN(Effect.delay(Effect.provide(readers, theirs), `${round % 4} millis`), 5)
        )
        yield* Effect.sleep(`${round % 7} millis`)
        yield* writer.sql.withTransaction(
          Effect.gen(function* () {
            if (round % 2 === 0) yield* Effect.provide(writers.invalidate, mine)
            yield* writer.sql`UPDATE city SET population = ${round}`
            yield* Effect.sleep(`${round % 5} millis`)
            if (round % 2 === 1) yield* Effect.provide(writers.invalidate, mine)
          })
        )
        expect(yield* Effect.provide(readers, theirs)).toBe(round)
        yield* Fiber.join(reading)
        expect(yield* Effect.provide(writers, mine)).toBe(round)
      }
    })
  )

  it.scopedLive("a second client for the cache joins the transactions of the first on the same file", () =>
    Effect.gen(function* () {
      const { cache, other, otherSql } = yield* twoStores()
      yield* cache.write([{ key: key(1), record: record("old") }])
      yield* otherSql.withTransaction(
        Effect.gen(function* () {
          expect(yield* cache.remove([key(1)])).toBe(1)
          expect((yield* other.read([key(1)])).map(text)).toEqual([undefined])
        })
      )
      expect(yield* cache.read([key(1)])).toEqual([undefined])
    })
  )

  it.scopedLive("an interruption inside leaves no open transaction", () =>
    Effect.gen(function* () {
      const { cache, other, sql } = yield* twoStores()
      yield* cache.write([{ key: key(1), record: record("old") }])
      for (let round = 0; round < 30; round++) {
        const started = yield* Deferred.make<void>()
        const fiber = yield* Effect.fork(
          sql.withTransaction(
            Effect.zipRight(Deferred.succeed(started, undefined), Effect.forever(cache.remove([key(1)])))
          )
        )
        yield* Deferred.await(started)
        yield* Effect.repeatN(Effect.yieldNow(), round)
        yield* Fiber.interrupt(fiber)
        expect((yield* other.read([key(1)])).map(text)).toEqual(["old"])
        expect(Option.isSome(yield* other.add(key(`other${round}`), record("x")))).toBe(true)
      }
    })
  )

  it.scopedLive("hundreds of operations in one transaction", () =>
    Effect.gen(function* () {
      const { cache, sql } = yield* twoStores()
      yield* sql.withTransaction(
        Effect.forEach(Array.from({ length: 300 }), (_, index) => cache.remove([key(index % 10)]), { discard: true })
      )
      expect(Option.isSome(yield* cache.add(key(1), record("x")))).toBe(true)
    })
  )
})
