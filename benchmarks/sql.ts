/**
 * The SQL backend beside bare `pg`, `@effect/sql` and `@keyv/postgres` on one server in one run: hits and sets at 1 and 64
 * callers, and on tables of a thousand to a million rows. Look at the ratios.
 */
import { SqlClient } from "@effect/sql"
import { PgClient } from "@effect/sql-pg"
import KeyvPostgres from "@keyv/postgres"
import { Array, Context, Effect, Layer, Redacted } from "effect"
import { CacheBackend } from "effect-cached"
import * as SqlBackend from "effect-cached/SqlBackend"
import pg from "pg"
import { postgresWith } from "../test/servers/postgres.js"
import { contest, everyHitIsOne, ofEffect, ofPromise, type Subject } from "./tools/contest.js"

const connections = 10
const payload = "x".repeat(100)
const value = Buffer.from(payload)
const upsert = "INSERT INTO plain VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = excluded.value"
const keyvRows = 1_000

const anyOf = (rows: number) => `k${Math.floor(Math.random() * rows)}`

const clientLayer = (url: string) => PgClient.layer({ url: Redacted.make(url), maxConnections: connections })

type Entrant = Subject<"hit" | "set">

const pgPool = (url: string) =>
  Effect.acquireRelease(
    Effect.sync(() => new pg.Pool({ connectionString: url, max: connections })),
    (pool) => Effect.promise(() => pool.end())
  )

const hitOn = (pool: pg.Pool, rows: number) => () =>
  pool.query({ name: "hit", text: "SELECT value FROM plain WHERE key = $1", values: [anyOf(rows)] })

const pgAlone: Entrant = (url) =>
  Effect.map(pgPool(url), (pool) => ({
    hit: (rows) => ofPromise(hitOn(pool, rows)),
    set: (rows) => ofPromise(() => pool.query({ name: "set", text: upsert, values: [anyOf(rows), value] }))
  }))

/** However many ask: one after the other. */
const pgOneByOne: Entrant = (url) =>
  Effect.map(pgPool(url), (pool) => ({
    hit: (rows) => {
      const hit = hitOn(pool, rows)
      let last: Promise<unknown> = Promise.resolve()
      return ofPromise(() => {
        last = last.then(hit)
        return last
      })
    }
  }))

/**
 * How far gathering goes at all: fibers that are woken by answers, and nothing else that a cache does; no expiry, no
 * encoding, no time limit, no thought of who was interrupted or of what failed.
 */
const gatheredByHand: Entrant = (url) =>
  Effect.map(pgPool(url), (pool) => {
    interface Waiter {
      readonly key: string
      readonly resume: (found: Effect.Effect<unknown>) => void
    }
    const waiters: Array<Waiter> = []
    let underWay = 0
    const send = (): void => {
      const most = underWay === 0 ? Math.ceil(waiters.length / 2) : waiters.length
      const batch = waiters.splice(0, most)
      if (batch.length === 0) return
      underWay++
      const query = {
        name: "many",
        text: "SELECT key, value FROM plain WHERE key = ANY($1)",
        values: [batch.map(({ key }) => key)]
      }
      pool.query<{ readonly key: string; readonly value: Buffer }>(query, (_, { rows }) => {
        underWay--
        const found = new Map(rows.map(({ key, value }) => [key, value]))
        for (const { key, resume } of batch) resume(Effect.succeed(found.get(key)))
      })
      send()
    }
    const ask = (waiter: Waiter): void => {
      if (waiters.push(waiter) === 1) queueMicrotask(() => queueMicrotask(send))
    }
    return {
      hit: (rows) => ofEffect(() => Effect.async<unknown>((resume) => ask({ key: anyOf(rows), resume })))
    }
  })

