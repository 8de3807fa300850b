/** What invalidations inside transactions cost, however many there were, and what they do to the program's own transactions. */
import { SqlClient, TransactionConnection } from "@effect/sql/SqlClient"
import type { Connection } from "@effect/sql/SqlConnection"
import { expect, layer } from "@effect/vitest"
import { Duration, Effect, Exit, Fiber, Layer, Schedule } from "effect"
import { CacheBackend, cached, invalidateGroup } from "effect-cached"
import * as SqlBackend from "effect-cached/SqlBackend"
import { countOf } from "../../suites/sql/ground.js"
import { longestTurn } from "../../support/longestTurn.js"
import { sized, whole } from "../../support/size.js"
import { client, freshTable, key, outsideTransaction, record, store, text } from "./support.js"

const many = sized(whole ? 2_000 : 1_000, 10_000)

const backendOn = (table: string) => Layer.build(SqlBackend.layer({ table, timeout: "1 minute" }))

/** How many statements the effect sends in the transaction around it. */
const statementsOf = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  // the tag is in the context of a fiber in a transaction, but in no type of requirements
  Effect.flatMap(Effect.flatten(Effect.serviceOption(TransactionConnection)), ([connection, depth]) => {
    let sent = 0
    const counted = <B, E2>(statement: Effect.Effect<B, E2>) =>
      Effect.suspend(() => {
        sent++
        return statement
      })
    const its: Connection = {
      execute: (...args) => counted(connection.execute(...args)),
      executeRaw: (...args) => counted(connection.executeRaw(...args)),
      executeStream: (...args) => connection.executeStream(...args),
      executeValues: (...args) => counted(connection.executeValues(...args)),
      executeUnprepared: (...args) => counted(connection.executeUnprepared(...args))
    }
    return Effect.map(Effect.provideService(effect, TransactionConnection, [its, depth]), () => sent)
  })

