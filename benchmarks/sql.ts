/**
 * The SQL backend beside bare `pg`, `@effect/sql` and `@keyv/postgres` on one server in one run: hits and sets at 1 and 64
 * callers, and on tables of a thousand to a million rows. Subjects take turns; look at the ratios.
 */
import { SqlClient } from "@effect/sql"
import { PgClient } from "@effect/sql-pg"
import KeyvPostgres from "@keyv/postgres"
import { Console, Effect, Layer, Redacted } from "effect"
import { CacheBackend } from "effect-cached"
import * as SqlBackend from "effect-cached/SqlBackend"
import pg from "pg"
import { postgres } from "../test/servers/postgres.js"
import { median } from "./tools/measure.js"

const connections = 10
const payload = "x".repeat(100)

type Subject = readonly [name: string, call: () => Effect.Effect<unknown, unknown>]

const repeat = (call: Subject[1], callers: number, more: () => boolean) =>
  Effect.all(
    Array.from({ length: callers }, () => Effect.whileLoop({ while: more, body: call, step: () => undefined })),
    { concurrency: "unbounded", discard: true }
  )

const warmUpMillis = 2_000

/** Calls a second: the median of rounds in which every subject has its turn. */
const measure = (subjects: ReadonlyArray<Subject>, callers: number, calls: number, rounds = 7) =>
  Effect.gen(function* () {
    const rates = subjects.map((): Array<number> => [])
    // The larger the program, the longer until all of it is compiled.
    for (const [, call] of subjects) {
      const end = performance.now() + warmUpMillis
      yield* repeat(call, callers, () => performance.now() < end)
    }
    for (let round = 0; round < rounds; round++) {
      for (const [index, [, call]] of subjects.entries()) {
        let left = calls
        const started = performance.now()
        yield* repeat(call, callers, () => left-- > 0)
        rates[index]?.push((calls * 1_000) / (performance.now() - started))
      }
    }
    return new Map(subjects.map(([name], index) => [name, median(rates[index] ?? [])]))
  })

const report = (title: string, rates: ReadonlyMap<string, number>, reference: string) =>
  Effect.forEach(rates, ([name, rate]) =>
    Console.log(
      `${title.padEnd(26)} ${name.padEnd(28)} ${rate.toFixed(0).padStart(8)}/s  ${(rate / (rates.get(reference) ?? Number.NaN)).toFixed(2).padStart(6)} × ${reference}`
    )
  )

const program = (url: string) =>
  Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const cache = yield* CacheBackend
    const pool = new pg.Pool({ connectionString: url, max: connections })
    // the server may be stopped before its clients
    pool.on("error", () => undefined)
    const keyv = new KeyvPostgres({ uri: url, table: "keyv_bench", max: connections })

    yield* sql`CREATE UNLOGGED TABLE plain (key text PRIMARY KEY, value bytea NOT NULL)`
    const value = Buffer.from(payload)
    let rows = 0
    const any = () => `k${Math.floor(Math.random() * rows)}`
    const grow = (to: number) =>
      Effect.gen(function* () {
        yield* sql`INSERT INTO plain SELECT 'k' || i, ${value} FROM generate_series(${rows}::int, ${to - 1}::int) i`
        // one stored by the backend is the pattern of all others
        yield* cache.set("k0", payload, { ttl: "1 hour" })
        yield* sql`INSERT INTO effect_cache (key, token, value, expires_at)
          SELECT regexp_replace(key, 'k0"?$', '') || 'k' || i || substring(key from 'k0("?)$'), gen_random_uuid(), value, expires_at
          FROM effect_cache, generate_series(${Math.max(1, rows)}::int, ${to - 1}::int) i WHERE key ~ 'k0"?$'
          ON CONFLICT DO NOTHING`
        // or the server would do so by itself, while it is measured
        yield* sql`VACUUM ANALYZE plain`
        yield* sql`VACUUM ANALYZE effect_cache`
        rows = to
      })
    for (let index = 0; index < 1_000; index++) yield* Effect.promise(() => keyv.set(`k${index}`, payload))

    const hits: ReadonlyArray<Subject> = [
      [
        "pg",
        () =>
          Effect.promise(() =>
            pool.query({ name: "hit", text: "SELECT value FROM plain WHERE key = $1", values: [any()] })
          )
      ],
      ["@effect/sql", () => sql`SELECT value FROM plain WHERE key = ${any()}`],
      ["@keyv/postgres", () => Effect.promise(() => keyv.get(`k${Math.floor(Math.random() * 1_000)}`))],
      ["effect-cached", () => Effect.filterOrDieMessage(cache.get(any()), (hit) => hit._tag === "Some", "not a hit")]
    ]
    const upsert = "INSERT INTO plain VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = excluded.value"
    const sets: ReadonlyArray<Subject> = [
      ["pg", () => Effect.promise(() => pool.query({ name: "set", text: upsert, values: [any(), value] }))],
      [
        "@effect/sql",
        () => sql`INSERT INTO plain VALUES (${any()}, ${value}) ON CONFLICT (key) DO UPDATE SET value = excluded.value`
      ],
      ["@keyv/postgres", () => Effect.promise(() => keyv.set(`k${Math.floor(Math.random() * 1_000)}`, payload))],
      ["effect-cached", () => cache.set(any(), payload, { ttl: "1 hour" })]
    ]

    for (const size of [1_000, 10_000, 100_000, 1_000_000]) {
      yield* grow(size)
      for (const callers of [1, 64]) {
        const calls = callers === 1 ? 500 : 4_000
        const name = `${size} rows, ${callers} callers`
        yield* report(`hit, ${name}`, yield* measure(hits, callers, calls), callers === 1 ? "@effect/sql" : "pg")
        yield* report(`set, ${name}`, yield* measure(sets, callers, calls), "@effect/sql")
      }
    }
    yield* Effect.promise(() => keyv.disconnect())
    yield* Effect.promise(() => pool.end())
    // neither waits for its sockets, and an error on one of these would end the process when the server stops
    yield* Effect.sleep("500 millis")
  })

const benchmark = Effect.scoped(
  Effect.gen(function* () {
    const { url } = yield* postgres
    const client = PgClient.layer({ url: Redacted.make(url), maxConnections: connections })
    const context = yield* Layer.build(Layer.merge(client, Layer.provide(SqlBackend.layer(), client)))
    yield* Effect.provide(program(url), context)
  })
)

await Effect.runPromise(benchmark)
