/** The promises inside a user's transaction, on either database. */
import { SqlClient } from "@effect/sql/SqlClient"
import { expect, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Layer, Option } from "effect"
import { type CacheError, cached } from "effect-cached"
import * as SqlBackend from "effect-cached/SqlBackend"
import type { RejectedItem } from "../../../src/CacheStore.js"
import {
  clientOn,
  type Database,
  heldTransaction,
  key,
  outsideTransaction,
  record,
  storeOn,
  text,
  twoStores
} from "./ground.js"

/** In a transaction a write fails as a whole, or returns the records that could not be stored. */
const refusals = <R>(write: Effect.Effect<ReadonlyArray<RejectedItem>, CacheError, R>) =>
  write.pipe(
    Effect.map((rejected) => rejected.map(({ error }) => error)),
    Effect.catchAll((error) => Effect.succeed([error])),
    Effect.map((errors) => errors.map(({ reason }) => reason))
  )

export const transactionTests = (database: Database): void => {
  it.scopedLive("what is done inside shows inside at once, outside with the commit", () =>
    Effect.gen(function* () {
      const { cache, other, place, sql } = yield* twoStores(database)
      yield* cache.write([{ key: key(1), record: record("old") }])
      yield* sql.withTransaction(
        Effect.gen(function* () {
          // PostgreSQL does not look what is there, and answers how many keys were asked
          expect(yield* cache.remove([key(1), key(2)])).toBe(place.dialect === "pg" ? 2 : 1)
          expect(yield* cache.read([key(1)])).toEqual([undefined])
          expect(Option.isSome(yield* cache.add(key(1), record("added")))).toBe(true)
          expect(yield* cache.add(key(1), record("again"))).toEqual(Option.none())
          expect((yield* cache.read([key(1)])).map(text)).toEqual(["added"])
          yield* cache.write([{ key: key(2), record: record("written") }])
          const [stored] = yield* cache.read([key(2)])
          expect(Option.isSome(yield* cache.replace(key(2), stored?.token, record("replaced")))).toBe(true)
          expect(yield* cache.replace(key(2), stored?.token, record("again"))).toEqual(Option.none())
          for (const each of database.hasOneConnection ? [other] : [cache, other]) {
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
      const { cache, sql } = yield* twoStores(database)
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
      const { cache, place, sql, table } = yield* twoStores(database)
      const mine = `${table}_mine`
      yield* sql`CREATE TABLE ${sql(mine)} (id INTEGER)`
      const missing = yield* storeOn(sql, `${table}_missing`, { createTable: false })
      yield* place.refuse(sql, "bad")
      yield* sql.withTransaction(
        Effect.gen(function* () {
          yield* sql`INSERT INTO ${sql(mine)} VALUES (1)`
          const errors = yield* Effect.all([
            Effect.flip(missing.read([key(1)])),
            Effect.flip(missing.add(key(1), record("x"))),
            Effect.flip(missing.remove([key(1)])),
            Effect.flip(missing.clear)
          ])
          expect(errors.map((error) => error.reason)).toEqual(Array(4).fill("StoreFailed"))
          expect(yield* refusals(missing.write([{ key: key(1), record: record("x") }]))).toEqual(["StoreFailed"])
          expect(yield* refusals(cache.write([{ key: key(1), record: record("bad") }]))).toEqual(["StoreFailed"])
          expect(yield* refusals(cache.write([{ key: key(2), record: record("good") }]))).toEqual([])
          yield* sql`INSERT INTO ${sql(mine)} VALUES (2)`
        })
      )
      expect(yield* sql`SELECT id FROM ${sql(mine)} ORDER BY id`).toEqual([{ id: 1 }, { id: 2 }])
      expect((yield* cache.read([key(1), key(2)])).map(text)).toEqual([undefined, "good"])
    })
  )

  it.scopedLive("of fibers in one transaction, one that fails takes nothing from the others", () =>
    Effect.gen(function* () {
      const { cache, other, place, sql, table } = yield* twoStores(database)
      yield* place.refuse(sql, "bad")
      yield* cache.write(["removed", "invalidated"].map((name) => ({ key: key(name), record: record("old") })))
      const [invalidated] = yield* cache.read([key("invalidated")])
      const told = yield* sql.withTransaction(
        Effect.all(
          {
            stored: cache.write([{ key: key("stored"), record: record("good") }]),
            removed: cache.remove([key("removed")]),
            refused: cache.add(key("refused"), record("bad")).pipe(
              Effect.flip,
              Effect.map(({ reason }) => reason)
            ),
            added: Effect.map(cache.add(key("added"), record("good")), Option.isSome),
            invalidated: cache.remove([key("invalidated")])
          },
          { concurrency: "unbounded" }
        )
      )
      expect(told).toEqual({ stored: [], removed: 1, refused: "StoreFailed", added: true, invalidated: 1 })
      expect((yield* other.read(["stored", "removed", "refused", "added", "invalidated"].map(key))).map(text)).toEqual([
        "good",
        undefined,
        undefined,
        "good",
        undefined
      ])
      expect(yield* other.replace(key("invalidated"), invalidated?.token, record("late"))).toEqual(Option.none())

      // by the dozen, half of them through a second layer on the same client
      const second = yield* storeOn(sql, table)
      const numbers = Array.from({ length: 40 }, (_, index) => index)
      const removed = numbers.map((number) => key(`removed${number}`))
      yield* cache.write(removed.map((each) => ({ key: each, record: record("old") })))
      const outcomes = yield* sql.withTransaction(
        Effect.forEach(
          numbers,
          (number) =>
            Effect.all(
              [
                Effect.isSuccess(second.add(key(number), record(number % 2 === 0 ? "good" : "bad"))),
                cache.remove([key(`removed${number}`)])
              ],
              { concurrency: "unbounded" }
            ),
          { concurrency: "unbounded" }
        )
      )
      expect(outcomes).toEqual(numbers.map((number) => [number % 2 === 0, 1]))
      const stored = numbers.map((number) => (number % 2 === 0 ? "good" : undefined))
      expect((yield* other.read(numbers.map(key))).map(text)).toEqual(stored)
      expect((yield* other.read(removed)).filter(Boolean)).toEqual([])
    })
  )

  it.scopedLive("many keys that are read together mean what each means alone", () =>
    Effect.gen(function* () {
      const { cache, sql } = yield* twoStores(database)
      const names = ["small", "large", "empty", "expired", "changed", "removed", "absent", "changed and large", "last"]
      const keys = names.map((name) => key(name.replaceAll(" ", "-")))
      const [
        small = "",
        large = "",
        empty = "",
        expired = "",
        changed = "",
        removed = "",
        ,
        changedLarge = "",
        last = ""
      ] = keys
      const huge = "l".repeat(70_000)
      yield* cache.write([
        { key: small, record: record("small") },
        { key: large, record: record(huge) },
        { key: empty, record: record("") },
        { key: expired, record: record("expired", 1) },
        { key: changed, record: record("before") },
        { key: removed, record: record("removed") },
        { key: last, record: record("last") }
      ])
      yield* sql.withTransaction(
        Effect.gen(function* () {
          yield* cache.write([
            { key: changed, record: record("after") },
            { key: changedLarge, record: record(`changed ${huge}`) }
          ])
          yield* cache.remove([removed])
        })
      )
      const alike = Effect.gen(function* () {
        const together = yield* cache.read(keys)
        const alone = yield* Effect.forEach(keys, (one) => Effect.map(cache.read([one]), ([found]) => found))
        expect(together).toEqual(alone)
        return together.map((found) => text(found)?.slice(0, 9))
      })
      yield* Effect.sleep("5 millis")
      const gone = undefined
      const cut = "l".repeat(9)
      expect(yield* alike).toEqual(["small", cut, "", gone, "after", gone, gone, "changed l", "last"])
      const found = yield* cache.read(keys)
      expect(Option.isSome(yield* cache.replace(changed, found[4]?.token, record("replaced")))).toBe(true)
      expect(Option.isSome(yield* cache.replace(large, found[1]?.token, record(`x${huge}`)))).toBe(true)
      yield* sql.withTransaction(cache.clear)
      expect(yield* alike).toEqual(keys.map(() => gone))
      yield* cache.write([
        { key: small, record: record("anew") },
        { key: large, record: record(huge) }
      ])
      expect(yield* alike).toEqual(["anew", cut, gone, gone, gone, gone, gone, gone, gone])
    })
  )

  it.scopedLive(
    "while a transaction is open on the same client, hits are served, or wait if it is the only connection",
    () =>
      Effect.gen(function* () {
        const { cache, sql } = yield* twoStores(database)
        yield* cache.write([{ key: key(1), record: record("old") }])
        const held = yield* heldTransaction(sql, cache.remove([key(1)]))
        const reading = yield* Effect.forkScoped(cache.read([key(1)]))
        if (database.hasOneConnection) {
          yield* Effect.sleep("50 millis")
          expect(yield* Fiber.poll(reading)).toEqual(Option.none())
        } else expect((yield* Fiber.join(reading)).map(text)).toEqual(["old"])
        yield* held.end
        if (database.hasOneConnection) expect(yield* Fiber.join(reading)).toEqual([undefined])
        expect(yield* cache.read([key(1)])).toEqual([undefined])
      })
  )

  it.scopedLive("hits are served while a transaction is open on another client", () =>
    Effect.gen(function* () {
      const { cache, other, otherSql } = yield* twoStores(database)
      yield* cache.write([{ key: key(1), record: record("old") }])
      const held = yield* heldTransaction(otherSql, cache.remove([key(1)]))
      expect((yield* cache.read([key(1)])).map(text)).toEqual(["old"])
      yield* held.end
      expect(yield* other.read([key(1)])).toEqual([undefined])
    })
  )

  it.scopedLive("a second client for the cache joins the transactions of the first", () =>
    Effect.gen(function* () {
      const { cache, other, otherSql } = yield* twoStores(database)
      yield* cache.write([{ key: key(1), record: record("old") }])
      yield* otherSql.withTransaction(
        Effect.gen(function* () {
          expect(yield* cache.remove([key(1)])).toBe(1)
          expect(yield* other.read([key(1)])).toEqual([undefined])
        })
      )
      expect(yield* cache.read([key(1)])).toEqual([undefined])
    })
  )

  it.scopedLive("what others compute while a transaction is open is not served after its commit", () =>
    Effect.gen(function* () {
      const place = yield* database.place
      const city = `${place.table}_city`
      const backendOn = Effect.gen(function* () {
        const sql = yield* clientOn(place)
        const layer = SqlBackend.layer({ table: place.table, timeout: "1 minute" })
        return { sql, context: yield* Layer.build(Layer.provide(layer, Layer.succeed(SqlClient, sql))) }
      })
      const [writer, reader] = [yield* backendOn, yield* backendOn]
      yield* writer.sql`CREATE TABLE ${writer.sql(city)} (population INTEGER)`
      yield* writer.sql`INSERT INTO ${writer.sql(city)} VALUES (0)`
      const populationBy = (sql: SqlClient) =>
        cached(
          Effect.map(
            sql<{ readonly population: number }>`SELECT population FROM ${sql(city)}`,
            (rows) => rows[0]?.population
          ).pipe(Effect.delay("3 millis")),
          { key: "population", ttl: "1 hour" }
        )
      const [writers, readers] = [populationBy(writer.sql), populationBy(reader.sql)]
      for (let round = 1; round <= 40; round++) {
        const reading = yield* Effect.forkScoped(
          Effect.repeatN(Effect.delay(Effect.provide(readers, reader.context), `${round % 4} millis`), 5)
        )
        yield* Effect.sleep(`${round % 7} millis`)
        yield* writer.sql.withTransaction(
          Effect.gen(function* () {
            if (round % 2 === 0) yield* Effect.provide(writers.invalidate, writer.context)
            yield* writer.sql`UPDATE ${writer.sql(city)} SET population = ${round}`
            yield* Effect.sleep(`${round % 5} millis`)
            if (round % 2 === 1) yield* Effect.provide(writers.invalidate, writer.context)
          })
        )
        expect(yield* Effect.provide(readers, reader.context)).toBe(round)
        yield* Fiber.join(reading)
        expect(yield* Effect.provide(writers, writer.context)).toBe(round)
      }
    })
  )

  it.scopedLive("an interruption inside leaves no open transaction", () =>
    Effect.gen(function* () {
      const { cache, other, sql } = yield* twoStores(database)
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
      const { cache, sql } = yield* twoStores(database)
      yield* sql.withTransaction(
        Effect.forEach(Array.from({ length: 300 }), (_, index) => cache.remove([key(index % 10)]), { discard: true })
      )
      expect(Option.isSome(yield* cache.add(key(1), record("x")))).toBe(true)
    })
  )
}
