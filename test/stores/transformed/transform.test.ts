/** What holds of every transformation: how several go together, what stays readable, and that none harms a caller. */
import { assert, describe, it } from "@effect/vitest"
import { deepStrictEqual } from "@effect/vitest/utils"
import { Deferred, Effect, Either, Fiber, Layer, Option, TestClock } from "effect"
import {
  CacheBackend,
  type CacheError,
  cached,
  MemoryBackend,
  NoopBackend,
  StoreBackend,
  TieredBackend
} from "effect-cached"
import * as Compression from "effect-cached/Compression"
import * as Encryption from "effect-cached/Encryption"
import { warned } from "../../support/warned.js"
import { bytesBelow, secret } from "./support.js"

const gzip = Compression.gzip({ over: 100 })
const aes = Encryption.aesGcm({ keys: [secret(1)] })
const repetitive = "lisbon ".repeat(1_000)

/** Turns bytes round, and remembers what it did. */
const counting = (name = "counting") => {
  const done = { encoded: 0, decoded: 0 }
  const reversed = (bytes: Uint8Array) => Buffer.from(bytes).reverse()
  const step: StoreBackend.ByteTransform = {
    name,
    encode: (bytes) =>
      Effect.sync(() => {
        done.encoded++
        return reversed(bytes)
      }),
    decode: (bytes) => {
      done.decoded++
      return Either.right(reversed(bytes))
    }
  }
  return { done, step: Effect.succeed(step) }
}

