import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import type { Entry } from "../../src/CacheStore.js"
import { decodeEntry, encodeEntry } from "../../src/internal/records/entryCodec.js"
import { runs } from "../support/size.js"

const time = fc.oneof(
  fc.double({ noNaN: true }),
  fc.constantFrom(0, 1.7e12, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY)
)

const text = fc.oneof(
  fc.string({ maxLength: 20 }),
  fc.string({ unit: "grapheme", maxLength: 20 }),
  fc.string({ minLength: 240, maxLength: 250 })
)

const entry: fc.Arbitrary<Entry> = fc.record({
  value: fc.option(
    fc.record({ payload: fc.uint8Array({ maxLength: 50 }), freshUntil: time, staleUntil: time, computeMillis: time }),
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

const isEntry = (decoded: Entry | undefined): boolean =>
  decoded === undefined ||
  ((decoded.value === undefined ||
    (decoded.value.payload instanceof Uint8Array &&
      [decoded.value.freshUntil, decoded.value.staleUntil, decoded.value.computeMillis].every(isTime))) &&
    (decoded.lease === undefined || (typeof decoded.lease.id === "string" && isTime(decoded.lease.until))) &&
    decoded.groups.every(({ key, version }) => typeof key === "string" && typeof version === "string"))

const small: Entry = {
  value: { payload: Uint8Array.of(1, 2, 3), freshUntil: 10, staleUntil: Number.POSITIVE_INFINITY, computeMillis: 2.5 },
  lease: { id: "lease", until: 20 },
  groups: [{ key: "v3:shop:%group:cities", version: "abc" }]
}

describe("encodeEntry", () => {
  it("decodes to the very entry", () => {
    fc.assert(
      fc.property(entry, fc.boolean(), (original, asBuffer) => {
        const record = encodeEntry(original)
        assert.deepStrictEqual(
          comparable(decodeEntry(asBuffer ? record : Uint8Array.from(record))),
          comparable(original)
        )
      }),
      { numRuns: runs(200) }
    )
  })

  it("keeps a payload that lies in the middle of a larger memory", () => {
    const payload = Buffer.from("before, payload, after").subarray(8, 15)
    const decoded = decodeEntry(
      encodeEntry({ ...small, value: { payload, freshUntil: 1, staleUntil: 2, computeMillis: 3 } })
    )
    assert.strictEqual(Buffer.from(decoded?.value?.payload as Uint8Array).toString(), "payload")
  })

  it("throws if the payload is not bytes", () => {
    const value = { payload: "text", freshUntil: 1, staleUntil: 2, computeMillis: 3 }
    assert.throws(() => encodeEntry({ value, lease: undefined, groups: [] }), TypeError, "must be a Uint8Array")
  })

  it("takes 65535 groups, and throws at more groups and at a text that is too long", () => {
    const group = { key: "", version: "" }
    const groups = Array.from({ length: 65_535 }, () => group)
    assert.strictEqual(decodeEntry(encodeEntry({ ...small, groups }))?.groups.length, 65_535)
    assert.throws(() => encodeEntry({ ...small, groups: [...groups, group] }), RangeError)
    assert.throws(() => encodeEntry({ ...small, lease: { id: "x".repeat(65_536), until: 1 } }), RangeError)
  })

  it("writes this record, which later versions must still read", () => {
    assert.strictEqual(
      Buffer.from(encodeEntry(small)).toString("hex"),
      `ec01035300000001000000000000002440000000000000f07f00000000000004400000000000003440${"1d000000"}${"050015000300"}${Buffer.from(
        "leasev3:shop:%group:citiesabc"
      ).toString("hex")}010203`
    )
  })
})

describe("decodeEntry", () => {
  it("does not copy the payload", () => {
    const record = encodeEntry(small)
    const payload = decodeEntry(record)?.value?.payload as Uint8Array
    assert.strictEqual(payload.buffer, record.buffer)
    record[record.length - 1] = 9
    assert.deepStrictEqual([...payload], [1, 2, 9])
  })

  it("decodes no record that was cut off or has more bytes", () => {
    fc.assert(
      fc.property(entry, fc.uint8Array({ minLength: 1, maxLength: 5 }), (original, more) => {
        const record = encodeEntry(original)
        for (let size = 0; size < record.length; size++) assert.isUndefined(decodeEntry(record.subarray(0, size)))
        assert.isUndefined(decodeEntry(Buffer.concat([record, more])))
      })
    )
  })

  it("decodes no other format, version or flag", () => {
    for (const [at, byte] of [
      [0, 0x80],
      [1, 0],
      [1, 2],
      [2, 4],
      [2, 0x83]
    ] as const) {
      const record = encodeEntry(small)
      record[at] = byte
      assert.isUndefined(decodeEntry(record))
    }
  })

  it("decodes no record with a time that is not a number", () => {
    for (const at of [9, 17, 25, 33]) {
      const record = Buffer.from(encodeEntry(small))
      record.writeDoubleLE(Number.NaN, at)
      assert.isUndefined(decodeEntry(record))
    }
  })

  it("decodes no record whose texts do not fill their stated length, or whose length ends beyond the record", () => {
    const changed = (change: (record: Buffer) => void, original = small, more = "") => {
      const record = Buffer.concat([encodeEntry(original), Buffer.from(more)])
      record.writeUInt32LE(record.length, 3)
      change(record)
      return decodeEntry(record)
    }
    const textBytesAt = 41
    const firstLengthAt = 45
    assert.isDefined(changed(() => {}))
    assert.isUndefined(changed((record) => record.writeUInt16LE(4, firstLengthAt)))
    assert.isUndefined(changed((record) => record.writeUInt16LE(6, firstLengthAt)))
    assert.isUndefined(changed((record) => record.writeUInt32LE(28, textBytesAt)))
    assert.isUndefined(
      changed((record) => {
        record.writeUInt32LE(0xffffffff, textBytesAt)
        record.writeUInt16LE(5 + 3, firstLengthAt)
      })
    )
    assert.isDefined(changed(() => {}, { ...small, value: undefined }))
    assert.isUndefined(changed(() => {}, { ...small, value: undefined }, "more"))
  })

  it("never throws, whatever the bytes", () => {
    const header = fc.constantFrom([], [0xec], [0xec, 1], [0xec, 1, 0], [0xec, 1, 1], [0xec, 1, 2], [0xec, 1, 3])
    fc.assert(
      fc.property(header, fc.uint8Array({ maxLength: 80 }), (start, rest) => {
        const bytes = Buffer.from([...start, ...rest])
        assert.isTrue(isEntry(decodeEntry(bytes)))
        // With the right length the rest of the header is put to the test as well.
        if (bytes.length >= 9) bytes.writeUInt32LE(bytes.length, 3)
        assert.isTrue(isEntry(decodeEntry(bytes)))
      }),
      { numRuns: runs(2_000) }
    )
  })

  it("never throws when a bit is flipped", () => {
    fc.assert(
      fc.property(entry, fc.nat(), fc.nat(7), (original, at, bit) => {
        const record = encodeEntry(original)
        const index = at % record.length
        record[index] = (record[index] ?? 0) ^ (1 << bit)
        assert.isTrue(isEntry(decodeEntry(record)))
      }),
      { numRuns: runs(1_000) }
    )
  })
})
