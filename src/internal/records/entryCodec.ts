/**
 * An entry as one record of bytes, numbers little-endian:
 *
 * ```text
 * 0      magic byte 0xEC
 * 1      format version
 * 2      flags: 1 = has a value, 2 = has a lease
 * 3..6   length of the whole record
 * 7..8   number of groups
 * 9..10  length of the key
 * then   the key
 *        with a value: freshUntil, staleUntil, computeMillis
 *        with a lease: until
 *        with a lease or groups: the texts (the lease's id, each group's key and version) in one
 *        with a value: the payload, to the end
 * ```
 *
 * A record names its key, so a copy of it under another key is no record. Times are float64, so `Infinity` needs no convention.
 * The texts are the length of each in 16 bits, and all of them in one; texts and keys are printable ASCII. The keys of the groups
 * are kept whole, because `get` does not know an entry's groups and reads their versions by these keys.
 *
 * Anybody may have written the bytes: each length is compared with what is there, and each text has a greatest length.
 */
import { Buffer } from "node:buffer"
import type { CachedValue, Entry, GroupVersion, StoredEntry, Token } from "../../CacheStore.js"
import { isText, maxTextLength } from "./texts.js"

const magic = 0xec
const formatVersion = 2
const hasValue = 1
const hasLease = 2

/** Where a record has its flags, and the flags of a lease without a value: a driver may tell such records from values. */
export const bareLease = { flagsAt: 2, flags: hasLease }

const headerSize = 11
const valueSize = 24
const leaseSize = 8

/** More groups than this are refused, so that a damaged record can't make `get` read any number of keys. */
export const maxGroups = 1_000

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

/** How many bytes of the record stand before its payload. The other bytes are the payload. */
export const headLength = (key: string, entry: Entry): number => {
  let length = headerSize + key.length
  if (entry.value !== undefined) length += valueSize
  if (entry.lease !== undefined) length += leaseSize
  for (const text of textsOf(entry)) length += 2 + text.length
  return length
}

/**
 * The record of an entry whose payload, if it has a value, is a `Uint8Array`.
 *
 * Throws on a mistake of this library: another payload, too many groups, a text that is too long.
 */
export const encodeEntry = (key: string, entry: Entry): Uint8Array => {
  const { lease, groups, value } = entry
  if (groups.length > maxGroups) throw new RangeError(`effect-cached: an entry has more than ${maxGroups} groups`)
  const payload = value === undefined ? undefined : payloadOf(value)
  const texts = lease === undefined && groups.length === 0 ? noTexts : textsOf(entry)
  const text = texts.length === 0 ? "" : texts.join("")
  let size = headerSize + key.length + 2 * texts.length + text.length
  if (payload !== undefined) size += valueSize + payload.length
  if (lease !== undefined) size += leaseSize

  const record = Buffer.allocUnsafe(size)
  record[0] = magic
  record[1] = formatVersion
  record[2] = (value === undefined ? 0 : hasValue) | (lease === undefined ? 0 : hasLease)
  record.writeUInt32LE(size, 3)
  record.writeUInt16LE(groups.length, 7)
  record.writeUInt16LE(key.length, 9)
  record.write(key, headerSize, "latin1")
  let offset = headerSize + key.length
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
  for (const { length } of texts) {
    if (length > maxTextLength) throw new RangeError("effect-cached: a text of an entry is too long")
    record.writeUInt16LE(length, offset)
    offset += 2
  }
  if (text !== "") offset += record.write(text, offset, "latin1")
  if (payload !== undefined) record.set(payload, offset)
  return record
}

const namesKey = (record: Buffer, key: string): boolean => {
  const { length } = key
  // One string, because a loop over the characters takes twice as long.
  return record.readUInt16LE(9) === length && record.toString("latin1", headerSize, headerSize + length) === key
}

/** The texts, and where they end; `undefined` if the record has no room for them or one is none that this library writes. */
const readTexts = (
  record: Buffer,
  start: number,
  count: number
): { readonly texts: ReadonlyArray<string>; readonly end: number } | undefined => {
  const textStart = start + 2 * count
  if (textStart > record.length) return undefined
  let end = textStart
  for (let at = start; at < textStart; at += 2) {
    const length = record.readUInt16LE(at)
    if (length > maxTextLength) return undefined
    end += length
  }
  if (end > record.length) return undefined
  const text = record.toString("latin1", textStart, end)
  if (!isText(text)) return undefined
  const texts: Array<string> = []
  let position = 0
  for (let at = start; at < textStart; at += 2) {
    const length = record.readUInt16LE(at)
    texts.push(text.slice(position, position + length))
    position += length
  }
  return { texts, end }
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

/** For ever is a time; what is no number, and what was never, are none. */
const isTime = (millis: number): boolean => millis > Number.NEGATIVE_INFINITY

/**
 * The entry of the record under this key, or `undefined` if the bytes are no record of it: foreign, cut off, damaged, of another
 * format, or copied from another key. The payload is a view of the record.
 */
export const decodeEntry = (key: string, bytes: Uint8Array): Entry | undefined => {
  // A store of a third party may answer anything.
  if (!(bytes instanceof Uint8Array) || bytes.length < headerSize || bytes[0] !== magic || bytes[1] !== formatVersion)
    return undefined
  const record = asBuffer(bytes)
  const flags = record.readUInt8(2)
  if (flags > (hasValue | hasLease) || record.readUInt32LE(3) !== record.length) return undefined
  const groupCount = record.readUInt16LE(7)
  if (groupCount > maxGroups || !namesKey(record, key)) return undefined
  const withValue = (flags & hasValue) !== 0
  const withLease = (flags & hasLease) !== 0
  const textCount = (withLease ? 1 : 0) + 2 * groupCount
  const valueStart = headerSize + key.length
  const leaseStart = valueStart + (withValue ? valueSize : 0)
  const textsStart = leaseStart + (withLease ? leaseSize : 0)
  if (record.length < textsStart) return undefined

  const until = withLease ? record.readDoubleLE(leaseStart) : 0
  if (!isTime(until)) return undefined
  const read = textCount === 0 ? { texts: noTexts, end: textsStart } : readTexts(record, textsStart, textCount)
  if (read === undefined) return undefined
  // The first text is the lease's id: `textCount` counted it.
  const lease = withLease ? { id: read.texts[0] as string, until } : undefined
  const groups = pairs(read.texts, withLease ? 1 : 0)
  if (!withValue) return read.end === record.length ? { value: undefined, lease, groups } : undefined

  const freshUntil = record.readDoubleLE(valueStart)
  const staleUntil = record.readDoubleLE(valueStart + 8)
  const computeMillis = record.readDoubleLE(valueStart + 16)
  if (!isTime(freshUntil) || !isTime(staleUntil) || !Number.isFinite(computeMillis)) return undefined
  return { value: { payload: record.subarray(read.end), freshUntil, staleUntil, computeMillis }, lease, groups }
}

/**
 * The entries of the keys, whose bytes were read in this order. Bytes that are no record of their key are read as `entry:
 * undefined`.
 */
export const toStoredEntries = (
  keys: ReadonlyArray<string>,
  found: ReadonlyArray<{ readonly token: Token; readonly bytes: Uint8Array } | undefined>
): ReadonlyArray<StoredEntry | undefined> =>
  keys.map((key, index) => {
    const stored = found[index]
    return stored === undefined ? undefined : { token: stored.token, entry: decodeEntry(key, stored.bytes) }
  })
