/** The caching libraries of the comparison behind one interface, each used as its manual says. */
import { PersistedCache, Persistence } from "@effect/experimental"
import { KeyValueStore } from "@effect/platform"
import { PgClient } from "@effect/sql-pg"
import { KeyvMemcache } from "@keyv/memcache"
import KeyvPostgres from "@keyv/postgres"
import KeyvRedis from "@keyv/redis"
import { BentoCache, bentostore } from "bentocache"
import { knexDriver } from "bentocache/drivers/knex"
import { memoryDriver } from "bentocache/drivers/memory"
import { redisBusDriver, redisDriver } from "bentocache/drivers/redis"
import { Cacheable, Keyv } from "cacheable"
import { Cache, Context, Duration, Effect, Layer, Option, PrimaryKey, Redacted, Schema, type Scope } from "effect"
import { CacheBackend, type CacheStats, cached } from "effect-cached"
import { Redis } from "ioredis"
import createKnex from "knex"
import { Client } from "memjs"
import { type StoreDescription, storeLayer } from "../cluster/stores.js"

export const subjectNames = ["effect-cached", "Cache", "PersistedCache", "bentocache", "cacheable"] as const
export type SubjectName = (typeof subjectNames)[number]

export interface Value {
  readonly id: string
}

export interface Timing {
  /** Milliseconds for which the value is fresh. */
  readonly ttl: number
  readonly compute: Effect.Effect<Value>
}

export interface Subject {
  readonly call: (key: string, timing: Timing) => Effect.Effect<Value, unknown, CacheBackend>
  /** Of those who can. */
  readonly invalidate: (key: string) => Effect.Effect<void, unknown, CacheBackend>
  /** Empty if the library keeps no counts. */
  readonly stats: Effect.Effect<Partial<CacheStats>>
  /** This library's own service. */
  readonly context?: Context.Context<CacheBackend>
}

export interface Settings {
  readonly store: StoreDescription
  /** Milliseconds. */
  readonly lease: number
}

/** How long past its time to live a value may be served, if the library can do that. */
const grace = 600_000

/** Only this library's subject is asked for more than calls. */
const noMore = { stats: Effect.succeed({}), invalidate: () => Effect.dieMessage("not part of the comparison") } as const

const ours = ({ lease, store }: Settings) =>
  Effect.gen(function* () {
    const context = yield* Layer.build(storeLayer(store))
    const timings = new Map<string, Timing>()
    const latest = (key: string) => timings.get(key) ?? { ttl: 0, compute: Effect.dieMessage("no timing") }
    const f = cached((key: string) => Effect.suspend(() => latest(key).compute), {
      key: "proof",
      ttl: (_value, key) => latest(key).ttl,
      stale: grace,
      lease
    })
    return {
      call: (key, timing) =>
        Effect.suspend(() => {
          timings.set(key, timing)
          return f(key)
        }),
      invalidate: (key) => f.invalidate(key),
      stats: Context.get(context, CacheBackend).stats,
      context
    } satisfies Subject
  })

/** Effect's own cache, in memory: no other process has its values. */
const effectCache = Effect.gen(function* () {
  let timing: Timing = { ttl: 0, compute: Effect.dieMessage("no timing") }
  const cache = yield* Cache.makeWith({
    capacity: 10_000,
    lookup: (_key: string) => Effect.suspend(() => timing.compute),
    timeToLive: () => Duration.millis(timing.ttl)
  })
  return {
    call: (key, given) =>
      Effect.suspend(() => {
        timing = given
        return cache.get(key)
      }),
    ...noMore
  } satisfies Subject
})

const redisClient = (url: string) =>
  Effect.acquireRelease(
    Effect.sync(() => new Redis(url)),
    (opened) => Effect.sync(() => opened.disconnect())
  )

class Request extends Schema.TaggedRequest<Request>()("Request", {
  failure: Schema.String,
  success: Schema.Struct({ id: Schema.String }),
  payload: { key: Schema.String }
}) {
  [PrimaryKey.symbol]() {
    return this.key
  }
}

/** Its store is a `KeyValueStore`, for which no server here has one: these few lines are what a user would write. */
const keyValueStore = (store: StoreDescription): Effect.Effect<KeyValueStore.KeyValueStore, unknown, Scope.Scope> =>
  Effect.gen(function* () {
    const unused = Effect.dieMessage("not part of the comparison")
    if (store._tag === "sql") {
      const context = yield* Layer.build(PgClient.layer({ url: Redacted.make(store.url), maxConnections: 4 }))
      const sql = Context.get(context, PgClient.PgClient)
      const table = sql(`${store.table}_kv`)
      yield* Effect.retry(sql`CREATE TABLE IF NOT EXISTS ${table} (key text PRIMARY KEY, value text)`, { times: 5 })
      return KeyValueStore.makeStringOnly({
        get: (key) =>
          Effect.orDie(
            Effect.map(sql<{ readonly value: string }>`SELECT value FROM ${table} WHERE key = ${key}`, ([row]) =>
              Option.fromNullable(row?.value)
            )
          ),
        set: (key, value) =>
          Effect.asVoid(
            Effect.orDie(
              sql`INSERT INTO ${table} VALUES (${key}, ${value}) ON CONFLICT (key) DO UPDATE SET value = EXCLUDED.value`
            )
          ),
        remove: (key) => Effect.asVoid(Effect.orDie(sql`DELETE FROM ${table} WHERE key = ${key}`)),
        clear: unused,
        size: unused
      })
    }
    if (store._tag === "redis") {
      const redis = yield* redisClient(store.url)
      return KeyValueStore.makeStringOnly({
        get: (key) => Effect.promise(async () => Option.fromNullable(await redis.get(`kv:${key}`))),
        set: (key, value) => Effect.asVoid(Effect.promise(() => redis.set(`kv:${key}`, value, "EX", 600))),
        remove: (key) => Effect.asVoid(Effect.promise(() => redis.del(`kv:${key}`))),
        clear: unused,
        size: unused
      })
    }
    const client = yield* Effect.acquireRelease(
      Effect.sync(() => Client.create(store._tag === "memcached" ? store.servers : "", { timeout: 5 })),
      (opened) => Effect.sync(() => opened.close())
    )
    return KeyValueStore.makeStringOnly({
      get: (key) => Effect.promise(async () => Option.fromNullable((await client.get(`kv:${key}`)).value?.toString())),
      set: (key, value) => Effect.asVoid(Effect.promise(() => client.set(`kv:${key}`, value, { expires: 600 }))),
      remove: (key) => Effect.asVoid(Effect.promise(() => client.delete(`kv:${key}`))),
      clear: unused,
      size: unused
    })
  })

