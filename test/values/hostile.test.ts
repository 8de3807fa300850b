/**
 * Bytes that anybody may have put into the store: decoding them fails, and takes neither more memory nor more time than their size.
 */
import { assert, describe, it } from "@effect/vitest"
import { Either } from "effect"
import * as fc from "fast-check"
import { decodePlain, encodePlain } from "../../src/internal/values/plainData.js"
import { memoryTaken, v8Bomb } from "../support/forge.js"
import { runs } from "../support/size.js"
import { plainData } from "./arbitraryData.js"

const megabyte = 2 ** 20

/** Extended JSON of this text and these bytes. */
const extended = (text: string, views: Uint8Array = Buffer.alloc(0), size = Buffer.byteLength(text)): Buffer => {
  const head = Buffer.alloc(5)
  head[0] = 3
  head.writeUInt32LE(size, 1)
  return Buffer.concat([head, Buffer.from(text), views])
}

const encoded = (value: unknown): Uint8Array => Either.getOrThrow(encodePlain(value))

const decoded = (bytes: Uint8Array): unknown => Either.getOrThrow(decodePlain(bytes))

const unreadable: ReadonlyArray<readonly [string, Uint8Array]> = [
  ["an array of V8 that takes 1 GB", v8Bomb],
  ["a text longer than the bytes", extended("[1]", undefined, 2 ** 32 - 1)],
  ["a text that ends in the midst", extended('["$Map",1,2]', undefined, 5)],
  ["bytes that belong to nothing", extended("[1]", Buffer.alloc(3))],
  ["a view longer than the bytes", extended('["$Uint8Array",4]', Buffer.alloc(3))],
  ["a view of 8 PB", extended('["$Float64Array",9007199254740984]')],
  ["a view of -1 bytes", extended('["$Uint8Array",-1]')],
  ["a view of half a byte", extended('["$Uint8Array",0.5]', Buffer.alloc(1))],
  ["a view of NULL", extended('["$Uint8Array",null]')],
  ["a view without a length", extended('["$Uint8Array"]')],
  ["a view of a part of its element", extended('["$Float64Array",12]', Buffer.alloc(12))],
  ["views that overlap", extended(`[${Array(9).fill('["$Uint8Array",100]').join()}]`, Buffer.alloc(100))],
  ["an unknown kind of view", extended('["$SharedArrayBuffer",8]', Buffer.alloc(8))],
  ["a name that objects inherit", extended('["$constructor",8]', Buffer.alloc(8))],
  ["an unknown escape", extended('"$eval"')],
  ["a time that is none", extended('"$dx"')],
  ["a time after the end of time", extended('"$d8640000000000001"')],
  ["a bigint that is none", extended('"$n1.5"')],
  ["a bigint without digits", extended('"$n"')],
  ["the object of no number", extended('["$r1"]')],
  ["the object number -1", extended('["$r-1"]')],
  ["the object number length", extended('["$rlength"]')],
  ["a map with a key too many", extended('["$Map",1]')],
  ["holes beyond the greatest array", extended('["$Sparse",4294967296]')],
  ["-1 holes", extended('["$Sparse",-1]')],
  ["an element beyond the length", extended('["$Sparse",1,1,0]')],
  ["an element of no index", extended('["$Sparse",9,"push",0]')],
  ["an index without an element", extended('["$Sparse",9,1]')],
  ["600 levels", extended(`${"[".repeat(600)}-1${"]".repeat(600)}`)],
  ["600 levels of maps", extended(`${'["$Map",1,'.repeat(600)}1${"]".repeat(600)}`)]
]