layer(client({ connections: 10 }), { excludeTestServices: true })("many invalidations inside transactions", (it) => {
  it.scoped(`after ${many} of one group a hit reads as many rows as before, and one row a key is left`, () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const table = freshTable()
      const context = yield* backendOn(table)
      let computed = 0
      const city = cached((id: number) => Effect.sync(() => `${id} of ${++computed}`), {
        key: "city",
        ttl: "1 hour",
        groups: ["cities"]
      })
      const rowsRead = Effect.gen(function* () {
        // each connection tells of its own; a hit runs on any of them
        yield* Effect.replicateEffect(sql`SELECT pg_stat_force_next_flush(), pg_sleep(0.02)`, 10, { concurrency: 10 })
        const [row] = yield* sql<{ readonly rows: number }>`
          SELECT (coalesce(seq_tup_read, 0) + idx_tup_fetch)::int AS rows FROM pg_stat_user_tables WHERE relname = ${table}`
        return row?.rows ?? 0
      })
      const hits = Effect.gen(function* () {
        const before = yield* rowsRead
        yield* Effect.repeatN(city(1), 99)
        return (yield* rowsRead) - before
      })
      const program = Effect.gen(function* () {
        yield* city(1)
        const before = yield* hits
        yield* Effect.forEach(Array.from({ length: many }), () => sql.withTransaction(invalidateGroup("cities")), {
          concurrency: 8,
          discard: true
        })
        const [turn, first] = yield* longestTurn(city(1))
        expect(first).toBe("1 of 2")
        expect(turn).toBeLessThan(100)
        // the entry and the version of its group
        expect(yield* countOf(sql, table)).toBe(2)
        expect(yield* city(1)).toBe("1 of 2")
        expect(yield* hits).toBeLessThanOrEqual(before)
      })
      yield* Effect.provide(program, context)
    })
  )

  it.scoped(
    "the 500th in one transaction sends as many statements as the first: its own, and those of a savepoint",
    () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient
        const context = yield* backendOn(freshTable())
        const city = cached((id: number) => Effect.succeed(id), { key: "city", ttl: "1 hour", groups: ["cities"] })
        const program = sql.withTransaction(
          Effect.gen(function* () {
            const first = [yield* statementsOf(city.invalidate(1)), yield* statementsOf(invalidateGroup("cities"))]
            yield* Effect.repeatN(Effect.zipRight(city.invalidate(1), invalidateGroup("cities")), 497)
            const last = [yield* statementsOf(city.invalidate(1)), yield* statementsOf(invalidateGroup("cities"))]
            const { clear } = yield* CacheBackend
            return { first, last, clear: yield* statementsOf(clear) }
          })
        )
        expect(yield* Effect.provide(program, context)).toEqual({ first: [3, 3], last: [3, 3], clear: 3 })
      })
  )

  it.scoped("50 a second beside readers: nothing old is read, the table stays small, the event loop free", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const [table, source] = [freshTable(), freshTable()]
      yield* sql`CREATE UNLOGGED TABLE ${sql(source)} AS SELECT 0 AS version`
      const version = Effect.map(
        sql<{ readonly version: number }>`SELECT version FROM ${sql(source)}`,
        ([row]) => row?.version ?? -1
      )
      const cities = () => cached((_id: number) => version, { key: "city", ttl: "1 hour", groups: ["cities"] })
      let least = 0
      let reads = 0
      let most = 0
      const old: Array<unknown> = []
      const write = sql.withTransaction(
        Effect.gen(function* () {
          const rows = yield* sql<{
            readonly version: number
          }>`UPDATE ${sql(source)} SET version = version + 1 RETURNING version`
          yield* invalidateGroup("cities")
          return rows[0]?.version ?? 0
        })
      )
      const writer = Effect.tap(write, (written) => {
        least = Math.max(least, written)
      }).pipe(Effect.repeat(Schedule.fixed("20 millis")))
      const reader = (city: ReturnType<typeof cities>, id: number) =>
        Effect.forever(
          Effect.suspend(() => {
            const floor = least
            return Effect.map(city(id), (found) => {
              reads++
              if (found < floor) old.push({ id, found, floor })
            })
          }).pipe(Effect.delay("2 millis"))
        )
      const rows = Effect.forever(
        Effect.tap(Effect.delay(countOf(sql, table), "200 millis"), (count) => {
          most = Math.max(most, count)
        })
      )
      const everybody = Effect.gen(function* () {
        const layers = yield* Effect.all([backendOn(table), backendOn(table)])
        const readers = layers.flatMap((context) => {
          const city = cities()
          return [1, 2, 3, 4].map((id) => Effect.provide(reader(city, id), context))
        })
        const [first] = layers
        const fibers = yield* Effect.forEach([Effect.provide(writer, first), rows, ...readers], Effect.forkScoped)
        const enough = Effect.sleep(sized(4_000, 60_000)).pipe(
          Effect.zipRight(Effect.repeat(Effect.sleep("50 millis"), { until: () => reads > 100 && least > 20 }))
        )
        yield* Effect.raceFirst(enough, Fiber.joinAll(fibers))
        yield* Fiber.interruptAll(fibers)
        const last = yield* version
        for (const context of layers) {
          const city = cities()
          yield* Effect.provide(
            Effect.forEach([1, 2, 3, 4], (id) => Effect.map(city(id), (found) => expect(found).toBe(last))),
            context
          )
        }
      }).pipe(Effect.scoped)
      const [turn] = yield* longestTurn(everybody)
      expect(old).toEqual([])
      expect(turn).toBeLessThan(100)
      // tombstones that no reader has met yet: not all of a minute's 3,000
      expect(most).toBeLessThan(300)
      // four entries and the version of their group
      expect(yield* countOf(sql, table)).toBe(5)
    })
  )

  it.scoped("the purge folds the tombstones of thousands of keys that nobody reads", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const table = freshTable()
      const cache = yield* store({ table, purgeEvery: Duration.millis(100) })
      const keys = Array.from({ length: 3_000 }, (_, index) => key(index))
      yield* cache.write(keys.map((each) => ({ key: each, record: record("old") })))
      yield* sql.withTransaction(Effect.repeatN(cache.remove(keys), 2))
      yield* sql.withTransaction(cache.write([{ key: key(7), record: record("new") }]))
      const left = yield* Effect.repeat(Effect.delay(countOf(sql, table), "50 millis"), {
        until: (count) => count === 1,
        times: 4_000
      })
      expect(left).toBe(1)
      expect((yield* cache.read([key(7), key(8)])).map(text)).toEqual(["new", undefined])
    })
  )

  it.scoped(
    "of 300 SERIALIZABLE transactions that each invalidate a key and a group of their own, none is aborted",
    () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient
        const [table, mine] = [freshTable(), freshTable()]
        yield* sql`CREATE UNLOGGED TABLE ${sql(mine)} (id int PRIMARY KEY, n int NOT NULL) WITH (fillfactor = 50)`
        yield* sql`INSERT INTO ${sql(mine)} SELECT id, 0 FROM generate_series(1, 30000) AS id`
        yield* sql`ANALYZE ${sql(mine)}`
        const context = yield* backendOn(table)
        const city = cached((id: number) => Effect.succeed(id), { key: "city", ttl: "1 hour" })
        const aborted = <E, R>(invalidate: (id: number) => Effect.Effect<void, E, R>) =>
          Effect.forEach(
            Array.from({ length: 300 }, (_, index) => index + 1),
            (id) =>
              Effect.gen(function* () {
                yield* sql`SET TRANSACTION ISOLATION LEVEL SERIALIZABLE`
                yield* sql`UPDATE ${sql(mine)} SET n = n + 1 WHERE id = ${id * 100}`
                yield* invalidate(id)
                yield* Effect.sleep("5 millis")
              }).pipe(sql.withTransaction, Effect.exit),
            { concurrency: 10 }
          ).pipe(Effect.map((exits) => exits.filter(Exit.isFailure).length))
        const program = Effect.gen(function* () {
          expect(yield* aborted(() => Effect.void)).toBe(0)
          expect(yield* aborted((id) => Effect.zipRight(city.invalidate(id), invalidateGroup(`city ${id}`)))).toBe(0)
        })
        yield* Effect.provide(program, context)
      })
  )

  it.scoped(
    "a serialization failure shows its SQLSTATE in the cause, as that of the program's own statements does",
    () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient
        const cache = yield* store()
        yield* cache.write([{ key: key(1), record: record("old") }])
        const readAndReplace = Effect.gen(function* () {
          yield* sql`SET TRANSACTION ISOLATION LEVEL REPEATABLE READ`
          const [found] = yield* cache.read([key(1)])
          yield* outsideTransaction(cache.write([{ key: key(1), record: record("meanwhile") }]))
          yield* cache.replace(key(1), found?.token, record("replaced"))
        })
        const error = yield* Effect.flip(sql.withTransaction(readAndReplace))
        expect(error).toMatchObject({ _tag: "CacheError", cause: { _tag: "SqlError", code: "40001" } })
        // as people write it who repeat their transactions
        let attempts = 0
        const isSerializationFailure = ({ cause }: { readonly cause?: unknown }) =>
          typeof cause === "object" && cause !== null && Reflect.get(cause, "code") === "40001"
        const work = Effect.suspend(() => (++attempts === 1 ? readAndReplace : cache.remove([key(1)])))
        yield* Effect.retry(sql.withTransaction(work), { while: isSerializationFailure, times: 3 })
        expect(attempts).toBe(2)
        expect(yield* cache.read([key(1)])).toEqual([undefined])
      })
  )
})