describe("StoreBackend.transform", () => {
  it.scoped("compresses before it encrypts, in whichever order the two are named", () =>
    Effect.gen(function* () {
      for (const steps of [
        [gzip, aes],
        [aes, gzip]
      ]) {
        const { payloadOf, process } = bytesBelow()
        const cache = yield* process(...steps)
        yield* cache.set("key", repetitive)
        assert.isBelow(payloadOf("key").length, 300)
        assert.strictEqual(payloadOf("key")[0], 0x12)
        // Another process may name them the other way round.
        deepStrictEqual(yield* (yield* process(...steps.toReversed())).get("key"), Option.some(repetitive))
      }
    })
  )

  it.scoped("values pass several steps in the order in which they are named", () =>
    Effect.gen(function* () {
      const passed: Array<string> = []
      const step = (name: string) => {
        const pass = (bytes: Uint8Array) => {
          passed.push(name)
          return Either.right(bytes)
        }
        return Effect.succeed<StoreBackend.ByteTransform>({ name, encode: pass, decode: pass })
      }
      const cache = yield* bytesBelow().process(step("a"), step("b"), step("c"))
      yield* cache.set("key", 1)
      yield* cache.get("key")
      deepStrictEqual(passed, ["a", "b", "c", "c", "b", "a"])
    })
  )

  it.scoped("a value that is written again as it was read is not transformed again", () =>
    Effect.gen(function* () {
      const { done, step } = counting()
      const cache = yield* bytesBelow().process(step)
      yield* cache.set("key", repetitive, { ttl: "1 minute", stale: "1 hour" })
      yield* cache.touch("key", "2 minutes")
      assert.strictEqual(done.encoded, 1)
      yield* TestClock.adjust("3 minutes")
      // The lease stands beside the stale value, and is renewed while the new one is computed.
      const computing = yield* Deferred.make<void>()
      const caller = yield* Effect.fork(
        cache.getOrSet("key", Effect.as(Deferred.await(computing), "new"), { ttl: "1 minute", lease: "3 seconds" })
      )
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual(done.encoded, 1)
      yield* Deferred.succeed(computing, undefined)
      assert.strictEqual(yield* Fiber.join(caller), "new")
      assert.strictEqual(done.encoded, 2)
      deepStrictEqual(yield* cache.get("key"), Option.some("new"))
    })
  )

  it.scoped("a lease beside a value that can't be read still counts: nobody else computes", () =>
    Effect.gen(function* () {
      const { forge, process } = bytesBelow()
      const [one, two] = yield* Effect.all([process(aes), process(aes)])
      yield* one.set("key", "old", { ttl: "1 second", stale: "1 hour" })
      yield* TestClock.adjust("2 seconds")
      const computing = yield* Deferred.make<void>()
      let started = 0
      const compute = (cache: typeof one) =>
        Effect.fork(
          cache.getOrSet(
            "key",
            Effect.suspend(() => {
              started++
              return Effect.as(Deferred.await(computing), "new")
            })
          )
        )
      const first = yield* compute(one)
      yield* TestClock.adjust("100 millis")
      forge("key", Buffer.from("foreign"))
      const second = yield* compute(two)
      yield* TestClock.adjust("2 seconds")
      assert.strictEqual(started, 1)
      yield* Deferred.succeed(computing, undefined)
      assert.strictEqual(yield* Fiber.join(first), "new")
      yield* TestClock.adjust("30 seconds")
      assert.strictEqual(yield* Fiber.join(second), "new")
    }).pipe(Effect.provide(warned().layer))
  )

  it.scoped("groups, with their versions, stay readable, and one write invalidates them", () =>
    Effect.gen(function* () {
      const { everything, process } = bytesBelow()
      const [one, two] = yield* Effect.all([process(gzip, aes), process(gzip, aes)])
      yield* one.set("a", repetitive, { groups: ["cities"] })
      deepStrictEqual(yield* two.get("a"), Option.some(repetitive))
      assert.include(everything().toString("latin1"), "%group:cities")
      yield* two.invalidateGroup("cities")
      deepStrictEqual(yield* one.get("a"), Option.none())
    })
  )

  it.scoped("what a transformation throws is a CacheError on the way in, and a miss on the way out", () =>
    Effect.gen(function* () {
      const boom = (): never => {
        throw new Error("the secret value")
      }
      const throwing: ReadonlyArray<Partial<StoreBackend.ByteTransform>> = [
        { encode: boom },
        { encode: () => Effect.sync(boom) },
        // Not what the type says.
        { encode: () => Either.right("no bytes" as never) },
        { encode: () => Effect.succeed(undefined as never) }
      ]
      for (const faults of throwing) {
        const heard = warned()
        yield* Effect.gen(function* () {
          const { step } = counting("mine")
          const cache = yield* bytesBelow().process(Effect.map(step, (good) => ({ ...good, ...faults })))
          const error: CacheError = yield* Effect.flip(cache.set("key", 1))
          deepStrictEqual([error.reason, error.description], ["Encode", "the transformation mine threw"])
          deepStrictEqual(yield* cache.setMany([["key", 1]]), ["key"])
          assert.strictEqual(yield* Effect.flip(cache.add("key", 1)).pipe(Effect.map(({ reason }) => reason)), "Encode")
          const f = cached((n: number) => Effect.succeed(n * 2), { key: "double" })
          assert.strictEqual(yield* Effect.provideService(f(21), CacheBackend, cache), 42)
        }).pipe(Effect.provide(heard.layer))
        assert.notInclude(heard.lines.join(), "the secret value")
      }
      for (const decode of [boom, () => Effect.sync(boom), () => Effect.die("x"), () => Either.right(1 as never)]) {
        const { step } = counting("mine")
        const cache = yield* bytesBelow().process(Effect.map(step, (good) => ({ ...good, decode })))
        yield* cache.set("key", 1)
        deepStrictEqual(yield* cache.get("key"), Option.none())
        assert.strictEqual(yield* cache.getOrSet("key", Effect.succeed(2)), 2)
      }
    }).pipe(Effect.provide(warned().layer))
  )

  it.scoped("a caller who is interrupted in the middle leaves its key to the others", () =>
    Effect.gen(function* () {
      const { process, records } = bytesBelow()
      let hangs = true
      const { step } = counting()
      const cache = yield* process(
        Effect.map(step, (good) => ({
          ...good,
          encode: (bytes: Uint8Array, key: string) => (hangs ? Effect.never : good.encode(bytes, key))
        }))
      )
      for (const write of [cache.set("key", 1), cache.add("key", 1), cache.setMany([["key", 1]])]) {
        const caller = yield* Effect.fork(write)
        yield* TestClock.adjust("1 second")
        yield* Fiber.interrupt(caller)
        assert.strictEqual(records.size, 0)
      }
      const caller = yield* Effect.fork(cache.getOrSet("computed", Effect.succeed(1)))
      yield* TestClock.adjust("1 second")
      hangs = false
      yield* Fiber.interruptFork(caller)
      yield* TestClock.adjust("20 seconds")
      const other = yield* Effect.fork(cache.getOrSet("computed", Effect.succeed(2)))
      yield* TestClock.adjust("20 seconds")
      assert.strictEqual(yield* Fiber.join(other), 2)
    })
  )

  it.scoped("works over MemoryBackend with copies, and below a tier", () =>
    Effect.gen(function* () {
      const { done, step } = counting()
      const Below = MemoryBackend.layer({ copy: true }).pipe(StoreBackend.transform(step))
      yield* Effect.gen(function* () {
        const double = cached((n: number) => Effect.succeed(`${n * 2}`), { key: "double" })
        assert.strictEqual(yield* double(21), "42")
        assert.strictEqual(yield* double.requireCache(21), "42")
        assert.isAbove(done.decoded, 0)
      }).pipe(Effect.provide(Below))
      yield* Effect.gen(function* () {
        const double = cached((n: number) => Effect.succeed(`${n * 2}`), { key: "double" })
        for (let call = 0; call < 3; call++) yield* double(21)
        const before = done.decoded
        for (let call = 0; call < 10; call++) assert.strictEqual(yield* double(21), "42")
        // The tier keeps what is decoded.
        assert.strictEqual(done.decoded, before)
      }).pipe(Effect.provide(TieredBackend.layer({ maxStaleness: "1 hour" }).pipe(Layer.provide(Below))))
    })
  )

  it.effect("refuses stores that keep references, and tiers, when the layer is built", () =>
    Effect.gen(function* () {
      for (const [layer, words] of [
        [MemoryBackend.layer(), "copy: true"],
        [NoopBackend.layer, "references"],
        [TieredBackend.layer().pipe(Layer.provide(MemoryBackend.layer({ copy: true }))), "below"]
      ] as const) {
        const error = yield* Effect.flip(Effect.scoped(Layer.build(StoreBackend.transform(layer, gzip))))
        assert.strictEqual(error.reason, "InvalidOption")
        assert.include(error.description, words)
      }
    })
  )

  it.scoped("keeps the namespace, version and default ttl of the backend", () =>
    Effect.gen(function* () {
      const layer = MemoryBackend.layer({ copy: true, namespace: "shop", version: 3, defaultTtl: "1 second" }).pipe(
        StoreBackend.transform(gzip)
      )
      yield* Effect.gen(function* () {
        const cache = yield* CacheBackend
        yield* cache.set("key", repetitive)
        assert.isTrue(yield* cache.has("key", { version: 3 }))
        assert.isFalse(yield* cache.has("key", { version: 1 }))
        yield* TestClock.adjust("1 second")
        assert.isFalse(yield* cache.has("key"))
      }).pipe(Effect.provide(layer))
    })
  )
})
