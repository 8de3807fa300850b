/** Records as the columns that the statements unnest. */
import type { ByteItem, ByteRecord } from "../ByteStore.js"

/** A timestamp of PostgreSQL ends in the year 294276; what is to live for 3000 years may as well live for ever. */
const forEver = 1e14

export const lifetimeOf = (record: ByteRecord): number | null => (record.lifetime < forEver ? record.lifetime : null)

/** Sorted by key, the later of two with the same key. Keys are ASCII, where this order is that of the "C" collation. */
export const distinct = (items: ReadonlyArray<ByteItem>): ReadonlyArray<ByteItem> =>
  [...new Map(items.map((item) => [item.key, item])).values()].sort((a, b) => (a.key < b.key ? -1 : 1))

export const columns = (items: ReadonlyArray<ByteItem>) =>
  [
    items.map((item) => item.key),
    // the driver writes a plain Uint8Array inside an array as text, a Buffer as bytes
    items.map((item) =>
      Buffer.from(item.record.bytes.buffer, item.record.bytes.byteOffset, item.record.bytes.byteLength)
    ),
    items.map((item) => lifetimeOf(item.record))
  ] as const
