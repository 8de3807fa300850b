/** What goes on at once, on real connections: dead-locks, dying connections, interruptions. */
import { SqlClient } from "@effect/sql/SqlClient"
import { expect, layer } from "@effect/vitest"
import { Cause, Chunk, Context, Duration, Effect, Exit, Fiber, Layer, Option, Random, Schedule, Scope } from "effect"
import type { ByteStore } from "../../../src/ByteStore.js"
import { CacheError } from "../../../src/CacheError.js"
import { sized } from "../../support/size.js"
import { until } from "../../support/until.js"
import { client, connectionsOf, freshTable, key, outsideTransaction, record, store, text } from "./support.js"

const names = Array.from({ length: 12 }, (_, index) => key(index))
const anyName = Effect.map(Random.nextIntBetween(0, names.length), (index) => names[index] ?? "")
const someNames = Effect.map(Random.shuffle(names), (all) => Chunk.toReadonlyArray(all).slice(0, 6))

/** What the backend does all day: read, lease, publish, write and remove many. */
const traffic = (cache: ByteStore) =>
  Effect.gen(function* () {
    const name = yield* anyName
    switch (yield* Random.nextIntBetween(0, 8)) {
      case 0:
        return yield* cache.write((yield* someNames).map((one) => ({ key: one, record: record("w") })))
      case 1:
        return yield* cache.remove(yield* someNames)
      case 2:
        return (yield* Random.nextIntBetween(0, 20)) === 0 ? yield* cache.clear : undefined
      default: {
        const [stored] = yield* cache.read([name])
        const lease =
          stored === undefined
            ? yield* cache.add(name, record("lease", 5))
            : yield* cache.replace(name, stored.token, record("leased", 5))
        if (Option.isSome(lease)) yield* cache.replace(name, lease.value, record("value", 20))
        return undefined
      }
    }
  })

/** A user transaction that touches rows of its own and the cache, in any order. */
const userTransaction = (cache: ByteStore, mine: string) =>
  Effect.gen(function* () {
    const sql = yield* SqlClient
    yield* sql.withTransaction(
      Effect.gen(function* () {
        yield* sql`UPDATE ${sql(mine)} SET n = n + 1 WHERE id = ${yield* Random.nextIntBetween(0, 50)}`
        for (const name of yield* someNames) {
          const kind = yield* Random.nextIntBetween(0, 6)
          if (kind < 3) yield* cache.remove([name])
          else if (kind === 3) yield* cache.write((yield* someNames).map((one) => ({ key: one, record: record("t") })))
          else if (kind === 4) yield* cache.add(name, record("added", 20))
          else {
            const [stored] = yield* cache.read([name])
            if (stored !== undefined) yield* cache.replace(name, stored.token, record("replaced", 20))
          }
          yield* Effect.sleep("1 millis")
        }
      })
    )
  })

const operationsOn = (cache: ByteStore): Effect.Effect<ReadonlyArray<Effect.Effect<unknown, unknown>>, CacheError> =>
  Effect.map(cache.add(key("held"), record("x")), (held) => [
    cache.read([key(1)]),
    cache.write([{ key: key(1), record: record("x") }]),
    cache.add(key(2), record("x", 1)),
    cache.replace(key("held"), Option.getOrThrow(held), record("y")),
    cache.remove([key(1), key(2)]),
    cache.clear
  ])

const isOutage = (cause: Cause.Cause<unknown>) =>
  Option.exists(
    Cause.failureOption(cause),
    (error) => error instanceof CacheError && (error.reason === "Unavailable" || error.reason === "Timeout")
  )

/** Most of their time they wait. */
const atOnce = { concurrent: true }

