/** Compressed and encrypted values keep all promises of the backend, and no server sees a value. */
import { randomUUID } from "node:crypto"
import { readdirSync, readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { SqlClient } from "@effect/sql/SqlClient"
import * as LibsqlClient from "@effect/sql-libsql/LibsqlClient"
import { afterAll, assert, describe, it } from "@effect/vitest"
import { deepStrictEqual } from "@effect/vitest/utils"
import { Effect, Exit, Layer, Option, Redacted, Scope } from "effect"
import { CacheBackend, MemoryBackend, StoreBackend, TieredBackend } from "effect-cached"
import * as Compression from "effect-cached/Compression"
import * as Encryption from "effect-cached/Encryption"
import * as MemcachedBackend from "effect-cached/MemcachedBackend"
import * as RedisBackend from "effect-cached/RedisBackend"
import * as SqlBackend from "effect-cached/SqlBackend"
import { cacheBackendSuite } from "effect-cached/testing"
import { memcachedServers } from "../servers/memcached.js"
import { redis } from "../servers/redis.js"
import { bareMemjs, freshNamespace, patience } from "../stores/memcached/support.js"
import { client, freshTable } from "../stores/postgres/support.js"
import { newFile } from "../stores/sqlite/support.js"
import { cachedSuite } from "../suites/cachedSuite.js"
import { smokeSuite } from "../suites/smokeSuite.js"
import { whole } from "../support/size.js"

const scope = Effect.runSync(Scope.make())
afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))

const shared = <A>(resource: Effect.Effect<A, Error, Scope.Scope>) =>
  Effect.runSync(Effect.cached(Scope.extend(resource, scope)))

const keys = [Redacted.make(new Uint8Array(32).fill(7))]

/** Everything is compressed that becomes shorter, and all is encrypted. */
const sealed = <E, R>(backend: Layer.Layer<CacheBackend, E, R>) =>
  backend.pipe(
    StoreBackend.transform(Compression.gzip({ over: 0 })),
    StoreBackend.transform(Encryption.aesGcm({ keys }))
  )

const redisServer = shared(redis())
const memcachedServer = shared(memcachedServers(1))
const file = shared(
  Effect.suspend(() => {
    const { create, remove, url } = newFile("WAL")
    return Effect.as(
      Effect.acquireRelease(create, () => remove),
      url
    )
  })
)
const table = freshTable()

const onRedis = (namespace = freshNamespace()) =>
  sealed(Layer.unwrapEffect(Effect.map(redisServer, ({ url }) => RedisBackend.layer({ url, namespace }))))
const onMemcached = (namespace = freshNamespace()) =>
  sealed(
    Layer.unwrapEffect(
      Effect.map(memcachedServer, (servers) => MemcachedBackend.layer({ servers, namespace, timeout: patience }))
    )
  )
const onPostgres = (namespace = randomUUID()) =>
  sealed(SqlBackend.layer({ table, namespace, timeout: "1 minute" }).pipe(Layer.provide(client())))
const onSqlite = (namespace = randomUUID()) =>
  sealed(
    Layer.unwrapEffect(
      Effect.map(file, (url) =>
        SqlBackend.layer({ namespace, timeout: "1 minute" }).pipe(Layer.provide(LibsqlClient.layer({ url })))
      )
    )
  )

const redisBackend = onRedis()
cacheBackendSuite("Redis, compressed and encrypted", redisBackend, { shared: true, neighbour: onRedis() })
smokeSuite("PostgreSQL, compressed and encrypted", onPostgres(), onPostgres())
if (whole) {
  cachedSuite("cached on Redis, compressed and encrypted", redisBackend, { shared: true })
  cacheBackendSuite(
    "a tier over Redis, compressed and encrypted",
    TieredBackend.layer({ maxStaleness: "1 hour" }).pipe(Layer.provide(onRedis()))
  )
  cacheBackendSuite("memory, compressed and encrypted", sealed(MemoryBackend.layer({ copy: true })))
  smokeSuite("memcached, compressed and encrypted", onMemcached(), onMemcached())
  smokeSuite("SQLite, compressed and encrypted", onSqlite(), onSqlite())
}

describe("the plaintext is nowhere on the server", () => {
  const word = "plaintext-that-nobody-may-see"
  const value = { short: word, long: `${word} `.repeat(2_000) }

  /** Stores the value in every way, and reads it back; then looks at what the server has. */
  const stored = <E>(layer: Layer.Layer<CacheBackend, E>) =>
    Effect.gen(function* () {
      const cache = yield* CacheBackend
      yield* cache.set("set", value, { groups: ["group"], stale: "1 hour" })
      yield* cache.touch("set", "1 hour")
      yield* cache.add("add", value)
      yield* cache.setMany([["many", value]])
      yield* cache.getOrSet("computed", Effect.succeed(value))
      for (const key of ["set", "add", "many", "computed"]) {
        deepStrictEqual(yield* cache.get(key), Option.some(value))
      }
    }).pipe(Effect.provide(layer))

  const sees = (bytes: Buffer, ...names: ReadonlyArray<string>) => {
    assert.notInclude(bytes.toString("latin1"), word)
    // It is the right place.
    for (const name of names) assert.include(bytes.toString("latin1"), name)
  }

  it.scopedLive("Redis", () =>
    Effect.gen(function* () {
      const namespace = freshNamespace()
      yield* stored(onRedis(namespace))
      const server = yield* redisServer
      for (const key of ["set", "add", "many", "computed"]) {
        sees(Buffer.from(yield* server.ask("GET", `v1:${namespace}:${key}`), "latin1"), key)
      }
    })
  )

  it.scopedLive("memcached", () =>
    Effect.gen(function* () {
      const namespace = freshNamespace()
      yield* stored(onMemcached(namespace))
      const memjs = yield* bareMemjs(yield* memcachedServer)
      for (const key of ["set", "add", "many", "computed"]) {
        const { value: bytes } = yield* Effect.promise(() => memjs.get(`v1:${namespace}:${key}`))
        sees(bytes ?? Buffer.alloc(0), key)
      }
    })
  )

  it.scopedLive("PostgreSQL", () =>
    Effect.gen(function* () {
      const namespace = randomUUID()
      yield* stored(onPostgres(namespace))
      const sql = yield* SqlClient
      const rows = yield* sql.unsafe<{ readonly value: Buffer }>(`SELECT value FROM ${table} WHERE key LIKE $1`, [
        `v1:${namespace}:%`
      ])
      assert.isAtLeast(rows.length, 4)
      sees(Buffer.concat(rows.map(({ value: bytes }) => bytes)), "set", "add", "many", "computed")
    }).pipe(Effect.provide(client()))
  )

  it.scopedLive("SQLite", () =>
    Effect.gen(function* () {
      yield* stored(onSqlite())
      const folder = dirname(fileURLToPath(yield* file))
      sees(
        Buffer.concat(readdirSync(folder).map((name) => readFileSync(join(folder, name)))),
        "set",
        "add",
        "many",
        "computed"
      )
    })
  )
})
