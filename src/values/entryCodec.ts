/**
 * An entry as one record of bytes:
 *
 * ```text
 * 0      magic byte 0xEC
 * 1      format version
 * 2      flags: 1 = has a value, 2 = has a claim
 * 3..6   length of the whole record
 * 7..8   number of groups
 * then   with a value: freshUntil, staleUntil, computeMillis
 *        with a claim: until, id
 *        each group:   key, version
 *        with a value: the payload, to the end
 * ```
 *
 * Numbers are little-endian; times are float64, so `Infinity` needs no convention. A text is its length in bytes (16 bits)
 * and its UTF-8. Groups' keys are kept whole: a reader that was not told the groups has to find their versions by them.
 */
import { Buffer } from "node:buffer"
import type { CachedValue, Claim, Entry, GroupVersion } from "../CacheStore.js"

const magic = 0xec
const formatVersion = 1
const hasValue = 1
const hasClaim = 2

const headerSize = 9
const valueSize = 24

const textSize = (text: string): number => 2 + Buffer.byteLength(text, "utf8")

const writeText = (record: Buffer, offset: number, text: string): number => {
  const size = record.write(text, offset + 2, "utf8")
  record.writeUInt16LE(size, offset)
  return offset + 2 + size
}

const payloadOf = (value: CachedValue): Uint8Array => {
  if (value.payload instanceof Uint8Array) return value.payload
  throw new TypeError("effect-cached: the payload of an entry to be encoded must be a Uint8Array")
}

/**
 * The record of an entry whose payload, if it has a value, is a `Uint8Array`.
 *
 * Throws where its caller is at fault: another payload, more than 65535 groups, a text of more than 65535 bytes.
 */
export const encodeEntry = (entry: Entry): Uint8Array => {
  const { claim, groups, value } = entry
  const payload = value === undefined ? undefined : payloadOf(value)
  let size = headerSize
  if (payload !== undefined) size += valueSize + payload.length
  if (claim !== undefined) size += 8 + textSize(claim.id)
  for (const group of groups) size += textSize(group.key) + textSize(group.version)

  const record = Buffer.allocUnsafe(size)
  record[0] = magic
  record[1] = formatVersion
  record[2] = (value === undefined ? 0 : hasValue) | (claim === undefined ? 0 : hasClaim)
  record.writeUInt32LE(size, 3)
  record.writeUInt16LE(groups.length, 7)
  let offset = headerSize
  if (value !== undefined) {
    record.writeDoubleLE(value.freshUntil, offset)
    record.writeDoubleLE(value.staleUntil, offset + 8)
    record.writeDoubleLE(value.computeMillis, offset + 16)
    offset += valueSize
  }
  if (claim !== undefined) {
    record.writeDoubleLE(claim.until, offset)
    offset = writeText(record, offset + 8, claim.id)
  }
  for (const group of groups) {
    offset = writeText(record, offset, group.key)
    offset = writeText(record, offset, group.version)
  }
  if (payload !== undefined) record.set(payload, offset)
  return record
}

/** Reads on from where it stopped; `undefined` past the end. */
class Reader {
  constructor(
    readonly record: Buffer,
    public offset: number
  ) {}

  number(): number | undefined {
    const end = this.offset + 8
    if (end > this.record.length) return undefined
    const number = this.record.readDoubleLE(this.offset)
    this.offset = end
    return Number.isNaN(number) ? undefined : number
  }

  text(): string | undefined {
    const start = this.offset + 2
    if (start > this.record.length) return undefined
    const end = start + this.record.readUInt16LE(this.offset)
    if (end > this.record.length) return undefined
    this.offset = end
    return this.record.toString("utf8", start, end)
  }

  claim(): Claim | undefined {
    const until = this.number()
    const id = this.text()
    return until === undefined || id === undefined ? undefined : { id, until }
  }

  groups(count: number): ReadonlyArray<GroupVersion> | undefined {
    const groups: Array<GroupVersion> = []
    for (let index = 0; index < count; index++) {
      const key = this.text()
      const version = this.text()
      if (key === undefined || version === undefined) return undefined
      groups.push({ key, version })
    }
    return groups
  }

  rest(): Uint8Array {
    const { offset } = this
    this.offset = this.record.length
    return this.record.subarray(offset)
  }
}

const asBuffer = (bytes: Uint8Array): Buffer =>
  bytes instanceof Buffer ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)

/**
 * The entry of a record, or `undefined` when these are not the bytes of one: foreign, cut off, or of a later format. The
 * payload is a view of the record.
 */
export const decodeEntry = (bytes: Uint8Array): Entry | undefined => {
  if (bytes.length < headerSize || bytes[0] !== magic || bytes[1] !== formatVersion) return undefined
  const record = asBuffer(bytes)
  const flags = record.readUInt8(2)
  if (flags > (hasValue | hasClaim) || record.readUInt32LE(3) !== record.length) return undefined
  const reader = new Reader(record, headerSize)

  let freshUntil: number | undefined
  let staleUntil: number | undefined
  let computeMillis: number | undefined
  if (flags & hasValue) {
    freshUntil = reader.number()
    staleUntil = reader.number()
    computeMillis = reader.number()
    if (freshUntil === undefined || staleUntil === undefined || computeMillis === undefined) return undefined
  }
  let claim: Claim | undefined
  if (flags & hasClaim) {
    claim = reader.claim()
    if (claim === undefined) return undefined
  }
  const groups = reader.groups(record.readUInt16LE(7))
  if (groups === undefined) return undefined
  const value =
    freshUntil === undefined || staleUntil === undefined || computeMillis === undefined
      ? undefined
      : { payload: reader.rest(), freshUntil, staleUntil, computeMillis }
  return reader.offset === record.length ? { value, claim, groups } : undefined
}
