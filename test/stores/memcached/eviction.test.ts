import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { CacheBackend, cached, invalidateGroup } from "effect-cached"
import * as MemcachedBackend from "effect-cached/MemcachedBackend"
import type { Client } from "memjs"
import { Keyspace } from "../../../src/internal/entries/keyspace.js"
import { generationKey } from "../../../src/internal/stores/memcached/generation.js"
import { memcached } from "../../servers/memcached.js"
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

/** A cached function of a source that changes, whose entries are all in one group, and how it is stored. */
const grouped = Effect.gen(function* () {
  // Plain LRU: memcached's segmented one spares what is read often, and a version is read with every entry.
  const server = yield* memcached({ args: ["-m", "1", "-I", "512k", "-o", "no_modern,slab_chunk_max=256"] })
  // Short, because a record names its key: versions and fillers go into chunks of 192 bytes, entries into larger ones.
  const namespace = "evicts"
  const names = Keyspace.under(namespace, 1)
  const source = { version: 0, computed: 0 }
  // Larger than a version record by so much that the two never compete for room.
  const filler = "x".repeat(2_000)
  const value = cached(
    (_: number) => Effect.sync(() => ({ version: source.version, computed: ++source.computed, filler })),
    { key: "grouped", ttl: "1 hour", groups: ["group"] }
  )
  const bare = yield* bareMemjs(server.address)
  return {
    bare,
    source,
    value,
    layer: MemcachedBackend.layer({ servers: server.address, namespace }),
    entryKey: (index: number) => names.finish(value.cacheKey(index)),
    versionKey: yield* names.group("test", "group"),
    stands: (key: string) =>
      Effect.map(
        Effect.promise(() => bare.get(key)),
        (found) => found.value !== null
      )
  }
})

describe("a server that evicts the version of a group", () => {
  it.scopedLive("turns its entries into misses, and never lets one return that was made under an earlier version", () =>
    Effect.gen(function* () {
      const { bare, entryKey, layer, source, stands, value, versionKey } = yield* grouped
      const evict = Effect.promise(() => bare.delete(versionKey))
      yield* Effect.gen(function* () {
        const first = yield* value(1)
        const second = yield* value(2)
        expect(yield* value(1)).toEqual(first)
        const old = yield* Effect.promise(() => bare.get(entryKey(1)))
        expect(yield* evict).toBe(true)

        // The entry stands there as it was, and is a miss.
        expect(yield* stands(entryKey(1))).toBe(true)
        const again = yield* value(1)
        expect(again.computed).toBe(source.computed)
        expect(again).not.toEqual(first)
        expect(yield* value(1)).toEqual(again)
        // As is the other, although its group has a version again.
        expect(yield* stands(versionKey)).toBe(true)
        expect(yield* stands(entryKey(2))).toBe(true)
        expect((yield* value(2)).computed).toBeGreaterThan(second.computed)

        // Nor does it count later, whatever happens to the version in between.
        const revive = Effect.promise(() => bare.set(entryKey(1), old.value ?? "", {}))
        for (const between of [Effect.void, evict, invalidateGroup("group"), Effect.zipRight(evict, value(2))]) {
          yield* between
          yield* revive
          const before = source.computed
          expect((yield* value(1)).computed).toBe(before + 1)
        }

        // What is invalidated while the version is missing stays so.
        source.version += 1
        yield* evict
        yield* invalidateGroup("group")
        expect((yield* value(1)).version).toBe(source.version)
        yield* evict
        source.version += 1
        yield* value.invalidate(1)
        expect((yield* value(1)).version).toBe(source.version)
      }).pipe(Effect.provide(layer))
    })
  )

  it.scopedLive("under real pressure: the right value, whatever is left", () =>
    Effect.gen(function* () {
      const { bare, entryKey, layer, source, stands, value, versionKey } = yield* grouped
      yield* Effect.gen(function* () {
        const cache = yield* CacheBackend
        const all = Effect.forEach(
          Array.from({ length: 20 }, (_, index) => index),
          (index) => value(index)
        )
        let lost = 0
        let survived = 0
        for (let round = 0; round < 5; round++) {
          source.version += 1
          yield* invalidateGroup("group")
          const made = yield* all
          expect(made.every(({ version }) => version === source.version)).toBe(true)
          expect(yield* all).toEqual(made)
          // So many records of about the version's size that it has to go. To look whether it has would keep it.
          for (let batch = 0; batch < 12; batch++) {
            const fillers = Array.from(
              { length: 1_000 },
              (_, key) => [`filler-${batch}-${key}`, "x".repeat(key % 40)] as const
            )
            yield* cache.setMany(fillers)
          }
          const isLost = !(yield* stands(versionKey))
          if (isLost) lost += 1
          if (isLost && (yield* stands(entryKey(0)))) survived += 1
          const before = source.computed
          const afterwards = yield* all
          if (isLost) expect(afterwards.every(({ computed }) => computed > before)).toBe(true)
          expect(afterwards.every(({ version }) => version === source.version)).toBe(true)
        }
        expect(yield* evictions(bare)).toBeGreaterThan(1_000)
        expect(lost).toBeGreaterThan(2)
        expect(survived).toBeGreaterThan(0)
      }).pipe(Effect.provide(layer))
    })
  )
})
