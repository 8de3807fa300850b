import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import type { Client } from "memjs"
import { generationKey } from "../../src/memcached/Generation.js"
import { memcached } from "../servers/memcached.js"
import { added, bareMemjs, freshNamespace, item, readText, readTexts, storeOn } from "./support.js"

const evictions = (bare: Client) =>
  Effect.async<number>((resume) =>
    bare.stats((_error, _server, stats) => resume(Effect.succeed(Number(stats?.["evictions"]))))
  )

describe("a server that evicts", () => {
  it.scopedLive("gives the right value or none", () =>
    Effect.gen(function* () {
      const server = yield* memcached({ args: ["-m", "1", "-I", "512k"] })
      const bare = yield* bareMemjs(server.address)
      const store = yield* storeOn(server.address)
      const valueOf = (index: number) => `${index}:`.repeat(300)
      let hits = 0
      let misses = 0
      for (let round = 0; round < 60; round++) {
        const indices = Array.from({ length: 100 }, (_, index) => round * 100 + index)
        yield* store.write(indices.map((index) => item(`key-${index}`, valueOf(index))))
        const sample = Array.from({ length: 100 }, (_, index) => (index * 61 + round) % ((round + 1) * 100))
        const found = yield* readTexts(store, ...sample.map((index) => `key-${index}`))
        found.forEach((text, position) => {
          if (text === undefined) misses += 1
          else {
            hits += 1
            expect(text).toBe(valueOf(sample[position] ?? -1))
          }
        })
      }
      expect(yield* evictions(bare)).toBeGreaterThan(1_000)
      expect(hits).toBeGreaterThan(0)
      expect(misses).toBeGreaterThan(0)
    })
  )

  it.scopedLive("of the generation record turns every record into a miss, for good", () =>
    Effect.gen(function* () {
      const server = yield* memcached()
      const bare = yield* bareMemjs(server.address)
      const namespace = freshNamespace()
      const store = yield* storeOn(server.address, {}, namespace)
      const sibling = yield* storeOn(server.address, {}, namespace)
      const evict = Effect.promise(() => bare.delete(generationKey(namespace, undefined)))
      yield* store.write([item("a", "old"), item("b", "old")])
      expect(yield* readTexts(sibling, "a", "b")).toEqual(["old", "old"])
      expect(yield* evict).toBe(true)
      expect(yield* readTexts(store, "a", "b")).toEqual([undefined, undefined])
      expect(yield* added(sibling, "a", "new")).toBe(true)
      expect(yield* readTexts(store, "a", "b")).toEqual(["new", undefined])

      yield* evict
      // Both write before either has read that it is gone.
      const both = [store.write([item("c", "one")]), sibling.write([item("d", "two")])]
      yield* Effect.all(both, { concurrency: "unbounded" })
      expect(yield* readTexts(store, "a", "b", "c", "d")).toEqual([undefined, undefined, "one", "two"])
      yield* evict
      expect(yield* store.remove(["c"])).toBe(0)
      yield* store.clear
      expect(yield* readText(sibling, "d")).toBeUndefined()
    })
  )
})