describe("decodePlain", () => {
  for (const [what, bytes] of unreadable) {
    it(`fails on ${what}, and takes no memory for it`, () => {
      let answer: Either.Either<unknown, unknown> | undefined
      const taken = memoryTaken(() => {
        answer = decodePlain(bytes)
      })
      assert.isTrue(answer !== undefined && Either.isLeft(answer))
      assert.isBelow(taken, 2 * megabyte)
    })
  }

  it("keeps holes without room for them, as many as an array may have", () => {
    const text = `[${Array(40).fill('["$Sparse",33554432],["$Sparse",4294967295,7,"seven"]').join()}]`
    let back: unknown
    const taken = memoryTaken(() => {
      back = decoded(extended(text))
    })
    assert.isBelow(taken, 2 * megabyte)
    const arrays = back as ReadonlyArray<ReadonlyArray<unknown>>
    for (let index = 0; index < arrays.length; index += 2) {
      assert.deepStrictEqual([arrays[index]?.length, Object.keys(arrays[index] ?? [])], [2 ** 25, []])
      assert.deepStrictEqual(
        [arrays[index + 1]?.length, Object.entries(arrays[index + 1] ?? [])],
        [2 ** 32 - 1, [["7", "seven"]]]
      )
    }
    assert.strictEqual(encoded(new Array(2 ** 32 - 1)).length, 5 + '["$Sparse",4294967295]'.length)
  })

  it("reads an object met along 2^1000 paths once", () => {
    // Each of the 400 levels is an array of the next one, twice.
    const text = `${"[".repeat(400)}1${Array.from({ length: 400 }, (_, index) => (index === 0 ? "]" : `,"$r${400 - index}"]`)).join("")}`
    let level = decoded(extended(text))
    for (let depth = 1; depth < 400; depth++) {
      const [left, right] = level as ReadonlyArray<unknown>
      assert.strictEqual(left, right)
      level = left
    }
    assert.deepStrictEqual(level, [1])
  })

  it("gives `__proto__` as a property, and changes no prototype", () => {
    for (const json of [
      '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}',
      '{"a":{"__proto__":["$Map"]}'
    ]) {
      const value = decoded(extended(`${json},"u":"$undefined"}`)) as Record<string, unknown>
      assert.strictEqual(Object.getPrototypeOf(value), Object.prototype)
      assert.isUndefined(Reflect.get({}, "polluted"))
      for (const part of [value, value["a"]]) {
        if (typeof part === "object" && part !== null) assert.strictEqual(Object.getPrototypeOf(part), Object.prototype)
      }
    }
    const own = decoded(extended('{"__proto__":"$undefined"}')) as object
    assert.deepStrictEqual(Object.getOwnPropertyDescriptor(own, "__proto__"), {
      configurable: true,
      enumerable: true,
      value: undefined,
      writable: true
    })
  })

  it("takes a small multiple of the size of what it reads, whatever is repeated there", () => {
    const repeated = (part: string) => extended(`[${Array(100_000).fill(part).join()}]`)
    for (const part of [
      "[]",
      "{}",
      '["$Map"]',
      '["$Set"]',
      '["$Sparse",16]',
      '["$Sparse",4294967295]',
      '["$Uint8Array",0]',
      '"$d1"',
      '"$nff"',
      '"$undefined"'
    ]) {
      const bytes = repeated(part)
      let back: unknown
      const taken = memoryTaken(() => {
        back = decoded(bytes)
      })
      assert.strictEqual((back as ReadonlyArray<unknown>).length, 100_000)
      assert.isBelow(taken / bytes.length, 150, part)
    }
  })

  it("reads a bigint of a million digits, and a text of as many escapes, in no more than linear time", () => {
    const big = 16n ** 1_000_000n - 1n
    assert.isTrue(decoded(encoded(big)) === big)
    assert.strictEqual(
      decoded(encoded([undefined, "$".repeat(1_000_000)]) as Uint8Array)?.[1 as never],
      "$".repeat(1_000_000)
    )
  })

  it("never throws at 60,000 values that were changed by chance", () => {
    const place = fc.nat(9_999).map((part) => part / 10_000)
    const change = fc.record({
      at: place,
      byte: fc.oneof(fc.nat(255), fc.constantFrom(0x22, 0x24, 0x2c, 0x5b, 0x5d, 0x30, 0x39)),
      cut: place
    })
    let extendedOnes = 0
    fc.assert(
      fc.property(plainData, fc.array(change, { minLength: 20, maxLength: 20 }), (value, changes) => {
        const original = encoded([value, undefined])
        for (const { at, byte, cut } of changes) {
          const bytes = Buffer.from(original)
          bytes[Math.floor(at * bytes.length)] = byte
          if (bytes[0] === 3) extendedOnes++
          assert.isTrue(Either.isEither(decodePlain(bytes)))
          assert.isTrue(Either.isEither(decodePlain(bytes.subarray(0, Math.floor(cut * bytes.length)))))
          // With the right length of the text, so that the change is met by what reads the text.
          if (bytes.length > 5 && bytes[0] === 3) {
            bytes.writeUInt32LE(original[1] === undefined ? 0 : Buffer.from(original).readUInt32LE(1), 1)
            assert.isTrue(Either.isEither(decodePlain(bytes)))
          }
        }
      }),
      { numRuns: runs(1_200) }
    )
    assert.isAbove(extendedOnes, 10_000)
  })
})
