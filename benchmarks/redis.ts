/**
 * Hits and sets on one Redis, in one run with what others pay for them, at 1 and 64 callers. Look at the ratios.
 */
import KeyvRedis from "@keyv/redis"
import { Effect } from "effect"
import * as RedisBackend from "effect-cached/RedisBackend"
import { Redis } from "ioredis"
import { createClient } from "redis"
import { redisUrl } from "../test/servers/redis.js"
import { ofEffect, ofPromise } from "./tools/contest.js"
import { type Entrant, hitsAndSets, text } from "./tools/hitsAndSets.js"

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

await hitsAndSets({
  server: redisUrl,
  layer: (url) => RedisBackend.layer({ url, namespace: "benchmark" }),
  others: {
    "node-redis: text": nodeRedis(),
    "node-redis without timers: text": nodeRedis(withoutTimers),
    "the same in an Effect": inEffect,
    "ioredis: text": ioredis,
    "@keyv/redis: text": keyv
  },
  reference: "node-redis: text"
})
