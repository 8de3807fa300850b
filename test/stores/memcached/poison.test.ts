/**
 * Records that are not what `cached` wrote: other programs' bytes, torn ones, those of a later format.
 */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Metric, Schema } from "effect"
import { CacheBackend, cached } from "effect-cached"
import * as MemcachedBackend from "effect-cached/MemcachedBackend"
import type { Client } from "memjs"
import { Keyspace } from "../../../src/internal/entries/keyspace.js"
import { generationKey, generationLength } from "../../../src/internal/stores/memcached/generation.js"
import { memcachedServers } from "../../servers/memcached.js"
import { bareMemjs, freshNamespace } from "./support.js"

const rawOf = (bare: Client, key: string): Effect.Effect<Buffer> =>
  Effect.flatMap(
    Effect.promise(() => bare.get(key)),
    ({ value }) => (value === null ? Effect.dieMessage(`nothing stands under ${key}`) : Effect.succeed(value))
  )

/** The entry with a byte of its own changed. */
const changed = (entry: Buffer, at: number, to: number): Buffer => {
  const copy = Buffer.from(entry)
  copy[at] = to
  return copy
}

/** By what `cached` had written there. */
const poisons: ReadonlyArray<readonly [string, (entry: Buffer) => Buffer]> = [
  ["garbage", () => Buffer.from("<html>502 Bad Gateway</html>")],
  ["nothing at all", () => Buffer.alloc(0)],
  ["another magic byte", (entry) => changed(entry, 0, 0x00)],
  ["an earlier format", (entry) => changed(entry, 1, 1)],
  ["a later format", (entry) => changed(entry, 1, 3)],
  ["flags of a later format", (entry) => changed(entry, 2, 0xff)],
  ["half of it", (entry) => entry.subarray(0, entry.length / 2)],
  ["twice of it", (entry) => Buffer.concat([entry, entry])],
  ["an entry whose value is torn", (entry) => changed(entry, entry.length - 1, 0x00)],
  ["an entry whose value the schema refuses", (entry) => changed(entry, entry.indexOf('"population"') + 1, 0x50)]
]

const City = Schema.Struct({ name: Schema.String, population: Schema.Number })

const start = Effect.gen(function* () {
  const servers = yield* memcachedServers(1)
  const namespace = freshNamespace()
  const names = Keyspace.under(namespace, 1)
  let computed = 0
  const city = cached((name: string) => Effect.sync(() => ({ name, population: ++computed })), {
    key: namespace,
    schema: City,
    groups: ["cities"],
    ttl: "1 hour"
  })
  const bare = yield* bareMemjs(servers)
  const key = names.finish(city.cacheKey("lisbon"))
  return {
    bare,
    city: city("lisbon"),
    key,
    groupKey: yield* names.group("test", "cities"),
    layer: MemcachedBackend.layer({ servers, namespace }),
    entry: Effect.map(rawOf(bare, key), (raw) => raw.subarray(generationLength)),
    /** Writes the bytes under the key as if they were of this namespace. */
    poison: (under: string, bytes: Buffer) =>
      Effect.flatMap(rawOf(bare, generationKey(namespace, undefined)), (generation) =>
        Effect.promise(() => bare.set(under, Buffer.concat([generation, bytes]), {}))
      ),
    undecodable: Effect.gen(function* () {
      const { undecodable } = yield* (yield* CacheBackend).stats
      const metric = (yield* Metric.snapshot).find(
        ({ metricKey }) =>
          metricKey.name === "effect_cached_undecodable_total" &&
          metricKey.tags.some(({ value }) => value === namespace)
      )
      expect(metric?.metricState ?? { count: 0 }).toMatchObject({ count: undecodable })
      return undecodable
    })
  }
})

describe("a record that can't be decoded", () => {
  it.scopedLive("is a miss, counted, and overwritten", () =>
    Effect.gen(function* () {
      const { city, entry, key, layer, poison, undecodable } = yield* start
      yield* Effect.gen(function* () {
        for (const [index, [what, of]] of poisons.entries()) {
          const before = yield* city
          expect(yield* city, what).toEqual(before)
          const poisoned = of(yield* entry)
          yield* poison(key, poisoned)
          const after = yield* city
          expect(after.population, what).toBe(before.population + 1)
          expect(yield* undecodable, what).toBe(index + 1)
          expect((yield* entry).equals(poisoned), what).toBe(false)
          expect(yield* city, what).toEqual(after)
          expect(yield* undecodable, what).toBe(index + 1)
        }
      }).pipe(Effect.provide(layer))
    })
  )

  it.scopedLive("is nothing at all to the direct operations", () =>
    Effect.gen(function* () {
      const { city, entry, key, layer, poison } = yield* start
      yield* Effect.gen(function* () {
        const cache = yield* CacheBackend
        yield* city
        for (const [what, of] of poisons.slice(0, 8)) {
          const good = yield* entry
          yield* poison(key, of(good))
          const printed = key.slice(key.lastIndexOf(":") + 1)
          expect(yield* cache.has(printed), what).toBe(false)
          expect((yield* cache.get(printed))._tag, what).toBe("None")
          expect((yield* Effect.flip(cache.increment(printed)))._tag, what).toBe("NoCachedValue")
          expect(yield* cache.add(printed, "added"), what).toBe(true)
          expect(yield* cache.get(printed), what).toMatchObject({ value: "added" })
          yield* poison(key, good)
        }
      }).pipe(Effect.provide(layer))
    })
  )

  it.scopedLive("in place of a group's version gives the group a new one", () =>
    Effect.gen(function* () {
      const { city, groupKey, layer, poison } = yield* start
      yield* Effect.gen(function* () {
        for (const bytes of [Buffer.from("garbage"), Buffer.alloc(0)]) {
          const before = yield* city
          yield* poison(groupKey, bytes)
          const after = yield* city
          expect(after.population).toBe(before.population + 1)
          expect(yield* city).toEqual(after)
        }
      }).pipe(Effect.provide(layer))
    })
  )

  it.scopedLive("because another program wrote it is not even read, and overwritten all the same", () =>
    Effect.gen(function* () {
      const { bare, city, entry, key, layer, undecodable } = yield* start
      yield* Effect.gen(function* () {
        for (const foreign of ["", "short", "of another program, and longer than a generation"]) {
          const before = yield* city
          yield* Effect.promise(() => bare.set(key, foreign, {}))
          const after = yield* city
          expect(after.population).toBe(before.population + 1)
          expect((yield* entry).length).toBeGreaterThan(30)
          expect(yield* city).toEqual(after)
        }
        expect(yield* undecodable).toBe(0)
      }).pipe(Effect.provide(layer))
    })
  )
})
