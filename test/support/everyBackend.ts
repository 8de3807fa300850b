/** One backend of each kind on a real server, under a namespace of its own, for what is made over any `CacheBackend`. */
import { randomUUID } from "node:crypto"
import * as LibsqlClient from "@effect/sql-libsql/LibsqlClient"
import { Effect, Exit, Layer, Scope } from "effect"
import { type CacheBackend, MemoryBackend } from "effect-cached"
import * as MemcachedBackend from "effect-cached/MemcachedBackend"
import * as RedisBackend from "effect-cached/RedisBackend"
import * as SqlBackend from "effect-cached/SqlBackend"
import { afterAll } from "vitest"
import { memcachedServers } from "../servers/memcached.js"
import { redisUrl } from "../servers/redis.js"
import { freshNamespace, patience } from "../stores/memcached/support.js"
import { client, freshTable } from "../stores/postgres/support.js"
import { freshFile } from "../stores/sqlite/support.js"

export type AnyBackend = Layer.Layer<CacheBackend, unknown>

/** To be called by the test file. Each call of a function makes a namespace, which all builds of its layer share. */
export const everyBackend = (): Readonly<Record<string, () => AnyBackend>> => {
  const scope = Effect.runSync(Scope.make())
  afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))
  const shared = <A, E>(resource: Effect.Effect<A, E, Scope.Scope>) =>
    Effect.runSync(Effect.cached(Scope.extend(resource, scope)))
  const [redis, memcached, file] = [shared(redisUrl), shared(memcachedServers(1)), shared(freshFile())]
  const table = freshTable()
  return {
    memory: () => MemoryBackend.layer(),
    "memory, copying": () => MemoryBackend.layer({ copy: true }),
    PostgreSQL: () =>
      SqlBackend.layer({ table, namespace: randomUUID(), timeout: "1 minute" }).pipe(Layer.provide(client())),
    SQLite: () => {
      const namespace = randomUUID()
      return Layer.unwrapEffect(
        Effect.map(file, (url) =>
          SqlBackend.layer({ namespace, timeout: "1 minute" }).pipe(Layer.provide(LibsqlClient.layer({ url })))
        )
      )
    },
    memcached: () => {
      const namespace = freshNamespace()
      return Layer.unwrapEffect(
        Effect.map(memcached, (servers) => MemcachedBackend.layer({ servers, namespace, timeout: patience }))
      )
    },
    Redis: () => {
      const namespace = freshNamespace()
      return Layer.unwrapEffect(Effect.map(redis, (url) => RedisBackend.layer({ url, namespace })))
    }
  }
}
