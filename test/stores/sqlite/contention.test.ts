/** What the store does when another connection holds the lock, and what the driver leaves behind when it does. */
import { existsSync, readdirSync } from "node:fs"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { describe, expect, it } from "@effect/vitest"
import { Duration, Effect, Fiber, Option } from "effect"
import { driverOf } from "../../../src/internal/stores/sqlite/libsql/driver.js"
import { heldTransaction, key, record, storeOn, text, twoStores } from "./support.js"

setFlagsFromString("--expose-gc")
const gc: () => void = runInNewContext("gc")
/** Until then a statement that the driver left in progress keeps its lock, and without a log all writers out. */
const collectGarbage = Effect.sync(gc)

/** Where the system tells. */
const openFiles = () => (existsSync("/proc/self/fd") ? readdirSync("/proc/self/fd").length : 0)

for (const mode of ["WAL", "DELETE"] as const) {
  describe(`contention on SQLite, ${mode}`, () => {
    it.scopedLive(
      "writes wait for a transaction of another client, while reads go on; then all are there for everyone",
      () =>
        Effect.gen(function* () {
          const { cache, other, otherSql } = yield* twoStores({ mode })
          yield* cache.write([{ key: key(1), record: record("old") }])
          const token = (yield* cache.read([key(1)]))[0]?.token
          const held = yield* heldTransaction(otherSql, other.remove([key(9)]))
          const waiting = yield* Effect.forkScoped(
            Effect.all(
              [
                cache.write([{ key: key(2), record: record("written") }]),
                cache.add(key(3), record("added")),
                cache.replace(key(1), token, record("replaced")),
                cache.remove([key(4)])
              ],
              { concurrency: "unbounded" }
            )
          )
          yield* Effect.sleep("100 millis")
          expect(yield* Fiber.poll(waiting)).toEqual(Option.none())
          expect((yield* cache.read([key(1), key(2)])).map(text)).toEqual(["old", undefined])
          yield* held.end
          yield* Fiber.join(waiting)
          const after = ["replaced", "written", "added"]
          expect((yield* other.read([key(1), key(2), key(3)])).map(text)).toEqual(after)
          // nobody holds the lock any more
          yield* other.write([{ key: key(5), record: record("x") }])
          yield* otherSql.withTransaction(other.write([{ key: key(5), record: record("y") }]))
          expect((yield* cache.read([key(5)])).map(text)).toEqual(["y"])
        })
    )

    it.scopedLive(
      "a write that waits for too long is given up, and so is one that is interrupted: neither happens",
      () =>
        Effect.gen(function* () {
          const { cache, other, otherSql, sql } = yield* twoStores({ mode, timeout: Duration.millis(200) })
          const patient = yield* storeOn(sql, "cache", { timeout: Duration.minutes(10) })
          const held = yield* heldTransaction(otherSql, other.remove([key(1)]))
          const interrupted = yield* Effect.fork(patient.add(key(1), record("x")))
          yield* Effect.sleep("50 millis")
          yield* Fiber.interrupt(interrupted)
          const errors = yield* Effect.all(
            [
              Effect.flip(cache.write([{ key: key(1), record: record("x") }])),
              Effect.flip(cache.add(key(2), record("x"))),
              Effect.flip(cache.remove([key(1)]))
            ],
            { concurrency: "unbounded" }
          )
          expect(errors.map((error) => error.reason)).toEqual(["Timeout", "Timeout", "Timeout"])
          yield* held.end
          yield* Effect.sleep("100 millis")
          expect(yield* other.read([key(1), key(2)])).toEqual([undefined, undefined])
          yield* cache.write([{ key: key(1), record: record("y") }])
          expect((yield* other.read([key(1)])).map(text)).toEqual(["y"])
        })
    )

    it.scopedLive("what the user writes on the connection that just met the lock is not lost", () =>
      Effect.gen(function* () {
        const { cache, otherSql, sql } = yield* twoStores({ mode })
        yield* sql`CREATE TABLE mine (id INTEGER)`
        const [mine, theirs] = [yield* driverOf(sql), yield* driverOf(otherSql)]
        for (let ticks = 0; ticks < 12; ticks++) {
          yield* Effect.promise(async () => {
            const transaction = await theirs.transaction("write")
            const writing = Effect.runPromise(cache.write([{ key: key(1), record: record("x") }]))
            // somewhere between the moment the lock is met and the moment the store hears of it
            for (let tick = 0; tick < ticks; tick++) await undefined
            await Promise.all([
              transaction.rollback(),
              mine.execute({ sql: `INSERT INTO mine VALUES (${ticks})`, args: [] }),
              writing
            ])
          })
        }
        expect(yield* otherSql`SELECT id FROM mine ORDER BY id`).toEqual(
          Array.from({ length: 12 }, (_, ticks) => ({ id: ticks }))
        )
      })
    )

    it.scopedLive(
      "a connection that the user's own statement broke neither loses what is written nor reads what is old",
      () =>
        Effect.gen(function* () {
          const { cache, other, otherSql, sql } = yield* twoStores({ mode })
          yield* Effect.forkScoped(Effect.forever(Effect.delay(collectGarbage, "50 millis")))
          yield* sql`CREATE TABLE mine (id INTEGER)`
          for (const first of ["write", "read"]) {
            yield* other.write([{ key: key(1), record: record("old") }])
            const held = yield* heldTransaction(otherSql, other.remove([key(9)]))
            // the driver leaves this one in progress
            expect((yield* Effect.flip(sql`INSERT INTO mine VALUES (1)`)).cause).toMatchObject({ code: "SQLITE_BUSY" })
            yield* held.end
            if (first === "read") {
              expect((yield* cache.read([key(1)])).map(text)).toEqual(["old"])
              yield* other.write([{ key: key(1), record: record("new") }])
              expect((yield* cache.read([key(1)])).map(text)).toEqual(["new"])
            }
            expect(yield* cache.remove([key(1)])).toBe(1)
            expect(yield* other.read([key(1)])).toEqual([undefined])
            yield* other.write([{ key: key(2), record: record("free") }])
            expect((yield* cache.read([key(2)])).map(text)).toEqual(["free"])
          }
        })
    )
  })
}

