/**
 * Forged records: damaged bytes, and records that are well-formed but lie. The value itself is left alone: who may write the store
 * may write any value.
 */
import { serialize } from "node:v8"
import type { CacheStore } from "effect-cached"
import { decodeEntry, encodeEntry, maxGroups } from "../../src/internal/records/entryCodec.js"

type Entry = CacheStore.Entry

export const random = (below: number) => Math.floor(Math.random() * below)
const randomBytes = (length: number) => Buffer.from(Array.from({ length }, () => random(256)))

/** V8's own form of an array of a hundred million holes, in a few bytes. */
const hugeArray = () => Buffer.from(serialize(new Array(100_000_000)))

/** @param prefix how many bytes stand before the record */
export type Forge = (record: Buffer, other: Buffer, prefix: number) => Buffer

const header = 40

const damages: ReadonlyArray<Forge> = [
  (record) => record.subarray(0, random(record.length)),
  () => randomBytes(random(200)),
  () => Buffer.alloc(0),
  // a record of another key
  (_record, other) => other,
  // one bit of the header
  (record, _other, prefix) => {
    const flipped = Buffer.from(record)
    const at = prefix + random(Math.max(1, Math.min(header, flipped.length - prefix)))
    flipped[at] = (flipped[at] ?? 0) ^ (1 << random(8))
    return flipped
  },
  // the largest numbers where lengths and times stand
  (record, _other, prefix) => {
    const grown = Buffer.from(record)
    const at = prefix + random(Math.max(1, Math.min(header, grown.length - prefix)))
    grown.fill(0xff, at, Math.min(grown.length, at + 8))
    return grown
  },
  // the format of an older version
  (record, _other, prefix) => {
    const older = Buffer.from(record)
    if (older.length > prefix + 1) older[prefix + 1] = 1
    return older
  },
  (record, _other, prefix) => Buffer.concat([record.subarray(0, prefix), hugeArray()]),
  (record) => Buffer.concat([record, randomBytes(1 + random(50))]),
  (record, _other, prefix) => Buffer.concat([record.subarray(0, prefix + 9), Buffer.alloc(70_000, "g")])
]

const year9999 = Date.UTC(9999, 0)
const endless = [Number.POSITIVE_INFINITY, year9999] as const
const end = () => endless[random(2)] ?? year9999

/** Where a record has its key (`src/internal/records/entryCodec.ts`). */
const keyOf = (record: Buffer): string =>
  record.length < 11 ? "" : record.toString("latin1", 11, 11 + record.readUInt16LE(9))

const lease = (id: string, until: number): Entry["lease"] => ({ id, until })
const anyId = () => `${random(2 ** 30).toString(36)}.${random(1_000)}`

/** What a record could say, written by the library's own encoder. The first argument is what the record says. */
const lies: ReadonlyArray<(entry: Entry, other: Entry) => Entry> = [
  // another's lease that never ends, with and without the value; each time another one, or always the same
  () => ({ value: undefined, lease: lease(anyId(), end()), groups: [] }),
  ({ groups }) => ({ value: undefined, lease: lease(anyId(), end()), groups }),
  ({ groups }) => ({ value: undefined, lease: lease("always.1", end()), groups }),
  (entry) => ({ ...entry, lease: lease(anyId(), end()) }),
  (entry) => ({ ...entry, value: stale(entry.value), lease: lease(anyId(), end()) }),
  // ids that no layer makes
  ({ groups }) => ({ value: undefined, lease: lease("", end()), groups }),
  ({ groups }) => ({ value: undefined, lease: lease("<".repeat(250), end()), groups }),
  ({ groups }) => ({ value: undefined, lease: lease(`${anyId()}<${anyId()}`, end()), groups }),
  // tombstones, of this lease and of another
  (entry) => ({ value: undefined, lease: lease(entry.lease?.id ?? anyId(), Date.now()), groups: [] }),
  (_entry, other) => ({ value: undefined, lease: lease(other.lease?.id ?? anyId(), 0), groups: [] }),
  // times that are none
  (entry) => withTimes(entry, Number.NaN, Number.NaN),
  (entry) => withTimes(entry, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY),
  (entry) => withTimes(entry, 0, year9999),
  (entry) => ({ ...entry, lease: lease(anyId(), Number.NaN) }),
  // groups: none, of another entry, of any version, very many, unsorted
  (entry) => ({ ...entry, groups: [] }),
  (entry, { groups }) => ({ ...entry, groups }),
  (entry) => ({ ...entry, groups: entry.groups.map(({ key }) => ({ key, version: "g".repeat(250) })) }),
  (entry) => ({ ...entry, groups: entry.groups.map(({ key }) => ({ key, version: "" })) }),
  (entry) => ({
    ...entry,
    groups: Array.from({ length: maxGroups }, (_, at) => ({ key: `k${at}`.padEnd(250, "k"), version: "v" }))
  }),
  (entry) => ({ ...entry, groups: [...entry.groups].reverse() }),
  // nothing at all
  () => ({ value: undefined, lease: undefined, groups: [] })
]

const stale = (value: Entry["value"]): Entry["value"] =>
  value === undefined ? undefined : { ...value, freshUntil: 0, staleUntil: year9999 }

const withTimes = (entry: Entry, freshUntil: number, staleUntil: number): Entry =>
  entry.value === undefined ? entry : { ...entry, value: { ...entry.value, freshUntil, staleUntil } }

/** A record that is well-formed and lies; what is no record already is left as it is. */
const lie: Forge = (record, other, prefix) => {
  const mine = record.subarray(prefix)
  const entry = decodeEntry(keyOf(mine), mine)
  const another = decodeEntry(keyOf(other.subarray(prefix)), other.subarray(prefix))
  const tell = lies[random(lies.length)]
  if (entry === undefined || tell === undefined) return record
  return Buffer.concat([record.subarray(0, prefix), encodeEntry(keyOf(mine), tell(entry, another ?? entry))])
}

/** One forgery by chance: half of them are well-formed. */
export const forge: Forge = (record, other, prefix) => {
  const damage = random(2) === 0 ? damages[random(damages.length)] : undefined
  return (damage ?? lie)(record, other, prefix)
}
