/**
 * Hits and sets on one memcached, in one run with what others pay for them, at 1 and 64 callers. Look at the ratios.
 */
import KeyvMemcache from "@keyv/memcache"
import { Context, Effect, Layer } from "effect"
import { CacheBackend, cached } from "effect-cached"
import * as MemcachedBackend from "effect-cached/MemcachedBackend"
import Memcached from "memcached"
import { Client } from "memjs"
import { memcachedServers } from "../test/servers/memcached.js"
import { contest, everyHitIsOne, ofEffect, ofPromise, type Subject } from "./tools/contest.js"

const value = { id: 4711, slug: "lisbon", name: "Lisboa", population: 517_802, tags: ["capital", "harbour"] }
const text = JSON.stringify(value)

type Entrant = Subject<"hit" | "set">

const memjs: Entrant = (address) =>
  Effect.gen(function* () {
    const client = yield* Effect.acquireRelease(
      Effect.sync(() => Client.create(address)),
      (client) => Effect.sync(() => client.close())
    )
    const set = () => client.set("bare", text, { expires: 3600 })
    yield* Effect.promise(set)
    return { hit: () => ofPromise(() => client.get("bare")), set: () => ofPromise(set) }
  })

const memcached: Entrant = (address) =>
  Effect.gen(function* () {
    const client = yield* Effect.acquireRelease(
      Effect.sync(() => new Memcached(address)),
      (client) => Effect.sync(() => client.end())
    )
    const get = () =>
      new Promise<unknown>((resolve, reject) => {
        client.get("peer", (error, found) => (error ? reject(error) : resolve(found)))
      })
    const set = () =>
      new Promise<void>((resolve, reject) => {
        client.set("peer", value, 3600, (error) => (error ? reject(error) : resolve()))
      })
    yield* Effect.promise(set)
    return { hit: () => ofPromise(get), set: () => ofPromise(set) }
  })

const keyv: Entrant = (address) =>
  Effect.gen(function* () {
    const store = yield* Effect.acquireRelease(
      Effect.sync(() => new KeyvMemcache(address)),
      ({ client }) => Effect.sync(() => client.close())
    )
    const set = () => store.set("keyv", text, 3_600_000)
    yield* Effect.promise(set)
    return { hit: () => ofPromise(() => store.get("keyv")), set: () => ofPromise(set) }
  })

const layer = (servers: string) => MemcachedBackend.layer({ servers, namespace: "benchmark" })

const direct: Entrant = (address) =>
  Effect.gen(function* () {
    const cache = Context.get(yield* Layer.build(layer(address)), CacheBackend)
    yield* everyHitIsOne(cache)
    const set = cache.set("direct", value, { ttl: "1 hour" })
    const get = cache.get("direct")
    yield* set
    return { hit: () => ofEffect(() => get), set: () => ofEffect(() => set) }
  })

const memoized =
  (groups: ReadonlyArray<string>): Entrant =>
  (address) =>
    Effect.gen(function* () {
      const context = yield* Layer.build(layer(address))
      const lookUp = cached(() => Effect.succeed(value), { key: "memoized", ttl: "1 hour", groups })
      return { hit: () => ofEffect(lookUp, context) }
    })

await contest<"hit" | "set">({
  server: memcachedServers(1),
  subjects: {
    "memjs: bytes": memjs,
    "memcached: JSON": memcached,
    "@keyv/memcache: bytes": keyv,
    "effect-cached": direct,
    "effect-cached, cached": memoized([]),
    "effect-cached, cached in a group": memoized(["cities"])
  },
  program: ({ compare }) =>
    Effect.gen(function* () {
      for (const discipline of ["hit", "set"] as const) {
        for (const lanes of [1, 64]) {
          yield* compare({
            title: `${discipline}, ${lanes} at a time`,
            discipline,
            size: 1,
            lanes,
            reference: "memjs: bytes"
          })
        }
      }
    })
})
