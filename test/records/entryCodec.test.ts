import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import type { Entry } from "../../src/CacheStore.js"
import { decodeEntry, encodeEntry } from "../../src/internal/records/entryCodec.js"
import { type Forgery, forge } from "../support/forge.js"
import { runs } from "../support/size.js"

const finite = fc.double({ noNaN: true, noDefaultInfinity: true })
const time = fc.oneof(finite, fc.constantFrom(0, 1.7e12, Number.POSITIVE_INFINITY))

/** Printable ASCII without a space. */
const printable = fc.integer({ min: 0x21, max: 0x7e }).map((code) => String.fromCharCode(code))

const text = fc.oneof(
  fc.string({ unit: printable, maxLength: 20 }),
  fc.string({ unit: printable, minLength: 240, maxLength: 250 })
)

const entry: fc.Arbitrary<Entry> = fc.record({
  value: fc.option(
    fc.record({ payload: fc.uint8Array({ maxLength: 50 }), freshUntil: time, staleUntil: time, computeMillis: finite }),
    { nil: undefined }
  ),
  lease: fc.option(fc.record({ id: text, until: time }), { nil: undefined }),
  groups: fc.array(fc.record({ key: text, version: text }), { maxLength: 4 })
})

/** With the payload as plain numbers, because a view of a Buffer is a Buffer. */
const comparable = (decoded: Entry | undefined): unknown =>
  decoded && {
    ...decoded,
    value: decoded.value && { ...decoded.value, payload: [...(decoded.value.payload as Uint8Array)] }
  }

const isTime = (time: number): boolean => typeof time === "number" && !Number.isNaN(time)

const isText = (text: string): boolean => /^[!-~]{0,250}$/.test(text)

const isEntry = (decoded: Entry | undefined): boolean =>
  decoded === undefined ||
  ((decoded.value === undefined ||
    (decoded.value.payload instanceof Uint8Array &&
      [decoded.value.freshUntil, decoded.value.staleUntil, decoded.value.computeMillis].every(isTime))) &&
    (decoded.lease === undefined || (isText(decoded.lease.id) && isTime(decoded.lease.until))) &&
    decoded.groups.every(({ key, version }) => isText(key) && isText(version)))

const key = "v3:shop:city(1)"

const arbitraryKey = fc.string({ unit: printable, minLength: 1, maxLength: 250 })

const small: Entry = {
  value: { payload: Uint8Array.of(1, 2, 3), freshUntil: 10, staleUntil: Number.POSITIVE_INFINITY, computeMillis: 2.5 },
  lease: { id: "lease", until: 20 },
  groups: [{ key: "v3:shop:%group:cities", version: "abc" }]
}

describe("encodeEntry", () => {
  it("decodes to the very entry", () => {
    fc.assert(
      fc.property(arbitraryKey, entry, fc.boolean(), (key, original, asBuffer) => {
        const record = encodeEntry(key, original)
        assert.deepStrictEqual(
          comparable(decodeEntry(key, asBuffer ? record : Uint8Array.from(record))),
          comparable(original)
        )
      }),
      { numRuns: runs(200) }
    )
  })

  it("keeps a payload that lies in the middle of a larger memory", () => {
    const payload = Buffer.from("before, payload, after").subarray(8, 15)
    const decoded = decodeEntry(
      key,
      encodeEntry(key, { ...small, value: { payload, freshUntil: 1, staleUntil: 2, computeMillis: 3 } })
    )
    assert.strictEqual(Buffer.from(decoded?.value?.payload as Uint8Array).toString(), "payload")
  })

  it("throws if the payload is not bytes", () => {
    const value = { payload: "text", freshUntil: 1, staleUntil: 2, computeMillis: 3 }
    assert.throws(() => encodeEntry(key, { value, lease: undefined, groups: [] }), TypeError, "must be a Uint8Array")
  })

  it("takes 1000 groups, and throws at more groups and at a text that is too long", () => {
    const group = { key: "", version: "" }
    const groups = Array.from({ length: 1_000 }, () => group)
    assert.strictEqual(decodeEntry(key, encodeEntry(key, { ...small, groups }))?.groups.length, 1_000)
    assert.throws(() => encodeEntry(key, { ...small, groups: [...groups, group] }), RangeError)
    assert.throws(() => encodeEntry(key, { ...small, lease: { id: "x".repeat(251), until: 1 } }), RangeError)
  })

  it("writes this record, which later versions must still read", () => {
    assert.strictEqual(
      Buffer.from(encodeEntry(key, small)).toString("hex"),
      `ec0203600000000100${"0f00"}${Buffer.from(key).toString("hex")}0000000000002440000000000000f07f00000000000004400000000000003440${"050015000300"}${Buffer.from(
        "leasev3:shop:%group:citiesabc"
      ).toString("hex")}010203`
    )
  })
})

