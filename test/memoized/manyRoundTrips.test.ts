/** A hit of 500 keys in groups, and of 50 requests of a resolver, is one round trip: counted on the way to the server, or by it. */
import { PgClient } from "@effect/sql-pg"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Layer, Redacted, Request, RequestResolver } from "effect"
import { cachedMany, cachedResolver } from "effect-cached"
import * as MemcachedBackend from "effect-cached/MemcachedBackend"
import * as RedisBackend from "effect-cached/RedisBackend"
import * as SqlBackend from "effect-cached/SqlBackend"
import { memcachedServers } from "../servers/memcached.js"
import { redis } from "../servers/redis.js"
import { type Relay, relayTo } from "../servers/relay.js"
import { freshNamespace, patience } from "../stores/memcached/support.js"
import { freshTable, url } from "../stores/postgres/support.js"
import { calls } from "../stores/redis/support.js"

const ids = Array.from({ length: 500 }, (_, id) => id)

class NameOf extends Request.TaggedClass("NameOf")<string, never, { readonly id: number }> {}

/** The round trips of hits that `count` counts. */
const tripsOf = <E>(count: Effect.Effect<number, E>) =>
  Effect.gen(function* () {
    const f = cachedMany((asked: ReadonlyArray<number>) => Effect.succeed(asked.map((id) => [id, `v${id}`] as const)), {
      key: "f",
      ttl: "1 hour",
      groups: (id) => ["all", `tenth ${id % 10}`]
    })
    const names = yield* cachedResolver(
      RequestResolver.fromFunction(({ id }: NameOf) => `name ${id}`),
      { key: "name", ttl: "1 hour" }
    )
    const requests = Effect.forEach(ids.slice(0, 50), (id) => Effect.request(new NameOf({ id }), names), {
      batching: true
    })
    yield* f(ids)
    yield* requests
    const before = yield* count
    expect((yield* f(ids)).size).toBe(500)
    const ofMany = (yield* count) - before
    expect(yield* requests).toHaveLength(50)
    return [ofMany, (yield* count) - before - ofMany]
  })

/** How many statements were executed: each ends with a Sync. The connection sends whole messages, after its start-up. */
const syncs = (relay: Relay): number => {
  const sent = Buffer.concat(relay.sent.splice(0))
  let count = 0
  for (let at = 0; at + 5 <= sent.length; at += 1 + sent.readUInt32BE(at + 1)) if (sent[at] === 0x53) count++
  return count
}

/** How many pipelines were sent: each ends with a GET. Requests are 24 bytes and a body, whose length stands at 8. */
const pipelines = (relay: Relay): number => {
  const sent = Buffer.concat(relay.sent.splice(0))
  let count = 0
  for (let at = 0; at + 24 <= sent.length; at += 24 + sent.readUInt32BE(at + 8)) if (sent[at + 1] === 0x00) count++
  return count
}

/** Sums what was counted since the first time. */
const summed = (count: () => number): Effect.Effect<number> => {
  let sum = 0
  return Effect.sync(() => {
    sum += count()
    return sum
  })
}

describe("one round trip", () => {
  it.scopedLive("on Redis", () =>
    Effect.gen(function* () {
      const server = yield* redis()
      const trips = yield* tripsOf(calls(server, "mget")).pipe(
        Effect.provide(RedisBackend.layer({ url: server.url, timeout: "1 minute" }))
      )
      expect(trips).toStrictEqual([1, 1])
    })
  )

  it.scopedLive("on memcached", () =>
    Effect.gen(function* () {
      const [host = "", port = ""] = (yield* memcachedServers(1)).split(":")
      const relay = yield* relayTo({ host, port: Number(port) })
      const trips = yield* tripsOf(summed(() => pipelines(relay))).pipe(
        Effect.provide(
          MemcachedBackend.layer({ servers: relay.address, namespace: freshNamespace(), timeout: patience })
        )
      )
      expect(trips).toStrictEqual([1, 1])
    })
  )

  it.scopedLive("on PostgreSQL", () =>
    Effect.gen(function* () {
      const address = new URL(url())
      const relay = yield* relayTo({ host: address.hostname, port: Number(address.port) })
      address.host = relay.address
      const client = PgClient.layer({ url: Redacted.make(address.toString()), maxConnections: 1 })
      const trips = yield* tripsOf(
        summed(() => {
          // The start-up message of a connection has no type: it is counted before, and thrown away.
          const started = relay.sent[0]?.[0] === 0x00
          if (started) relay.sent.splice(0)
          return syncs(relay)
        })
      ).pipe(
        Effect.provide(SqlBackend.layer({ table: freshTable(), timeout: "1 minute" }).pipe(Layer.provideMerge(client)))
      )
      expect(trips).toStrictEqual([1, 1])
    })
  )
})
