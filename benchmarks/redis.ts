/**
 * Hits and sets on one Redis, in one run with what others pay for them, at 1 and 64 callers. Look at the ratios.
 */
import KeyvRedis from "@keyv/redis"
import { Context, Effect, Layer } from "effect"
import { CacheBackend, cached } from "effect-cached"
import * as RedisBackend from "effect-cached/RedisBackend"
import { Redis } from "ioredis"
import { createClient } from "redis"
import { redisUrl } from "../test/servers/redis.js"
import { contest, everyHitIsOne, ofEffect, ofPromise, type Subject } from "./tools/contest.js"

const value = { id: 4711, slug: "lisbon", name: "Lisboa", population: 517_802, tags: ["capital", "harbour"] }
const text = JSON.stringify(value)

type Entrant = Subject<"hit" | "set">

const hour = 3_600_000

/** By default version 6 starts a timer for each command, which takes longer than the rest of it. */
const withoutTimers = { commandOptions: { timeout: 0 } }

const nodeRedis =
  (settings: { readonly commandOptions?: { readonly timeout: number } } = {}): Entrant =>
  (url) =>
    Effect.gen(function* () {
      const client = yield* Effect.acquireRelease(
        Effect.promise(() => createClient({ url, ...settings }).connect()),
        (client) => Effect.promise(() => client.close())
      )
      const set = () => client.set("benchmark:node-redis", text, { PX: hour })
      yield* Effect.promise(set)
      return { hit: () => ofPromise(() => client.get("benchmark:node-redis")), set: () => ofPromise(set) }
    })

/** What it costs an Effect to wait for an answer, whoever brings it. */
const inEffect: Entrant = (url) =>
  Effect.gen(function* () {
    const client = yield* Effect.acquireRelease(
      Effect.promise(() => createClient({ url, ...withoutTimers }).connect()),
      (client) => Effect.promise(() => client.close())
    )
    yield* Effect.promise(() => client.set("benchmark:effect", text, { PX: hour }))
    return { hit: () => ofEffect(() => Effect.promise(() => client.get("benchmark:effect"))) }
  })

const ioredis: Entrant = (url) =>
  Effect.gen(function* () {
    const client = yield* Effect.acquireRelease(
      Effect.sync(() => new Redis(url)),
      (client) => Effect.promise(() => client.quit())
    )
    const set = () => client.set("benchmark:ioredis", text, "PX", hour)
    yield* Effect.promise(set)
    return { hit: () => ofPromise(() => client.get("benchmark:ioredis")), set: () => ofPromise(set) }
  })

const keyv: Entrant = (url) =>
  Effect.gen(function* () {
    const store = yield* Effect.acquireRelease(
      Effect.sync(() => new KeyvRedis<string>(url)),
      (store) => Effect.promise(() => store.disconnect())
    )
    const set = () => store.set("benchmark:keyv", text, hour)
    yield* Effect.promise(set)
    return { hit: () => ofPromise(() => store.get("benchmark:keyv")), set: () => ofPromise(set) }
  })

const layer = (url: string) => RedisBackend.layer({ url, namespace: "benchmark" })

const direct: Entrant = (url) =>
  Effect.gen(function* () {
    const cache = Context.get(yield* Layer.build(layer(url)), CacheBackend)
    yield* everyHitIsOne(cache)
    const set = cache.set("direct", value, { ttl: "1 hour" })
    const get = cache.get("direct")
    yield* set
    return { hit: () => ofEffect(() => get), set: () => ofEffect(() => set) }
  })

const memoized =
  (groups: ReadonlyArray<string>): Entrant =>
  (url) =>
    Effect.gen(function* () {
      const context = yield* Layer.build(layer(url))
      const lookUp = cached(() => Effect.succeed(value), {
        key: `memoized in ${groups.length} groups`,
        ttl: "1 hour",
        groups
      })
      return { hit: () => ofEffect(lookUp, context) }
    })

await contest<"hit" | "set">({
  server: redisUrl,
  subjects: {
    "node-redis: text": nodeRedis(),
    "node-redis without timers: text": nodeRedis(withoutTimers),
    "the same in an Effect": inEffect,
    "ioredis: text": ioredis,
    "@keyv/redis: text": keyv,
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
            reference: "node-redis: text"
          })
        }
      }
    })
})
