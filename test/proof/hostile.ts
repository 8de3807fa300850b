/**
 * A hostile writer: a thousand forged or damaged records a second, written straight into the table or the server, beside real
 * load. Does a caller ever get a wrong value, wait without end, or die?
 */
import { PgClient } from "@effect/sql-pg"
import { Cause, Effect, Exit, Fiber, Layer, Option, Redacted, type Scope } from "effect"
import { CacheBackend, cached } from "effect-cached"
import { Redis } from "ioredis"
import { stamp } from "../cluster/history.js"
import { type ServerDescription, storeLayer } from "../cluster/stores.js"
import { forge, random } from "./forgeries.js"
import { type Session, session } from "./memcachedSession.js"
import { count, percentile, type Scenario, storeTitles } from "./scenario.js"

const forgeriesPerSecond = 1_000
const keysOfEach = 100
const callers = 16

interface Value {
  readonly owner: string
  readonly id: number
  readonly text: string
}

/** The bytes of stored records, as the forger finds them, and how it writes others over them. */
interface Target {
  /** A few keys with their records. */
  readonly sample: Effect.Effect<ReadonlyArray<{ readonly key: string; readonly bytes: Buffer }>, unknown>
  readonly overwrite: (
    forged: ReadonlyArray<{ readonly key: string; readonly bytes: Buffer }>
  ) => Effect.Effect<void, unknown>
}

/** The first bytes of an item are its generation, and in Redis its token: without the first, an item is too easily refused. */
const headerLengths: Readonly<Record<ServerDescription["_tag"], number>> = { sql: 0, memcached: 8, redis: 20 }

const sqlTarget = ({
  table,
  url
}: Extract<ServerDescription, { _tag: "sql" }>): Effect.Effect<Target, unknown, Scope.Scope> =>
  Effect.map(Layer.build(PgClient.layer({ url: Redacted.make(url), maxConnections: 2 })), (context) => {
    const query = <A extends object>(text: string, parameters: ReadonlyArray<unknown>) =>
      Effect.flatMap(PgClient.PgClient, (sql) => sql.unsafe<A>(text, [...parameters])).pipe(Effect.provide(context))
    return {
      sample: Effect.map(
        query<{ readonly key: string; readonly value: Buffer }>(
          `SELECT key, value FROM ${table} WHERE value IS NOT NULL ORDER BY random() LIMIT 50`,
          []
        ),
        (rows) => rows.map(({ key, value }) => ({ key, bytes: value }))
      ),
      // Every tenth loses its token as well.
      overwrite: (forged) =>
        query(
          `UPDATE ${table} AS t SET value = f.value, expires_at = now() + interval '1 hour',
             token = CASE WHEN random() < 0.1 THEN NULL ELSE gen_random_uuid() END
           FROM (SELECT DISTINCT ON (key) key, value FROM unnest($1::text[], $2::bytea[]) AS u(key, value)) f WHERE t.key = f.key`,
          [forged.map(({ key }) => key), forged.map(({ bytes }) => bytes)]
        )
    }
  })

const memcachedTarget = (
  { servers }: Extract<ServerDescription, { _tag: "memcached" }>,
  itemKeys: (one: Session) => Effect.Effect<ReadonlyArray<string>, unknown>
): Effect.Effect<Target, unknown, Scope.Scope> =>
  Effect.map(session(servers), (one) => ({
    sample: Effect.flatMap(itemKeys(one), (keys) =>
      Effect.map(
        Effect.forEach(
          Array.from({ length: 50 }, () => keys[Math.floor(Math.random() * keys.length)] ?? ""),
          (key) => Effect.map(one.get(key), (bytes) => (bytes === undefined ? [] : [{ key, bytes }]))
        ),
        (found) => found.flat()
      )
    ),
    overwrite: (forged) => Effect.forEach(forged, ({ bytes, key }) => one.set(key, bytes, 3_600), { discard: true })
  }))

const redisTarget = ({
  url
}: Extract<ServerDescription, { _tag: "redis" }>): Effect.Effect<Target, unknown, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.sync(() => new Redis(url)),
      (client) => Effect.sync(() => client.disconnect())
    ),
    (client) => ({
      sample: Effect.promise(async () => {
        const pipeline = client.pipeline()
        for (let time = 0; time < 50; time++) pipeline.randomkey()
        const keys = ((await pipeline.exec()) ?? []).flatMap(([, key]) => (typeof key === "string" ? [key] : []))
        if (keys.length === 0) return []
        const values = await client.mgetBuffer(keys)
        return keys.flatMap((key, index) => {
          const bytes = values[index]
          return bytes === null || bytes === undefined ? [] : [{ key, bytes }]
        })
      }),
      overwrite: (forged) =>
        Effect.promise(() => {
          const pipeline = client.pipeline()
          for (const { bytes, key } of forged) pipeline.set(key, bytes, "EX", 3_600)
          return pipeline.exec()
        })
    })
  )

