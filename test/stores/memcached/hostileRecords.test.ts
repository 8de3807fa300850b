import { describe, expect, it } from "@effect/vitest"
import { Effect, Option } from "effect"
import { CacheBackend, cached } from "effect-cached"
import * as MemcachedBackend from "effect-cached/MemcachedBackend"
import { generationKey, generationLength } from "../../../src/internal/stores/memcached/generation.js"
import { memcachedServers } from "../../servers/memcached.js"
import { hostileNamespace, hostileRecords } from "../../suites/hostileRecords.js"
import { bareMemjs, freshNamespace, patience } from "./support.js"

describe("records in memcached", () => {
  hostileRecords(
    Effect.gen(function* () {
      const servers = yield* memcachedServers(1)
      const bare = yield* bareMemjs(servers)
      const get = (key: string) =>
        Effect.map(
          Effect.promise(() => bare.get(key)),
          ({ value }) => value ?? Buffer.alloc(0)
        )
      return {
        layer: MemcachedBackend.layer({ servers, namespace: hostileNamespace, timeout: patience }),
        raw: {
          read: (key) => Effect.map(get(key), (item) => item.subarray(generationLength)),
          // As if it belonged to the namespace.
          write: (key, bytes) =>
            Effect.flatMap(get(generationKey(hostileNamespace, undefined)), (generation) =>
              Effect.promise(() => bare.set(key, Buffer.concat([generation, bytes]), {}))
            )
        }
      }
    })
  )
})

describe("the record of a generation", () => {
  const foreign: ReadonlyArray<readonly [string, Buffer]> = [
    ["empty", Buffer.alloc(0)],
    ["short", Buffer.from("short")],
    ["zero", Buffer.alloc(generationLength)],
    ["of another program, and longer", Buffer.from("of another program, and longer")]
  ]
  for (const [what, bytes] of foreign) {
    it.scopedLive(`that is ${what} is replaced`, () =>
      Effect.gen(function* () {
        const servers = yield* memcachedServers(1)
        const bare = yield* bareMemjs(servers)
        const namespace = freshNamespace()
        const layer = MemcachedBackend.layer({ servers, namespace, timeout: patience })
        const key = generationKey(namespace, undefined)
        const poison = Effect.promise(() => bare.set(key, bytes, {}))
        let computed = 0
        const count = cached(
          Effect.sync(() => ++computed),
          { key: "count", ttl: "1 hour", groups: ["g"] }
        )
        // Before anything is written, and in the midst.
        yield* poison
        const program = Effect.gen(function* () {
          const cache = yield* CacheBackend
          for (let round = 1; round <= 3; round++) {
            expect(yield* count).toBe(round)
            expect(yield* count).toBe(round)
            yield* cache.set("direct", round)
            expect(yield* cache.get("direct")).toEqual(Option.some(round))
            yield* poison
            expect(yield* cache.get("direct")).toEqual(Option.none())
            expect(yield* cache.add("direct", -round)).toBe(true)
            expect(yield* cache.get("direct")).toEqual(Option.some(-round))
            expect((yield* Effect.promise(() => bare.get(key))).value).not.toEqual(bytes)
          }
          yield* cache.clear
          expect(yield* cache.get("direct")).toEqual(Option.none())
        })
        yield* Effect.provide(program, layer)
        yield* Effect.provide(
          Effect.map(count, (value) => expect(value).toBe(4)),
          layer
        )
      })
    )
  }
})