describe("contention on SQLite without a write-ahead log", () => {
  /** A transaction that outgrew its memory keeps readers out as well. */
  const lockedOut = Effect.gen(function* () {
    const stores = yield* twoStores({ mode: "DELETE" })
    const { cache, other, otherSql } = stores
    yield* otherSql`CREATE TABLE large (bytes BLOB)`
    yield* cache.write([{ key: key(1), record: record("old") }])
    const filled = Effect.forEach([1, 2, 3, 4, 5, 6], () => otherSql`INSERT INTO large VALUES (zeroblob(1000000))`)
    const held = yield* heldTransaction(otherSql, Effect.zipRight(filled, other.remove([key(1)])))
    return { ...stores, held }
  })

  it.scopedLive("a reader waits for the end of such a transaction, and keeps nobody else out afterwards", () =>
    Effect.gen(function* () {
      const { cache, held, other, otherSql } = yield* lockedOut
      const reading = yield* Effect.forkScoped(cache.read([key(1)]))
      yield* Effect.sleep("100 millis")
      expect(yield* Fiber.poll(reading)).toEqual(Option.none())
      yield* held.end
      expect(yield* Fiber.join(reading)).toEqual([undefined])
      yield* otherSql.withTransaction(other.write([{ key: key(1), record: record("new") }]))
      expect((yield* cache.read([key(1)])).map(text)).toEqual(["new"])
    })
  )

  it.scopedLive("hundreds of readers that wait leave no more than a few connections behind", () =>
    Effect.gen(function* () {
      const { cache, held } = yield* lockedOut
      const before = openFiles()
      const read = cache.read([key(1)])
      const readers = Array.from({ length: 300 }, (_, index) => (index < 200 ? read : Effect.delay(read, index % 50)))
      const reading = yield* Effect.forkScoped(Effect.all(readers, { concurrency: "unbounded" }))
      yield* Effect.sleep("100 millis")
      expect(openFiles() - before).toBeLessThan(10)
      yield* held.end
      expect(yield* Fiber.join(reading)).toEqual(Array(300).fill([undefined]))
    })
  )
})