describe("decodeEntry", () => {
  it("does not copy the payload", () => {
    const record = encodeEntry(key, small)
    const payload = decodeEntry(key, record)?.value?.payload as Uint8Array
    assert.strictEqual(payload.buffer, record.buffer)
    record[record.length - 1] = 9
    assert.deepStrictEqual([...payload], [1, 2, 9])
  })

  it("decodes no record under another key", () => {
    fc.assert(
      fc.property(arbitraryKey, arbitraryKey, entry, (key, other, original) => {
        fc.pre(key !== other)
        assert.isUndefined(decodeEntry(other, encodeEntry(key, original)))
      })
    )
    for (const other of ["", key.slice(0, -1), `${key}1`, key.toUpperCase(), "x".repeat(250)]) {
      assert.isUndefined(decodeEntry(other, encodeEntry(key, small)))
    }
  })

  it("decodes no record that was cut off or has more bytes", () => {
    fc.assert(
      fc.property(entry, fc.uint8Array({ minLength: 1, maxLength: 5 }), (original, more) => {
        const record = encodeEntry(key, original)
        for (let size = 0; size < record.length; size++) assert.isUndefined(decodeEntry(key, record.subarray(0, size)))
        assert.isUndefined(decodeEntry(key, Buffer.concat([record, more])))
      })
    )
  })

  it("decodes no other format, version or flag", () => {
    for (const [at, byte] of [
      [0, 0x80],
      [1, 0],
      [1, 1],
      [1, 3],
      [2, 4],
      [2, 0x83]
    ] as const) {
      const record = encodeEntry(key, small)
      record[at] = byte
      assert.isUndefined(decodeEntry(key, record))
    }
  })

  const bytes = Uint8Array.of(1)
  const forgeries: ReadonlyArray<readonly [string, Forgery]> = [
    ["a value fresh until NaN", { key, payload: bytes, freshUntil: Number.NaN }],
    ["a value stale until NaN", { key, payload: bytes, staleUntil: Number.NaN }],
    ["a value that was never fresh", { key, payload: bytes, freshUntil: Number.NEGATIVE_INFINITY }],
    ["a value that was computed for NaN", { key, payload: bytes, computeMillis: Number.NaN }],
    ["a value that was computed for ever", { key, payload: bytes, computeMillis: Number.POSITIVE_INFINITY }],
    ["a lease until NaN", { key, lease: { id: "x", until: Number.NaN } }],
    ["a lease with an id of 251 characters", { key, lease: { id: "x".repeat(251), until: 1 } }],
    ["a lease with an id that is no text", { key, lease: { id: "x\ny", until: 1 } }],
    ["a group version of 251 characters", { key, payload: bytes, groups: [["g", "x".repeat(251)]] }],
    ["a group version of 60,000 characters", { key, payload: bytes, groups: [["g", "x".repeat(60_000)]] }],
    ["a group version of 70,000 characters", { key, payload: bytes, groups: [["g", "x".repeat(70_000)]] }],
    ["a group whose key has a space", { key, payload: bytes, groups: [["a b", "x"]] }],
    ["a group whose key is not ASCII", { key, payload: bytes, groups: [["\xe9", "x"]] }],
    ["1001 groups", { key, payload: bytes, groups: Array.from({ length: 1_001 }, () => ["g", "x"] as const) }]
  ]

  it("decodes what is forged as it should be", () => {
    const lease = { id: "x", until: Number.POSITIVE_INFINITY }
    assert.deepStrictEqual(decodeEntry(key, forge({ key, lease })), { value: undefined, lease, groups: [] })
    assert.isDefined(decodeEntry(key, forge({ key, payload: bytes, lease, groups: [["g", "x".repeat(250)]] })))
  })

  for (const [what, forgery] of forgeries) {
    it(`decodes no record of ${what}`, () => {
      assert.isUndefined(decodeEntry(key, forge(forgery)))
    })
  }

  it("decodes no record whose texts do not fit into it", () => {
    const changed = (change: (record: Buffer) => void, original = small, more = "") => {
      const record = Buffer.concat([encodeEntry(key, original), Buffer.from(more)])
      record.writeUInt32LE(record.length, 3)
      change(record)
      return decodeEntry(key, record)
    }
    const keyLengthAt = 9
    const firstLengthAt = 11 + key.length + 24 + 8
    assert.isDefined(changed(() => {}))
    assert.isUndefined(changed((record) => record.writeUInt16LE(key.length - 1, keyLengthAt)))
    assert.isUndefined(changed((record) => record.writeUInt16LE(0xffff, keyLengthAt)))
    assert.isUndefined(changed((record) => record.writeUInt16LE(200, firstLengthAt)))
    assert.isUndefined(changed((record) => record.writeUInt16LE(0xffff, firstLengthAt)))
    assert.isUndefined(changed((record) => record.writeUInt16LE(999, 7)))
    assert.isDefined(changed(() => {}, { ...small, value: undefined }))
    assert.isUndefined(changed(() => {}, { ...small, value: undefined }, "more"))
  })

  it("never throws, whatever the bytes", () => {
    const headers = [[], [0xec], [0xec, 2], [0xec, 2, 0], [0xec, 2, 1], [0xec, 2, 2], [0xec, 2, 3]]
    fc.assert(
      fc.property(fc.constantFrom(...headers), fc.uint8Array({ maxLength: 80 }), (start, rest) => {
        const bytes = Buffer.from([...start, ...rest])
        assert.isTrue(isEntry(decodeEntry("k", bytes)))
        // With the right lengths the rest of the header is put to the test as well.
        if (bytes.length < 12) return
        bytes.writeUInt32LE(bytes.length, 3)
        bytes.writeUInt16LE(bytes.readUInt16LE(7) % 8, 7)
        bytes.writeUInt16LE(1, 9)
        bytes.write("k", 11)
        assert.isTrue(isEntry(decodeEntry("k", bytes)))
      }),
      { numRuns: runs(650, 2_000) }
    )
  })

  it("never throws when a bit is flipped, and never gives a text that is none", () => {
    fc.assert(
      fc.property(entry, fc.nat(), fc.nat(7), (original, at, bit) => {
        const record = encodeEntry(key, original)
        const index = at % record.length
        record[index] = (record[index] ?? 0) ^ (1 << bit)
        assert.isTrue(isEntry(decodeEntry(key, record)))
      }),
      { numRuns: runs(350, 1_000) }
    )
  })
})