const persistedCache = ({ store }: Settings) =>
  Effect.gen(function* () {
    let timing: Timing = { ttl: 0, compute: Effect.dieMessage("no timing") }
    const backing = Persistence.layerResultKeyValueStore.pipe(
      Layer.provide(Layer.effect(KeyValueStore.KeyValueStore, keyValueStore(store)))
    )
    const context = yield* Layer.build(backing)
    const cache = yield* Effect.provide(
      PersistedCache.make<Request, never>({
        storeId: "proof",
        lookup: () => Effect.suspend(() => timing.compute),
        timeToLive: () => Duration.millis(timing.ttl),
        inMemoryTTL: Duration.millis(500)
      }),
      context
    )
    return {
      call: (key, given) =>
        Effect.suspend(() => {
          timing = given
          return cache.get(new Request({ key }))
        }),
      ...noMore
    } satisfies Subject
  })

/** The layers of bentocache: the second in PostgreSQL, or in Redis with its bus there. */
const bentoLayers = ({ store }: Settings) =>
  Effect.gen(function* () {
    const two = bentostore().useL1Layer(memoryDriver({ maxItems: 10_000 }))
    if (store._tag === "redis") {
      const { hostname: host, port } = new URL(store.url)
      const connection = { host, port: Number(port) }
      return two.useL2Layer(redisDriver({ connection })).useBus(redisBusDriver({ connection }))
    }
    if (store._tag !== "sql") return yield* Effect.fail("no driver for memcached")
    const knex = yield* Effect.acquireRelease(
      Effect.sync(() => createKnex({ client: "pg", connection: store.url, pool: { min: 0, max: 4 } })),
      (opened) => Effect.promise(() => opened.destroy())
    )
    return two.useL2Layer(knexDriver({ connection: knex, tableName: `${store.table}_bento` }))
  })

/** A stale value is served at once and recomputed in the background. */
const bentocache = (settings: Settings) =>
  Effect.gen(function* () {
    const layers = yield* bentoLayers(settings)
    const bento = yield* Effect.acquireRelease(
      Effect.sync(() => new BentoCache({ default: "two", stores: { two: layers } })),
      (opened) => Effect.promise(() => opened.disconnectAll())
    )
    const runtime = yield* Effect.runtime<never>()
    // The first operation creates the table; processes that start together would create it at the same time.
    yield* Effect.retry(
      Effect.tryPromise(() => bento.get({ key: "warm" })),
      { times: 5 }
    )
    return {
      call: (key, { compute, ttl }) =>
        Effect.tryPromise(() =>
          bento.getOrSet({
            key,
            factory: () => Effect.runPromise(Effect.provide(compute, runtime)),
            ttl,
            grace,
            timeout: 0
          })
        ),
      ...noMore
    } satisfies Subject
  })

const cacheable = ({ store }: Settings) =>
  Effect.gen(function* () {
    const adapter =
      store._tag === "sql"
        ? new KeyvPostgres({ uri: store.url, table: `${store.table}_keyv`, max: 4 })
        : store._tag === "redis"
          ? new KeyvRedis(store.url)
          : new KeyvMemcache(store._tag === "memcached" ? store.servers : "")
    const cache = yield* Effect.acquireRelease(
      Effect.sync(() => new Cacheable({ secondary: new Keyv({ store: adapter, throwOnErrors: false }) })),
      (opened) => Effect.promise(() => opened.disconnect())
    )
    yield* Effect.retry(
      Effect.tryPromise(() => cache.get("warm")),
      { times: 5 }
    )
    return {
      call: (key, { compute, ttl }) =>
        Effect.flatMap(
          Effect.tryPromise(() => cache.getOrSet(key, () => Effect.runPromise(compute), { ttl })),
          (value) => (value === undefined ? Effect.fail("no value") : Effect.succeed(value))
        ),
      ...noMore
    } satisfies Subject
  })

export const makeSubject = (name: SubjectName, settings: Settings): Effect.Effect<Subject, unknown, Scope.Scope> => {
  switch (name) {
    case "effect-cached":
      return ours(settings)
    case "Cache":
      return effectCache
    case "PersistedCache":
      return persistedCache(settings)
    case "bentocache":
      return bentocache(settings)
    case "cacheable":
      return cacheable(settings)
  }
}
