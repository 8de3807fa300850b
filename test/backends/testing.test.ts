/** `FailingBackend` and `CountingBackend` do what a user's own tests rely on. */
import { assert, describe, it } from "@effect/vitest"
import { deepStrictEqual } from "@effect/vitest/utils"
import { Effect, Layer, Option } from "effect"
import {
  CacheBackend,
  type CacheError,
  type CacheErrorReason,
  cached,
  invalidateGroup,
  MemoryBackend,
  type NoCachedValue,
  StoreBackend,
  TieredBackend
} from "effect-cached"
import * as Compression from "effect-cached/Compression"
import { CountingBackend, FailingBackend } from "effect-cached/testing"
import { warned } from "../support/warned.js"

const reasons: ReadonlyArray<CacheErrorReason> = ["Unavailable", "Timeout", "StoreFailed", "Encode", "TooLarge"]

describe("FailingBackend", () => {
  it.effect("every operation fails with the reason, however often it is called", () =>
    Effect.gen(function* () {
      for (const reason of reasons) {
        yield* Effect.gen(function* () {
          const cache = yield* CacheBackend
          const operations: Readonly<Record<string, Effect.Effect<unknown, CacheError | NoCachedValue>>> = {
            get: cache.get("a"),
            getMany: cache.getMany(["a", "b"]),
            has: cache.has("a"),
            set: cache.set("a", 1),
            "set in a group": cache.set("a", 1, { groups: ["g"] }),
            setMany: cache.setMany([["a", 1]]),
            add: cache.add("a", 1),
            touch: cache.touch("a"),
            increment: cache.increment("a"),
            delete: cache.delete("a"),
            deleteMany: cache.deleteMany(["a"]),
            invalidateGroup: cache.invalidateGroup("g"),
            clear: cache.clear
          }
          for (let round = 0; round < 20; round++) {
            for (const [name, operation] of Object.entries(operations)) {
              assert.deepInclude(yield* Effect.flip(operation), { _tag: "CacheError", reason }, name)
            }
          }
        }).pipe(Effect.provide(FailingBackend.layer(reason)))
      }
      const byDefault = yield* Effect.flip(invalidateGroup("g")).pipe(Effect.provide(FailingBackend.layer()))
      assert.strictEqual(byDefault.reason, "Unavailable")
    })
  )

  it.effect("cached and getOrSet compute, and invalidations fail", () =>
    Effect.gen(function* () {
      for (const reason of reasons) {
        yield* Effect.gen(function* () {
          let computed = 0
          const double = cached((n: number) => Effect.sync(() => [++computed, n * 2]), { key: "double", groups: ["g"] })
          deepStrictEqual(yield* double(21), [1, 42])
          deepStrictEqual(yield* double(21), [2, 42])
          deepStrictEqual(yield* double.forceRecalc(21), [3, 42])
          const cache = yield* CacheBackend
          assert.strictEqual(yield* cache.getOrSet("a", Effect.succeed(1)), 1)
          assert.strictEqual((yield* Effect.flip(double.invalidate(21))).reason, reason)
          assert.isAbove((yield* cache.stats).storeErrors, 0)
        }).pipe(Effect.provide(FailingBackend.layer(reason)))
      }
    }).pipe(Effect.provide(warned().layer))
  )
})

