import { randomBytes } from "node:crypto"
import { assert, describe, it } from "@effect/vitest"
import { deepStrictEqual } from "@effect/vitest/utils"
import { Effect, Either, Fiber, Layer, Option, Redacted, TestServices } from "effect"
import { MemoryBackend, StoreBackend } from "effect-cached"
import * as Encryption from "effect-cached/Encryption"
import { turnsDuring } from "../../support/turns.js"
import { warned } from "../../support/warned.js"
import { bytesBelow, secret } from "./support.js"

const [one, other] = [secret(1), secret(2)]
const aes = (...keys: ReadonlyArray<Redacted.Redacted<Uint8Array>>) => Encryption.aesGcm({ keys })

const plaintext = "the plaintext that nobody may see"

describe("encrypted values", () => {
  it.scoped("are nowhere in the store's bytes, and come back equal", () =>
    Effect.gen(function* () {
      const { everything, process } = bytesBelow()
      const cache = yield* process(aes(one))
      const values: ReadonlyArray<unknown> = [
        plaintext,
        { plaintext, deep: [{ plaintext }] },
        Buffer.from(plaintext),
        new Map([[plaintext, 1n]]),
        "",
        undefined,
        0
      ]
      for (const [index, value] of values.entries()) yield* cache.set(["value", index], value)
      yield* cache.setMany([["many", plaintext]], { groups: ["group"] })
      yield* cache.add("added", plaintext)
      yield* cache.set("touched", plaintext)
      yield* cache.touch("touched", "1 hour")
      yield* cache.set("number", 4_711_471_147)
      yield* cache.increment("number")
      yield* cache.getOrSet("computed", Effect.succeed(plaintext))

      const stored = everything()
      assert.isAbove(stored.length, 0)
      for (const encoding of ["utf8", "hex", "base64"] as const) {
        assert.notInclude(stored.toString(encoding), Buffer.from(plaintext).toString(encoding).slice(0, 20))
      }
      assert.notInclude(stored.toString("latin1"), "4711471148")

      for (const [index, value] of values.entries()) {
        deepStrictEqual(yield* cache.get(["value", index]), Option.some(value))
      }
      for (const key of ["many", "added", "touched", "computed"]) {
        deepStrictEqual(yield* cache.get(key), Option.some(plaintext), key)
      }
      deepStrictEqual(yield* cache.get("number"), Option.some(4_711_471_148))
    })
  )

  it.scoped("are other bytes each time, also of the same value under the same key", () =>
    Effect.gen(function* () {
      const { payloadOf, process } = bytesBelow()
      const cache = yield* process(aes(one))
      const seen = new Set<string>()
      for (let round = 0; round < 100; round++) {
        yield* cache.set("key", plaintext)
        seen.add(payloadOf("key").subarray(5).toString("hex"))
      }
      assert.strictEqual(seen.size, 100)
    })
  )

  it.scoped("moved to another key are a miss, which is overwritten", () =>
    Effect.gen(function* () {
      const { forge, payloadOf, process } = bytesBelow()
      const cache = yield* process(aes(one))
      yield* cache.set("mine", "my account")
      yield* cache.set("theirs", "their account")
      forge("mine", payloadOf("theirs"))
      deepStrictEqual(yield* cache.get("mine"), Option.none())
      assert.isFalse(yield* cache.has("mine"))
      assert.strictEqual((yield* cache.getMany(["mine", "theirs"])).size, 1)
      assert.strictEqual(yield* cache.getOrSet("mine", Effect.succeed("computed")), "computed")
      deepStrictEqual(yield* cache.get("mine"), Option.some("computed"))
      // Back where they belong they count: it was the place that was wrong.
      deepStrictEqual(yield* cache.get("theirs"), Option.some("their account"))
    })
  )

  it.scoped("cut, changed or foreign ones are a miss, whatever was done to them", () =>
    Effect.gen(function* () {
      const { forge, payloadOf, process } = bytesBelow()
      const cache = yield* process(aes(one))
      yield* cache.set("key", plaintext)
      const bytes = payloadOf("key")
      const cut = Array.from(bytes, (_, length) => bytes.subarray(0, length))
      const changed = Array.from(bytes, (byte, at) => {
        const copy = Buffer.from(bytes)
        copy[at] = byte ^ 1
        return copy
      })
      const foreign = [
        Buffer.concat([bytes, Buffer.of(0)]),
        Buffer.from(JSON.stringify(plaintext)),
        randomBytes(200),
        Buffer.alloc(49, 0x12)
      ]
      for (const forged of [...cut, ...changed, ...foreign]) {
        forge("key", forged)
        deepStrictEqual(yield* cache.get("key"), Option.none(), forged.toString("hex"))
      }
      forge("key", bytes)
      deepStrictEqual(yield* cache.get("key"), Option.some(plaintext))
    }).pipe(Effect.provide(warned().layer))
  )

  it.scoped("a rotated key reads on, and writes with the new one", () =>
    Effect.gen(function* () {
      const { process } = bytesBelow()
      const [before, during, after] = yield* Effect.all([
        process(aes(one)),
        process(aes(other, one)),
        process(aes(other))
      ])
      yield* before.set("old", plaintext)
      deepStrictEqual(yield* during.get("old"), Option.some(plaintext))
      deepStrictEqual(yield* after.get("old"), Option.none())
      yield* during.set("new", plaintext)
      deepStrictEqual(yield* after.get("new"), Option.some(plaintext))
      deepStrictEqual(yield* before.get("new"), Option.none())
    }).pipe(Effect.provide(warned().layer))
  )

  it.scoped("that can't be read warn once a minute, without key and value", () =>
    Effect.gen(function* () {
      const heard = warned()
      yield* Effect.gen(function* () {
        const { process } = bytesBelow()
        const [writer, reader] = yield* Effect.all([process(aes(one)), process(aes(other))])
        for (let round = 0; round < 10; round++) {
          yield* writer.set("personal-key", plaintext)
          deepStrictEqual(yield* reader.get("personal-key"), Option.none())
        }
      }).pipe(Effect.provide(heard.layer))
      assert.strictEqual(heard.lines.length, 1)
      assert.include(heard.lines[0], "aes-256-gcm")
      assert.notInclude(heard.lines[0], "personal-key")
    })
  )

  it.scopedLive("that many keys have in common are readable under each: that a key has no value, the same bytes", () =>
    Effect.gen(function* () {
      const { process } = bytesBelow()
      const cache = yield* process(aes(one))
      let asked = 0
      const names = cache.cachedMany(
        (ids: ReadonlyArray<number>) =>
          Effect.sync(() => {
            asked += ids.length
            return ids.filter((id) => id % 2 === 0).map((id) => [id, "the same"] as const)
          }),
        { key: "name", ttl: "1 hour", missing: "1 hour" }
      )
      const ids = Array.from({ length: 100 }, (_, id) => id)
      const found = yield* names(ids)
      deepStrictEqual(yield* names(ids), found)
      assert.strictEqual(asked, 100)

      const shared = new Uint8Array([1, 2, 3])
      yield* cache.setMany(ids.map((id) => [`bytes ${id}`, shared] as const))
      const values = yield* cache.getMany(ids.map((id) => `bytes ${id}`))
      assert.strictEqual(values.size, 100)
    })
  )

  it.scopedLive("of many megabytes come back equal, and are refused where one byte of them was changed", () =>
    Effect.gen(function* () {
      const { forge, payloadOf, process } = bytesBelow()
      const cache = yield* process(aes(one))
      const large = randomBytes(5_000_000)
      yield* cache.set("large", large)
      assert.isTrue(large.equals(Option.getOrThrow(yield* cache.get("large")) as Buffer))
      const bytes = payloadOf("large")
      bytes[3_000_000] = (bytes[3_000_000] ?? 0) ^ 1
      forge("large", bytes)
      deepStrictEqual(yield* cache.get("large"), Option.none())
    }).pipe(Effect.provide(warned().layer))
  )

  it.scopedLive(
    "leave turns of the event loop to others while a large one is encrypted, and end with their caller",
    () =>
      Effect.gen(function* () {
        const { process, records } = bytesBelow()
        const cache = yield* process(aes(one))
        assert.isAbove(yield* turnsDuring(cache.set("large", randomBytes(32 * 1024 * 1024))), 16)
        assert.strictEqual(yield* turnsDuring(cache.set("small", plaintext)), 0)
        records.clear()
        const caller = yield* Effect.fork(cache.set("interrupted", randomBytes(32 * 1024 * 1024)))
        yield* Effect.yieldNow()
        yield* Fiber.interrupt(caller)
        assert.strictEqual(records.size, 0)
      })
  )

  it("need at least one secret of 32 bytes, and no error quotes one", () => {
    for (const keys of [[], [Redacted.make(new Uint8Array(16))], [one, Redacted.make(Buffer.from("secret"))]]) {
      const error = Option.getOrThrow(Either.getLeft(aes(...keys)))
      assert.strictEqual(error.reason, "InvalidOption")
      assert.notInclude(error.message, "secret")
    }
  })

  it.effect("the layer fails for a secret that is none", () =>
    Effect.gen(function* () {
      const layer = MemoryBackend.layer({ copy: true }).pipe(StoreBackend.transform(aes()))
      const error = yield* Effect.flip(Effect.scoped(Layer.build(layer)))
      assert.strictEqual(error.reason, "InvalidOption")
    }).pipe(TestServices.provideLive)
  )
})