layer(client({ connections: 20, name: "observer" }), { excludeTestServices: true })("storms", (it) => {
  const deadlocks = Effect.gen(function* () {
    const sql = yield* SqlClient
    const rows = yield* sql<{
      readonly n: number
    }>`SELECT deadlocks::int AS n FROM pg_stat_database WHERE datname = current_database()`
    return rows[0]?.n ?? 0
  })

  it.scoped(
    "transactions that invalidate and set several keys in any order, beside the backend's batches: no dead-lock on either side",
    () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient
        const table = freshTable()
        const mine = freshTable()
        yield* sql`CREATE UNLOGGED TABLE ${sql(mine)} AS SELECT id, 0 AS n FROM generate_series(0, 49) AS id`
        const before = yield* deadlocks
        const users = yield* Layer.build(client({ connections: 10 }))
        const userCache = yield* Effect.provide(store({ table, purgeEvery: Duration.millis(10) }), users)
        const caches = yield* Effect.forEach([1, 2], () =>
          Effect.flatMap(Layer.build(client({ connections: 6 })), (own) =>
            Effect.provide(store({ table, purgeEvery: Duration.millis(10), maxEntries: 8 }), own)
          )
        )
        const failures: Array<unknown> = []
        const forAWhile = <E, R>(work: Effect.Effect<unknown, E, R>) =>
          Effect.catchAllCause(work, (cause) => Effect.sync(() => failures.push(Cause.pretty(cause)))).pipe(
            Effect.repeat(Schedule.upTo(Schedule.forever, sized(2_500, 20_000)))
          )
        yield* Effect.all(
          [
            ...Array.from({ length: 8 }, () => forAWhile(Effect.provide(userTransaction(userCache, mine), users))),
            ...caches.flatMap((cache) => Array.from({ length: 12 }, () => forAWhile(traffic(cache))))
          ],
          { concurrency: "unbounded" }
        )
        expect(failures).toEqual([])
        // each session reports its counters at most once a second, and before it ends
        yield* Effect.sleep("1200 millis")
        expect((yield* deadlocks) - before).toBe(0)
      }),
    atOnce
  )

  it.scoped(
    "every connection killed again and again under load: right values or typed errors, and the pool recovers",
    () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient
        const application = `victim_${freshTable()}`
        const victims = yield* Layer.build(client({ connections: 6, name: application }))
        const cache = yield* Effect.provide(store({ timeout: Duration.seconds(2) }), victims)
        const wrong: Array<unknown> = []
        let answered = 0
        let outages = 0
        let kills = 0
        let goesOn = true
        const worker = (index: number) =>
          Effect.gen(function* () {
            let round = 0
            let least = 0
            const one = Effect.gen(function* () {
              round++
              const rejected = yield* cache.write([{ key: key(`w${index}`), record: record(`${round}`) }])
              const [failed] = rejected
              if (failed !== undefined) return yield* Effect.fail(failed.error)
              least = round
              const [stored] = yield* cache.read([key(`w${index}`)])
              const found = Number(text(stored))
              if (!(found >= least && found <= round)) wrong.push([index, found, least, round])
              answered++
            })
            yield* Effect.catchAllCause(one, (cause) =>
              Effect.sync(() => {
                if (isOutage(cause)) outages++
                else wrong.push(Cause.pretty(cause))
              })
            ).pipe(Effect.repeat({ while: () => goesOn }))
          })
        // a slow machine gets in more kills between two answers, and so needs more of them
        const killer =
          sql`SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = ${application}`.pipe(
            Effect.repeat({
              schedule: Schedule.spaced("100 millis"),
              until: () => ++kills >= 25 && answered > 100 && outages > 0
            }),
            Effect.ensuring(
              Effect.sync(() => {
                goesOn = false
              })
            )
          )
        yield* Effect.all([killer, ...Array.from({ length: 16 }, (_, index) => worker(index))], {
          concurrency: "unbounded",
          discard: true
        })
        expect(wrong).toEqual([])
        // a connection that died last may still be in the pool
        const revived = cache.write([{ key: key("after"), record: record("alive") }])
        expect(yield* Effect.retry(revived, { times: 6 })).toEqual([])
        expect((yield* cache.read([key("after")])).map(text)).toEqual(["alive"])
        const { all, open } = yield* until(connectionsOf(sql, application), (connections) => connections.open === 0)
        expect(open).toBe(0)
        expect(all).toBeLessThanOrEqual(6)
      }),
    atOnce
  )

  it.scoped(
    "an interruption at any moment leaves no open transaction and no held connection",
    () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient
        const application = `swept_${freshTable()}`
        const context = yield* Layer.build(client({ connections: 3, name: application }))
        const own = Context.get(context, SqlClient)
        const cache = yield* Effect.provide(store(), context)
        const operations: ReadonlyArray<Effect.Effect<unknown, unknown>> = [
          ...(yield* operationsOn(cache)),
          own.withTransaction(cache.remove([key(1), key(2)])),
          own.withTransaction(Effect.zipRight(cache.write([{ key: key(1), record: record("x") }]), cache.clear)),
          own.withTransaction(Effect.zipRight(cache.add(key(3), record("x", 1)), cache.read([key(3)])))
        ]
        for (const operation of operations) {
          for (let moment = 0; moment < 40; moment++) {
            const fiber = yield* Effect.fork(operation)
            if (moment < 10) yield* Effect.forEach(Array.from({ length: moment }), () => Effect.yieldNow())
            else yield* Effect.sleep(Duration.millis((moment - 10) * 0.15))
            yield* Fiber.interrupt(fiber)
          }
        }
        const { all, open } = yield* until(connectionsOf(sql, application), (connections) => connections.open === 0)
        expect(open).toBe(0)
        expect(all).toBeLessThanOrEqual(3)
        // all three connections can be had at once
        const together = Effect.all(
          Array.from({ length: 3 }, () => own.withTransaction(own`SELECT pg_sleep(0.05)`)),
          {
            concurrency: 3
          }
        )
        yield* together
        // and no key is stuck
        for (const name of [1, 2, 3, "held"].map(key)) {
          yield* cache.remove([name])
          expect(Option.isSome(yield* cache.add(name, record("free")))).toBe(true)
        }
      }),
    atOnce
  )

  it.scoped(
    "the only connection there is, is free at once after a caller was interrupted",
    () =>
      Effect.gen(function* () {
        const cache = yield* Effect.provide(store(), yield* Layer.build(client({ connections: 1 })))
        for (const operation of yield* operationsOn(cache)) {
          for (let moment = 0; moment < 20; moment++) {
            const fiber = yield* Effect.fork(operation)
            yield* Effect.sleep(Duration.millis(moment * 0.2))
            yield* Fiber.interrupt(fiber)
            // the driver would cancel the statement through a second connection, and wait 5 seconds for one
            yield* Effect.timeout(cache.read([key(1)]), "4500 millis")
          }
        }
      }),
    atOnce
  )

  it.effect(
    "a close waits neither for ever for a connection that never comes, nor makes those wait who ask for one",
    () =>
      Effect.gen(function* () {
        const pool = yield* Scope.make()
        const context = yield* Layer.buildWithScope(client({ connections: 1 }), pool)
        const layerScope = yield* Scope.make()
        const cache = yield* store({ timeout: Duration.millis(400) }).pipe(
          Effect.provide(context),
          Scope.extend(layerScope)
        )
        const holder = yield* Scope.make()
        yield* Scope.extend(Context.get(context, SqlClient).reserve, holder)
        const asked = yield* Effect.all([
          Effect.fork(Effect.asVoid(cache.read([key(1)]))),
          Effect.fork(Effect.asVoid(cache.remove([key(1)]))),
          Effect.fork(cache.clear)
        ])
        yield* Effect.sleep("100 millis")
        const closing = yield* Effect.fork(Scope.close(layerScope, Exit.void))
        const told = yield* Effect.forEach(asked, (fiber) => Effect.flip(Fiber.join(fiber))).pipe(
          Effect.timeout("20 seconds")
        )
        expect(told.map(({ reason }) => reason)).toEqual(["Timeout", "Timeout", "Timeout"])
        yield* Fiber.join(closing)
        yield* Scope.close(holder, Exit.void)
        yield* Scope.close(pool, Exit.void)
      }),
    atOnce
  )

  it.scoped(
    "a statement that the database holds up is given up in time by those too who can't be interrupted",
    () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient
        const table = freshTable()
        const cache = yield* store({ table, timeout: Duration.millis(300) })
        const outcome = yield* sql.withTransaction(
          Effect.gen(function* () {
            yield* sql`LOCK TABLE ${sql(table)} IN ACCESS EXCLUSIVE MODE`
            // the table is held until it is given up
            return yield* outsideTransaction(Effect.uninterruptible(Effect.flip(cache.clear)))
          })
        )
        expect(outcome.reason).toBe("Timeout")
      }),
    atOnce
  )

  it.scoped(
    "who waits for a record when the layer closes is told so, and not interrupted",
    () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient
        const table = freshTable()
        const layerScope = yield* Scope.make()
        const cache = yield* Scope.extend(store({ table }), layerScope)
        const exit = yield* sql.withTransaction(
          Effect.gen(function* () {
            yield* cache.add(key(1), record("mine"))
            return yield* outsideTransaction(
              Effect.gen(function* () {
                const writer = yield* Effect.fork(cache.write([{ key: key(1), record: record("other") }]))
                const waiting = Effect.map(
                  sql`SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE ${`%${table}%`}`,
                  (rows) => rows.length
                )
                expect(yield* until(waiting, (statements) => statements > 0)).toBe(1)
                yield* Scope.close(layerScope, Exit.void)
                return yield* Fiber.await(writer)
              })
            )
          })
        )
        const rejected = yield* exit
        expect(rejected.map(({ error }) => error.reason)).toEqual(["Unavailable"])
      }),
    atOnce
  )

  it.scoped(
    "a database that does not answer is left after the timeout, and used again when it does",
    () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient
        const table = freshTable()
        const cache = yield* Effect.provide(
          store({ table, timeout: Duration.millis(300) }),
          yield* Layer.build(client({ connections: 2 }))
        )
        yield* cache.write([{ key: key(1), record: record("x") }])
        yield* sql.withTransaction(
          Effect.gen(function* () {
            yield* sql`LOCK TABLE ${sql(table)} IN ACCESS EXCLUSIVE MODE`
            const errors = yield* Effect.all(
              [
                Effect.flip(cache.read([key(1)])),
                Effect.flip(cache.write([{ key: key(1), record: record("y") }])),
                Effect.flip(cache.add(key(2), record("y"))),
                Effect.flip(cache.remove([key(1)])),
                Effect.flip(cache.clear)
              ],
              { concurrency: "unbounded" }
            ).pipe(outsideTransaction, Effect.timeout("20 seconds"))
            expect(errors.map((error) => error.reason)).toEqual(Array(5).fill("Timeout"))
            yield* Effect.sleep("300 millis")
          })
        )
        // the write that was given up does not happen long after
        const again = Effect.retry(cache.read([key(1)]), { times: 60, schedule: Schedule.spaced("300 millis") })
        expect((yield* again).map(text)).toEqual(["x"])
      }),
    atOnce
  )
})