describe("CountingBackend", () => {
  const nothing = { read: 0, write: 0, add: 0, replace: 0, remove: 0, clear: 0 }

  it.effect("counts what memoized functions ask of the store, hits in memory too", () =>
    Effect.gen(function* () {
      const calls = yield* CountingBackend.Calls
      const double = cached((n: number) => Effect.succeed(n * 2), { key: "double" })
      const store = Effect.map(calls.counts, (counts) => counts.store)
      deepStrictEqual(yield* store, nothing)
      yield* double(21)
      deepStrictEqual(yield* store, { ...nothing, read: 1, add: 1, replace: 1 })
      yield* calls.reset
      for (let call = 0; call < 10; call++) yield* double(21)
      deepStrictEqual(yield* store, { ...nothing, read: 10 })
      yield* double.invalidate(21)
      deepStrictEqual(yield* store, { ...nothing, read: 10, remove: 1 })
      assert.strictEqual((yield* (yield* CacheBackend).stats).hits, 10)
    }).pipe(Effect.provide(CountingBackend.layer(MemoryBackend.layer())))
  )

  it.effect("counts operations when they run, not when they are made", () =>
    Effect.gen(function* () {
      const calls = yield* CountingBackend.Calls
      const cache = yield* CacheBackend
      const get = cache.get("a")
      assert.strictEqual((yield* calls.counts).operations.get, 0)
      yield* Effect.all([
        get,
        get,
        cache.getMany(["a"]),
        cache.has("a"),
        cache.set("a", 1, { groups: ["g"] }),
        cache.setMany([["b", 1]]),
        cache.add("c", 1),
        cache.getOrSet("d", Effect.succeed(1)),
        cache.touch("a"),
        cache.increment("a"),
        cache.delete("a"),
        cache.deleteMany(["b"]),
        cache.invalidateGroup("g"),
        cache.clear
      ])
      deepStrictEqual((yield* calls.counts).operations, {
        get: 2,
        getMany: 1,
        has: 1,
        set: 1,
        setMany: 1,
        add: 1,
        getOrSet: 1,
        touch: 1,
        increment: 1,
        delete: 1,
        deleteMany: 1,
        invalidateGroup: 1,
        clear: 1
      })
      yield* calls.reset
      const { operations, store } = yield* calls.counts
      deepStrictEqual(store, nothing)
      assert.strictEqual(
        Object.values(operations).reduce((sum, count) => sum + count, 0),
        0
      )
    }).pipe(Effect.provide(CountingBackend.layer(MemoryBackend.layer())))
  )

  it.effect("under a transformation and under a tier it counts what leaves them", () =>
    Effect.gen(function* () {
      const double = cached((n: number) => Effect.succeed(`${n * 2}`), { key: "double" })
      const reads = (layer: Layer.Layer<CacheBackend | CountingBackend.Calls, unknown>) =>
        Effect.gen(function* () {
          yield* double(21)
          yield* double(21)
          const calls = yield* CountingBackend.Calls
          yield* calls.reset
          for (let call = 0; call < 5; call++) assert.strictEqual(yield* double(21), "42")
          return (yield* calls.counts).store.read
        }).pipe(Effect.provide(layer))
      const counting = CountingBackend.layer(
        MemoryBackend.layer({ copy: true }).pipe(StoreBackend.transform(Compression.gzip()))
      )
      const both = (over: Layer.Layer<CacheBackend, unknown, CacheBackend>) => over.pipe(Layer.provideMerge(counting))
      assert.strictEqual(yield* reads(counting), 5)
      // Both transformations are beneath it, or one of them would go around it.
      const transformed = Layer.effect(CacheBackend, CacheBackend).pipe(StoreBackend.transform(Compression.gzip()))
      assert.strictEqual(yield* reads(both(transformed)), 5)
      assert.strictEqual(yield* reads(both(TieredBackend.layer({ maxStaleness: "1 hour" }))), 0)
      const over = CountingBackend.layer(TieredBackend.layer({ maxStaleness: "1 hour" }).pipe(Layer.provide(counting)))
      assert.strictEqual(yield* reads(over), 0)
    })
  )

  it.effect("the backend works as without it", () =>
    Effect.gen(function* () {
      const cache = yield* CacheBackend
      yield* cache.set("a", { deep: [1] }, { groups: ["g"] })
      deepStrictEqual(yield* cache.get("a"), Option.some({ deep: [1] }))
      assert.isTrue(yield* cache.has("a", { version: 7 }))
      yield* invalidateGroup("g", { version: 7 })
      assert.isFalse(yield* cache.has("a"))
    }).pipe(Effect.provide(CountingBackend.layer(MemoryBackend.layer({ version: 7, namespace: "shop" }))))
  )
})
