/**
 * Statements that overlap. One of them sees the table as it was before the other, and waits for what the other has locked. When it
 * goes on, rows may stand there that it can't see.
 */
import { SqlClient } from "@effect/sql/SqlClient"
import { expect, layer } from "@effect/vitest"
import { Effect, Fiber, Option } from "effect"
import { queryOf } from "../../../src/internal/stores/postgres/PreparedStatements.js"
import type { Statement } from "../../../src/internal/stores/postgres/statements/named.js"
import { packed } from "../../../src/internal/stores/postgres/statements/parameters.js"
import { statements } from "../../../src/internal/stores/postgres/statements/statements.js"
import { parseTable } from "../../../src/internal/stores/sql/table.js"
import { until } from "../../support/until.js"
import { client, freshTable, heldTransaction, key, record, store, text } from "./support.js"

const sharedKey = "clear app"

/** A statement that is done and not committed before `end`. */
const held = (statement: Statement, parameters: ReadonlyArray<unknown>) =>
  Effect.gen(function* () {
    const sql = yield* SqlClient
    const connection = yield* sql.reserve
    yield* connection.executeUnprepared("BEGIN", [], undefined)
    yield* connection.execute(queryOf(statement, undefined), parameters, undefined)
    return { end: connection.executeUnprepared("COMMIT", [], undefined) }
  })

const waitsForLock = (table: string) =>
  Effect.gen(function* () {
    const sql = yield* SqlClient
    const waiting = Effect.map(
      sql`SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE ${`%${table}%`}`,
      (rows) => rows.length
    )
    expect(yield* until(waiting, (count) => count > 0)).toBeGreaterThan(0)
  })

layer(client({ connections: 12 }), { excludeTestServices: true })("statements that overlap", (it) => {
  const ground = Effect.gen(function* () {
    const sql = yield* SqlClient
    const table = freshTable()
    const cache = yield* store({ table })
    const texts = statements(yield* parseTable(`public.${table}`), 5_000)
    /** The value of a committed transaction, and its token. */
    const valueOf = (name: string) =>
      Effect.gen(function* () {
        yield* sql.withTransaction(cache.write([{ key: name, record: record("old") }]))
        const [found] = yield* cache.read([name])
        return found?.token
      })
    return { sql, table, cache, texts, valueOf }
  })

  it.scoped("a removal that meets the purge removes the value that the purge moves", () =>
    Effect.gen(function* () {
      const { cache, table, texts, valueOf } = yield* ground
      yield* valueOf(key(1))
      const purge = yield* held(texts.fold, [key(1)])
      const removal = yield* Effect.fork(cache.remove([key(1)]))
      yield* waitsForLock(table)
      yield* purge.end
      expect(yield* Fiber.join(removal)).toBe(1)
      expect(yield* cache.read([key(1)])).toEqual([undefined])
    })
  )

  it.scoped("a removal that meets a replacement of the value removes the new one", () =>
    Effect.gen(function* () {
      const { cache, table, texts, valueOf } = yield* ground
      const token = yield* valueOf(key(1))
      const touch = yield* held(texts.replaceOver, [
        ...packed([{ key: key(1), record: record("touched") }]),
        [token],
        sharedKey
      ])
      const removal = yield* Effect.fork(cache.remove([key(1)]))
      yield* waitsForLock(table)
      yield* touch.end
      expect(yield* Fiber.join(removal)).toBe(1)
      expect(yield* cache.read([key(1)])).toEqual([undefined])
    })
  )

  it.scoped("clear, too", () =>
    Effect.gen(function* () {
      const { cache, table, texts, valueOf } = yield* ground
      yield* valueOf(key(1))
      const purge = yield* held(texts.fold, [key(1)])
      const clearing = yield* Effect.fork(cache.clear)
      yield* waitsForLock(table)
      yield* purge.end
      yield* Fiber.join(clearing)
      expect(yield* cache.read([key(1)])).toEqual([undefined])
    })
  )

  it.scoped("of two purges the later one takes away no tombstone beside what the earlier one has moved", () =>
    Effect.gen(function* () {
      const { cache, sql, table, texts, valueOf } = yield* ground
      yield* valueOf(key(1))
      const purge = yield* held(texts.fold, [key(1)])
      yield* sql.withTransaction(cache.remove([key(1)]))
      const connection = yield* sql.reserve
      const other = yield* Effect.fork(connection.execute(queryOf(texts.fold, undefined), [key(1)], undefined))
      yield* waitsForLock(table)
      yield* purge.end
      yield* Fiber.join(other)
      expect(yield* cache.read([key(1)])).toEqual([undefined])
      expect(Option.isSome(yield* cache.add(key(1), record("new")))).toBe(true)
      expect((yield* cache.read([key(1)])).map(text)).toEqual(["new"])
    })
  )

  it.scoped("who waits for a transaction that adds removes what it added, or writes over it", () =>
    Effect.gen(function* () {
      const { cache, sql, table } = yield* ground
      for (const before of [Effect.void, Effect.asVoid(sql.withTransaction(cache.remove([key(1), key(2)])))]) {
        yield* before
        const adding = yield* heldTransaction(sql, cache.add(key(1), record("added")))
        const addingOther = yield* heldTransaction(sql, cache.add(key(2), record("added")))
        const removal = yield* Effect.fork(cache.remove([key(1)]))
        const writing = yield* Effect.fork(cache.write([{ key: key(2), record: record("written") }]))
        yield* waitsForLock(table)
        yield* Effect.sleep("100 millis")
        yield* adding.end
        yield* addingOther.end
        expect(yield* Fiber.join(removal)).toBe(1)
        expect(yield* Fiber.join(writing)).toEqual([])
        expect((yield* cache.read([key(1), key(2)])).map(text)).toEqual([undefined, "written"])
      }
    })
  )
})
