/** Records as the parameters of the statements. */
import type { ByteItem, ByteRecord } from "../../../../ByteStore.js"

/** Milliseconds, some 3,000 years. PostgreSQL's timestamps end in the year 294276. */
const forEver = 1e14

export const lifetimeOf = (record: ByteRecord): number | null => (record.lifetime < forEver ? record.lifetime : null)

/** Each key once, the last of two wins. In no order: the statements sort by key, so that two of them never dead-lock. */
export const distinct = (...requests: ReadonlyArray<ReadonlyArray<ByteItem>>): ReadonlyArray<ByteItem> => {
  const byKey = new Map<string, ByteItem>()
  for (const items of requests) for (const item of items) byKey.set(item.key, item)
  return [...byKey.values()]
}

const arrayOf = (numbers: ReadonlyArray<number | null>): string =>
  `{${numbers.map((number) => number ?? "NULL").join(",")}}`

/** Keys, values, where each value starts, how long it is, and lifetimes: `$1` to `$5` of the statements over `packedItem`. */
export const packed = (items: ReadonlyArray<ByteItem>): ReadonlyArray<unknown> => {
  let end = 1
  const starts = items.map(({ record }) => {
    const start = end
    end += record.bytes.byteLength
    return start
  })
  return [
    // a key has no space
    items.map((item) => item.key).join(" "),
    Buffer.concat(items.map((item) => item.record.bytes)),
    arrayOf(starts),
    arrayOf(items.map((item) => item.record.bytes.byteLength)),
    arrayOf(items.map((item) => lifetimeOf(item.record)))
  ]
}

/** Keys, values and lifetimes as arrays: `$1` to `$3` of the statement `change`. */
export const columns = (items: ReadonlyArray<ByteItem>) =>
  [
    items.map((item) => item.key),
    // the driver writes a plain Uint8Array inside an array as text, a Buffer as bytes
    items.map((item) =>
      Buffer.from(item.record.bytes.buffer, item.record.bytes.byteOffset, item.record.bytes.byteLength)
    ),
    items.map((item) => lifetimeOf(item.record))
  ] as const
