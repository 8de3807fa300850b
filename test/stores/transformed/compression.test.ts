import { randomBytes } from "node:crypto"
import { gzipSync } from "node:zlib"
import { assert, describe, it } from "@effect/vitest"
import { deepStrictEqual } from "@effect/vitest/utils"
import { Effect, Either, Fiber, Option } from "effect"
import * as Compression from "effect-cached/Compression"
import { turnsDuring } from "../../support/turns.js"
import { warned } from "../../support/warned.js"
import { bytesBelow } from "./support.js"

const gzip = (options?: Compression.GzipOptions) => Compression.gzip(options)

const repetitive = (length: number) => "lisbon ".repeat(Math.ceil(length / 7)).slice(0, length)

describe("compressed values", () => {
  it.scopedLive("are shorter, and come back equal, whatever their length", () =>
    Effect.gen(function* () {
      const { payloadOf, process } = bytesBelow()
      const cache = yield* process(gzip({ over: 1_000 }))
      for (const length of [0, 1, 998, 999, 5_000, 16_383, 16_384, 100_000, 3_000_000]) {
        const value = repetitive(length)
        yield* cache.set("key", value)
        deepStrictEqual(yield* cache.get("key"), Option.some(value), `${length}`)
        // Two quotation marks are part of the encoded value.
        const stored = payloadOf("key").length
        if (length + 2 <= 1_000) assert.strictEqual(stored, length + 3)
        else assert.isBelow(stored, length / 10)
      }
    })
  )

  it.scopedLive("that would not become shorter are stored as they are", () =>
    Effect.gen(function* () {
      const { payloadOf, process } = bytesBelow()
      const cache = yield* process(gzip({ over: 0 }))
      for (const length of [1, 100, 5_000, 200_000]) {
        const value = randomBytes(length)
        yield* cache.set("key", value)
        assert.strictEqual(payloadOf("key").length, length + 2)
        assert.isTrue(value.equals(Option.getOrThrow(yield* cache.get("key")) as Buffer))
      }
    })
  )

  it.scopedLive("over the bound are refused, and the others are stored", () =>
    Effect.gen(function* () {
      const { process } = bytesBelow()
      const cache = yield* process(gzip({ maxBytes: 50_000 }))
      const error = yield* Effect.flip(cache.set("long", repetitive(60_000)))
      deepStrictEqual([error.reason, error.operation, error.key], ["TooLarge", "set", "long"])
      const rejected = yield* cache.setMany([
        ["a", "short"],
        ["long", repetitive(60_000)],
        ["b", repetitive(40_000)]
      ])
      deepStrictEqual(rejected, ["long"])
      deepStrictEqual(yield* cache.get("a"), Option.some("short"))
      deepStrictEqual(yield* cache.get("b"), Option.some(repetitive(40_000)))
      // The caller of a computation gets its value, and the next one computes again.
      let computed = 0
      const compute = cache.getOrSet(
        "computed",
        Effect.sync(() => `${++computed}${repetitive(60_000)}`)
      )
      assert.strictEqual((yield* compute).length, 60_001)
      assert.strictEqual((yield* compute).slice(0, 1), "2")
    }).pipe(Effect.provide(warned().layer))
  )

  it.scopedLive("a record that inflates without end takes no more memory than the bound, and is a miss", () =>
    Effect.gen(function* () {
      const { forge, process } = bytesBelow()
      const cache = yield* process(gzip({ maxBytes: 100_000 }))
      yield* cache.set("bomb", repetitive(2_000))
      const compressed = gzipSync(Buffer.alloc(200_000_000))
      const bomb = (length: number) => {
        const head = Buffer.of(0x11, 0, 0, 0, 0)
        head.writeUInt32LE(length, 1)
        return Buffer.concat([head, compressed])
      }
      // It may lie about its length, or name one that nobody should believe.
      for (const length of [0, 1, 1_000, 16_384, 16_385, 100_000, 100_001, 200_000_000, 0xffffffff]) {
        forge("bomb", bomb(length))
        const before = memoryUsed()
        deepStrictEqual(yield* cache.get("bomb"), Option.none(), `${length}`)
        assert.isBelow(memoryUsed() - before, 20_000_000, `${length}`)
      }
    }).pipe(Effect.provide(warned().layer))
  )

  it.scopedLive("cut, damaged or foreign ones are a miss", () =>
    Effect.gen(function* () {
      for (const length of [2_000, 40_000]) {
        const { forge, payloadOf, process } = bytesBelow()
        const cache = yield* process(gzip())
        yield* cache.set("key", repetitive(length))
        const bytes = payloadOf("key")
        const foreign = [
          ...Array.from({ length: bytes.length }, (_, at) => bytes.subarray(0, at)),
          Buffer.from(JSON.stringify("stored without compression")),
          gzipSync("bare"),
          randomBytes(100).fill(0x11, 0, 1)
        ]
        for (const forged of foreign) {
          forge("key", forged)
          deepStrictEqual(yield* cache.get("key"), Option.none(), forged.toString("hex"))
        }
      }
    }).pipe(Effect.provide(warned().layer))
  )

  it.scopedLive("without compression they are a miss, too, not another value", () =>
    Effect.gen(function* () {
      const { process } = bytesBelow()
      const [compressing, bare] = yield* Effect.all([process(gzip({ over: 10 })), process()])
      for (const value of ["short", repetitive(2_000), Buffer.from("bytes")]) {
        yield* compressing.set("key", value)
        deepStrictEqual(yield* bare.get("key"), Option.none())
      }
    }).pipe(Effect.provide(warned().layer))
  )

  it.scopedLive("of many megabytes do not block the event loop, and end with their caller", () =>
    Effect.gen(function* () {
      const { payloadOf, process, records } = bytesBelow()
      const cache = yield* process(gzip())
      const large = Buffer.from(repetitive(30_000_000))
      assert.isAbove(yield* turnsDuring(cache.set("large", large)), 0)
      assert.isBelow(payloadOf("large").length, 100_000)
      assert.isAbove(
        yield* turnsDuring(
          Effect.map(cache.get("large"), (found) => assert.isTrue(large.equals(Option.getOrThrow(found) as Buffer)))
        ),
        0
      )
      assert.strictEqual(yield* turnsDuring(cache.set("small", repetitive(2_000))), 0)
      records.clear()
      const caller = yield* Effect.fork(cache.set("interrupted", large))
      yield* Effect.sleep("5 millis")
      yield* Fiber.interrupt(caller)
      yield* Effect.sleep("300 millis")
      assert.strictEqual(records.size, 0)
    })
  )

  it("refuse options out of their range", () => {
    for (const options of [
      { over: -1 },
      { over: Number.NaN },
      { maxBytes: 0 },
      { maxBytes: 2 ** 31 },
      { level: 0 },
      { level: 10 },
      { level: 1.5 }
    ]) {
      assert.strictEqual(Option.getOrThrow(Either.getLeft(gzip(options))).reason, "InvalidOption")
    }
  })
})

const memoryUsed = (): number => {
  const { arrayBuffers, heapUsed } = process.memoryUsage()
  return arrayBuffers + heapUsed
}