const effectSql: Entrant = (url) =>
  Effect.gen(function* () {
    const sql = Context.get(yield* Layer.build(clientLayer(url)), SqlClient.SqlClient)
    return {
      hit: (rows) => ofEffect(() => sql`SELECT value FROM plain WHERE key = ${anyOf(rows)}`),
      set: (rows) =>
        ofEffect(
          () =>
            sql`INSERT INTO plain VALUES (${anyOf(rows)}, ${value}) ON CONFLICT (key) DO UPDATE SET value = excluded.value`
        )
    }
  })

const keyv: Entrant = (url) =>
  Effect.gen(function* () {
    const store = yield* Effect.acquireRelease(
      Effect.sync(() => new KeyvPostgres({ uri: url, table: "keyv_bench", max: connections })),
      (store) => Effect.promise(() => store.disconnect())
    )
    for (let index = 0; index < keyvRows; index++) yield* Effect.promise(() => store.set(`k${index}`, payload))
    return {
      hit: () => ofPromise(() => store.get(anyOf(keyvRows))),
      set: () => ofPromise(() => store.set(anyOf(keyvRows), payload))
    }
  })

const effectCached: Entrant = (url) =>
  Effect.gen(function* () {
    const cache = Context.get(yield* Layer.build(Layer.provide(SqlBackend.layer(), clientLayer(url))), CacheBackend)
    yield* everyHitIsOne(cache)
    return {
      hit: (rows) => ofEffect(() => cache.get(anyOf(rows))),
      set: (rows) => ofEffect(() => cache.set(anyOf(rows), payload, { ttl: "1 hour" }))
    }
  })

/** Fills both tables. */
const grow = (from: number, to: number) =>
  Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const cache = yield* CacheBackend
    yield* sql`INSERT INTO plain SELECT 'k' || i, ${value} FROM generate_series(${from}::int, ${to - 1}::int) i`
    // Each record names its key, so none can be copied.
    const keys = Array.makeBy(to - from, (index) => `k${from + index}`)
    yield* Effect.forEach(
      Array.chunksOf(keys, 1_000),
      (some) =>
        cache.setMany(
          some.map((key) => [key, payload]),
          { ttl: "1 hour" }
        ),
      { concurrency: 4, discard: true }
    )
    // or the server would do so by itself, while it is measured
    yield* sql`VACUUM ANALYZE plain`
    yield* sql`VACUUM ANALYZE effect_cache`
  })

await contest<"hit" | "set">({
  // all data in the server's memory: without that, a million rows measure how it reads files
  server: Effect.gen(function* () {
    const { url } = yield* postgresWith({ shared_buffers: "2GB" })
    const client = clientLayer(url)
    yield* Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      yield* sql`CREATE UNLOGGED TABLE plain (key text PRIMARY KEY, value bytea NOT NULL)`
      yield* grow(0, 1_000)
    }).pipe(Effect.provide(Layer.merge(client, Layer.provide(SqlBackend.layer(), client))))
    return url
  }),
  subjects: {
    pg: pgAlone,
    "pg, one by one": pgOneByOne,
    "pg, gathered by hand": gatheredByHand,
    "@effect/sql": effectSql,
    "@keyv/postgres": keyv,
    "effect-cached": effectCached
  },
  program: ({ compare }, url) =>
    Effect.gen(function* () {
      let rows = 1_000
      for (const size of [1_000, 10_000, 100_000, 1_000_000]) {
        if (size > rows) {
          const client = clientLayer(url)
          yield* grow(rows, size).pipe(Effect.provide(Layer.merge(client, Layer.provide(SqlBackend.layer(), client))))
          rows = size
        }
        for (const lanes of [1, 64]) {
          const among = `${size.toLocaleString("en")} rows, ${lanes} at a time`
          const reference = lanes === 1 ? "@effect/sql" : "pg"
          yield* compare({ title: `hit, ${among}`, discipline: "hit", size, lanes, reference })
          yield* compare({ title: `set, ${among}`, discipline: "set", size, lanes, reference: "@effect/sql" })
        }
      }
    })
})
