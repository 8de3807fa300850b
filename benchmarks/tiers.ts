/**
 * A hit in memory in front of a Redis, plain and in a group, beside the memory backend and beside others' two layers, in one
 * run. Look at the ratios.
 */
import KeyvRedis from "@keyv/redis"
import { BentoCache, bentostore } from "bentocache"
import { memoryDriver } from "bentocache/drivers/memory"
import { redisBusDriver, redisDriver } from "bentocache/drivers/redis"
import { Cacheable, Keyv } from "cacheable"
import { Effect, Layer } from "effect"
import { type CacheBackend, cached, MemoryBackend, TieredBackend } from "effect-cached"
import * as RedisBackend from "effect-cached/RedisBackend"
import * as RedisBus from "effect-cached/RedisBus"
import { redisUrl } from "../test/servers/redis.js"
import { contest, ofEffect, ofPromise, type Subject } from "./tools/contest.js"

const cityOf = (id: number) => ({
  id,
  slug: `city-${id}`,
  population: 517_802,
  tags: ["capital", "harbour"]
})

const group = "cities"
const keys = 1_000

type Discipline = "hit" | "hit in a group"
type Entrant = Subject<Discipline>

const anyOf = (size: number): number => Math.floor(Math.random() * size)

/** `cached` over that layer, once without and once with a group. Any call that is not a hit would compute again. */
const memoized =
  (layerOf: (url: string) => Layer.Layer<CacheBackend, unknown>): Entrant =>
  (url) =>
    Effect.gen(function* () {
      const context = yield* Layer.build(layerOf(url))
      const computed = new Set<string>()
      const lookUp = (key: string, groups: ReadonlyArray<string>) =>
        cached(
          (id: number) =>
            Effect.suspend(() => {
              if (computed.has(`${key}${id}`)) return Effect.dieMessage(`${key} ${id} was computed twice`)
              computed.add(`${key}${id}`)
              return Effect.succeed(cityOf(id))
            }),
          { key, ttl: "1 hour", groups }
        )
      const plain = lookUp("plain", [])
      const grouped = lookUp("grouped", [group])
      const ids = Array.from({ length: keys }, (_, id) => id)
      // The first time all is computed and stored, the second time the tier gets its copies.
      for (const _time of [1, 2]) {
        for (const f of [plain, grouped]) yield* Effect.provide(Effect.forEach(ids, f, { concurrency: 64 }), context)
      }
      return {
        hit: (size) => ofEffect(() => plain(anyOf(size)), context),
        "hit in a group": (size) => ofEffect(() => grouped(anyOf(size)), context)
      }
    })

/** Each turn begins long after a second: with the defaults it would measure how Redis is asked again. */
const tier = (url: string) =>
  TieredBackend.layer({ maxEntries: 10_000, maxStaleness: "1 hour", maxBusSilence: "1 minute" }).pipe(
    Layer.provide(RedisBackend.layer({ url, namespace: "benchmark-tiers" })),
    Layer.provide(RedisBus.layer({ url }))
  )

const hour = 3_600_000

/** @param serialize whether the first layer keeps texts, which is the default, or references, as the tier does */
const bentocache =
  (serialize: boolean): Entrant =>
  (url) =>
    Effect.gen(function* () {
      const { hostname: host, port } = new URL(url)
      const connection = { host, port: Number(port) }
      const bento = yield* Effect.acquireRelease(
        Effect.sync(
          () =>
            new BentoCache({
              default: "two",
              prefix: `bento-${serialize}`,
              stores: {
                two: bentostore()
                  .useL1Layer(memoryDriver({ maxItems: 10_000, serialize }))
                  .useL2Layer(redisDriver({ connection }))
                  .useBus(redisBusDriver({ connection }))
              }
            })
        ),
        (opened) => Effect.promise(() => opened.disconnectAll())
      )
      const get = (key: string, id: number, tags: ReadonlyArray<string>) =>
        bento.getOrSet({ key: `${key}${id}`, factory: () => cityOf(id), ttl: hour, tags: [...tags] })
      return {
        hit: (size) => ofPromise(() => get("plain", anyOf(size), [])),
        "hit in a group": (size) => ofPromise(() => get("grouped", anyOf(size), [group]))
      }
    })

/** Two layers without a bus. Of two instances one looks at the tags of each entry, which is an option of the whole. */
const cacheable: Entrant = (url) =>
  Effect.gen(function* () {
    const make = (tags: boolean) =>
      Effect.acquireRelease(
        Effect.sync(() => new Cacheable({ secondary: new Keyv({ store: new KeyvRedis(url) }), tags })),
        (opened) => Effect.promise(() => opened.disconnect())
      )
    const plain = yield* make(false)
    const tagged = yield* make(true)
    // `getOrSet` takes no tags.
    for (let id = 0; id < keys; id++) {
      yield* Effect.promise(() => tagged.set(`grouped${id}`, cityOf(id), { ttl: hour, tags: [group] }))
    }
    const get = (from: Cacheable, key: string, id: number) =>
      from.getOrSet(`${key}${id}`, () => Promise.resolve(cityOf(id)), { ttl: hour })
    return {
      hit: (size) => ofPromise(() => get(plain, "plain", anyOf(size))),
      "hit in a group": (size) => ofPromise(() => get(tagged, "grouped", anyOf(size)))
    }
  })

await contest<Discipline>({
  measures: "cpu",
  server: redisUrl,
  subjects: {
    MemoryBackend: memoized(() => MemoryBackend.layer({ maxEntries: 10_000 })),
    TieredBackend: memoized(tier),
    "bentocache, texts": bentocache(true),
    "bentocache, references": bentocache(false),
    "cacheable, no bus": cacheable
  },
  program: ({ compare }) =>
    Effect.gen(function* () {
      for (const discipline of ["hit", "hit in a group"] as const) {
        yield* compare({
          title: `${discipline}, 1,000 keys, one at a time, in a second of CPU`,
          discipline,
          size: keys,
          lanes: 1,
          reference: "MemoryBackend"
        })
      }
    })
})
