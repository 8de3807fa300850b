/**
 * Hits and sets on one memcached, in one run with what others pay for them, at 1 and 64 callers. Look at the ratios.
 */
import KeyvMemcache from "@keyv/memcache"
import { Effect } from "effect"
import * as MemcachedBackend from "effect-cached/MemcachedBackend"
import Memcached from "memcached"
import { Client } from "memjs"
import { memcachedServers } from "../test/servers/memcached.js"
import { ofPromise } from "./tools/contest.js"
import { type Entrant, hitsAndSets, text, value } from "./tools/hitsAndSets.js"

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

await hitsAndSets({
  server: memcachedServers(1),
  layer: (servers) => MemcachedBackend.layer({ servers, namespace: "benchmark" }),
  others: {
    "memjs: bytes": memjs,
    "memcached: JSON": memcached,
    "@keyv/memcache: bytes": keyv
  },
  reference: "memjs: bytes"
})
