/**
 * An entry as one record of bytes, numbers little-endian:
 *
 * ```text
 * 0      magic byte 0xEC
 * 1      format version
 * 2      flags: 1 = has a value, 2 = has a lease
 * 3..6   length of the whole record
 * 7..8   number of groups
 * then   with a value: freshUntil, staleUntil, computeMillis
 *        with a lease: until
 *        with a lease or groups: the texts (the lease's id, each group's key and version) in one
 *        with a value: the payload, to the end
 * ```
 *
 * Times are float64, so `Infinity` needs no convention. The texts are a 32-bit length in bytes, a 16-bit length in UTF-16
 * units for each, and the UTF-8 of all of them. The keys of the groups are kept whole, because `get` does not know an entry's
 * groups and reads their versions by these keys.
 */
import { Buffer } from "node:buffer"
import type { CachedValue, Entry, GroupVersion, StoredEntry, Token } from "../../CacheStore.js"

const magic = 0xec
const formatVersion = 1
const hasValue = 1
const hasLease = 2

const headerSize = 9
const valueSize = 24
const leaseSize = 8

const payloadOf = (value: CachedValue): Uint8Array => {
  if (value.payload instanceof Uint8Array) return value.payload
  throw new TypeError("effect-cached: the payload of an entry to be encoded must be a Uint8Array")
}

const textsOf = ({ lease, groups }: Entry): ReadonlyArray<string> => {
  const texts = lease === undefined ? [] : [lease.id]
  for (const { key, version } of groups) texts.push(key, version)
  return texts
}

const noTexts: ReadonlyArray<string> = []

/**
 * The record of an entry whose payload, if it has a value, is a `Uint8Array`.
 *
 * Throws on a mistake of this library: another payload, more than 65535 groups, a text of more than 65535 characters.
 */
export const encodeEntry = (entry: Entry): Uint8Array => {
  const { lease, groups, value } = entry
  const payload = value === undefined ? undefined : payloadOf(value)
  const texts = lease === undefined && groups.length === 0 ? noTexts : textsOf(entry)
  const text = texts.length === 0 ? "" : texts.join("")
  const textBytes = text === "" ? 0 : Buffer.byteLength(text, "utf8")
  let size = headerSize
  if (payload !== undefined) size += valueSize + payload.length
  if (lease !== undefined) size += leaseSize
  if (texts.length > 0) size += 4 + 2 * texts.length + textBytes

  const record = Buffer.allocUnsafe(size)
  record[0] = magic
  record[1] = formatVersion
  record[2] = (value === undefined ? 0 : hasValue) | (lease === undefined ? 0 : hasLease)
  record.writeUInt32LE(size, 3)
  record.writeUInt16LE(groups.length, 7)
  let offset = headerSize
  if (value !== undefined) {
    record.writeDoubleLE(value.freshUntil, offset)
    record.writeDoubleLE(value.staleUntil, offset + 8)
    record.writeDoubleLE(value.computeMillis, offset + 16)
    offset += valueSize
  }
  if (lease !== undefined) {
    record.writeDoubleLE(lease.until, offset)
    offset += leaseSize
  }
  if (texts.length > 0) {
    record.writeUInt32LE(textBytes, offset)
    offset += 4
    for (const { length } of texts) {
      record.writeUInt16LE(length, offset)
      offset += 2
    }
    record.write(text, offset, "utf8")
    offset += textBytes
  }
  if (payload !== undefined) record.set(payload, offset)
  return record
}

/** The texts, and where they end; `undefined` unless they fill exactly the length that the record states. */
const readTexts = (
  record: Buffer,
  start: number,
  count: number
): { readonly texts: ReadonlyArray<string>; readonly end: number } | undefined => {
  const textStart = start + 4 + 2 * count
  if (textStart > record.length) return undefined
  const end = textStart + record.readUInt32LE(start)
  if (end > record.length) return undefined
  const text = record.toString("utf8", textStart, end)
  const texts: Array<string> = []
  let position = 0
  for (let index = 0; index < count; index++) {
    const length = record.readUInt16LE(start + 4 + 2 * index)
    texts.push(text.slice(position, position + length))
    position += length
  }
  return position === text.length ? { texts, end } : undefined
}

const noGroups: ReadonlyArray<GroupVersion> = []

const pairs = (texts: ReadonlyArray<string>, start: number): ReadonlyArray<GroupVersion> => {
  if (texts.length === start) return noGroups
  const groups: Array<GroupVersion> = []
  for (let index = start; index < texts.length; index += 2) {
    // The number of texts is even: two for each group.
    groups.push({ key: texts[index] as string, version: texts[index + 1] as string })
  }
  return groups
}

const asBuffer = (bytes: Uint8Array): Buffer =>
  bytes instanceof Buffer ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)

/**
 * The entry of a record, or `undefined` if the bytes are no record: foreign, cut off, or of a later format. The payload is a view
 * of the record.
 */
export const decodeEntry = (bytes: Uint8Array): Entry | undefined => {
  if (bytes.length < headerSize || bytes[0] !== magic || bytes[1] !== formatVersion) return undefined
  const record = asBuffer(bytes)
  const flags = record.readUInt8(2)
  if (flags > (hasValue | hasLease) || record.readUInt32LE(3) !== record.length) return undefined
  const withValue = (flags & hasValue) !== 0
  const withLease = (flags & hasLease) !== 0
  const textCount = (withLease ? 1 : 0) + 2 * record.readUInt16LE(7)
  const leaseStart = headerSize + (withValue ? valueSize : 0)
  const textsStart = leaseStart + (withLease ? leaseSize : 0)
  if (record.length < textsStart) return undefined

  const until = withLease ? record.readDoubleLE(leaseStart) : 0
  if (Number.isNaN(until)) return undefined
  const read = textCount === 0 ? { texts: noTexts, end: textsStart } : readTexts(record, textsStart, textCount)
  if (read === undefined) return undefined
  // The first text is the lease's id: `textCount` counted it.
  const lease = withLease ? { id: read.texts[0] as string, until } : undefined
  const groups = pairs(read.texts, withLease ? 1 : 0)
  if (!withValue) return read.end === record.length ? { value: undefined, lease, groups } : undefined

  const freshUntil = record.readDoubleLE(headerSize)
  const staleUntil = record.readDoubleLE(headerSize + 8)
  const computeMillis = record.readDoubleLE(headerSize + 16)
  if (Number.isNaN(freshUntil) || Number.isNaN(staleUntil) || Number.isNaN(computeMillis)) return undefined
  return { value: { payload: record.subarray(read.end), freshUntil, staleUntil, computeMillis }, lease, groups }
}

/** Bytes that are no record are read as `entry: undefined`. */
export const toStoredEntry = (
  stored: { readonly token: Token; readonly bytes: Uint8Array } | undefined
): StoredEntry | undefined =>
  stored === undefined ? undefined : { token: stored.token, entry: decodeEntry(stored.bytes) }