const targetOn = (store: ServerDescription, records: Effect.Effect<ReadonlyArray<string>, unknown>) => {
  switch (store._tag) {
    case "sql":
      return sqlTarget(store)
    case "memcached":
      return memcachedTarget(store, () => records)
    case "redis":
      return redisTarget(store)
  }
}

const forging = (target: Target, prefix: number, until: number) =>
  Effect.gen(function* () {
    let forged = 0
    const begun = stamp()
    while (stamp() < until) {
      const records = yield* target.sample
      const due = Math.max(0, Math.floor(((stamp() - begun) * forgeriesPerSecond) / 1_000) - forged)
      const batch: Array<{ readonly key: string; readonly bytes: Buffer }> = []
      for (let made = 0; made < Math.min(due, 500) && records.length > 0; made++) {
        const one = records[random(records.length)]
        const other = records[random(records.length)]
        if (one === undefined || other === undefined) continue
        batch.push({ key: one.key, bytes: forge(one.bytes, other.bytes, Math.min(prefix, one.bytes.length)) })
      }
      yield* target.overwrite(batch)
      forged += batch.length
      yield* Effect.sleep("20 millis")
    }
    return forged
  })

const heapNow = (): number => {
  globalThis.gc?.()
  return process.memoryUsage().heapUsed / 1_048_576
}

export const hostile =
  (seconds: number): Scenario =>
  ({ server, store }) =>
    Effect.gen(function* () {
      const { records, store: description } = yield* server({ faulty: false })
      const context = yield* Layer.build(storeLayer(description))
      const options = { ttl: 2_000, stale: 2_000, lease: 1_000, maxLease: 3_000 } as const
      const make = (owner: string, groups: (id: number) => ReadonlyArray<string>) =>
        cached(
          (id: number) =>
            Effect.as(Effect.sleep("2 millis"), { owner, id, text: `${owner} ${id} `.repeat(10) } satisfies Value),
          { key: owner, ...options, groups }
        )
      const functions = [make("plain", () => []), make("grouped", (id) => ["all", `shelf${id % 5}`])] as const
      let calls = 0
      let wrong = 0
      let died = 0
      let reason = ""
      const took: Array<number> = []
      const until = stamp() + seconds * 1_000
      const call = Effect.gen(function* () {
        const id = random(keysOfEach)
        const of = random(2)
        const begin = stamp()
        const exit = yield* Effect.exit((functions[of] ?? functions[0])(id))
        took.push(stamp() - begin)
        calls++
        if (Exit.isSuccess(exit)) {
          const { id: got, owner, text } = exit.value
          const expected = of === 1 ? "grouped" : "plain"
          if (got !== id || owner !== expected || text !== `${expected} ${id} `.repeat(10)) wrong++
        } else {
          died++
          reason ||= ` (${Cause.pretty(exit.cause).split("\n")[0]})`
        }
        if (random(50) === 0) yield* Effect.ignore((functions[of] ?? functions[0]).invalidate(id))
        if (random(50) === 0) {
          const cache = yield* CacheBackend
          const count = yield* Effect.option(cache.get(`count${random(20)}`))
          if (Option.isSome(count)) yield* Effect.ignore(cache.increment(`count${random(20)}`))
        }
        yield* Effect.sleep("2 millis")
      })
      const loading = Effect.forEach(
        Array.from({ length: callers }),
        () => Effect.repeat(call, { while: () => stamp() < until }),
        { concurrency: "unbounded", discard: true }
      ).pipe(Effect.provide(context))
      const target = yield* targetOn(description, records)
      const forger = yield* Effect.fork(forging(target, headerLengths[description._tag], until))
      const load = yield* Effect.fork(loading)
      yield* Effect.sleep((seconds * 1_000) / 3)
      const early = heapNow()
      yield* Effect.sleep((seconds * 1_000) / 3)
      const late = heapNow()
      const ended = yield* Effect.timeoutOption(Fiber.join(load), (seconds * 1_000) / 3 + 20_000)
      const hung = Option.isNone(ended)
      if (hung) yield* Fiber.interruptFork(load)
      const forged = yield* Fiber.join(forger)
      const slowest = took.reduce((most, one) => Math.max(most, one), 0)
      return [
        {
          what: `${count(forged)} forged records in ${seconds} s beside ${count(calls)} calls: wrong values, calls that died, calls without an end`,
          store: storeTitles[store],
          measured: `${wrong}, ${died}${reason}, ${hung ? "some" : "none"} (p50 ${percentile(took, 0.5).toFixed(1)} ms, the slowest ${slowest.toFixed(0)} ms; heap ${early.toFixed(0)} → ${late.toFixed(0)} MB)`,
          kept: wrong + died === 0 && !hung && late < early * 1.5 + 10
        }
      ]
    })
