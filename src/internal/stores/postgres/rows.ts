/** Rows as the statements return them: every column is the server's text, or null. */
import { Effect } from "effect"
import type { StoredBytes } from "../../../ByteStore.js"
import { CacheError } from "../../../CacheError.js"

export const isTrue = (column: string | null | undefined): boolean => column === "t"

/**
 * Reads the rows of a statement. If they are not what it returns, `read` throws: a failure of the store, no defect of the caller.
 */
export const reading = <Row, A>(
  rows: Effect.Effect<ReadonlyArray<Row>, CacheError>,
  read: (rows: ReadonlyArray<Row>) => A
): Effect.Effect<A, CacheError> =>
  Effect.flatMap(rows, (found) => {
    try {
      return Effect.succeed(read(found))
    } catch (cause) {
      const description = "the database's answer can't be read"
      return Effect.fail(new CacheError({ reason: "StoreFailed", operation: "store", description, cause }))
    }
  })

/** A row of the statements `read` and `readChanged`: the token, the value in hexadecimal, a space and the key. */
export interface PackedRow {
  readonly record: string
}

/** The one row of the statement `readPlain`: records only. */
export interface PlainRow {
  /** Token and key of each record, one a line. */
  readonly heads: string | null
  /** The value of each record, after its length, in hexadecimal. */
  readonly values: string | null
  /** Whether there is more to these keys than records: see the statement. */
  readonly isMixed: string | null
}

export type FoundOf = (key: string) => StoredBytes | undefined

/** A class: V8 may put literals into old space. */
class Stored implements StoredBytes {
  constructor(
    readonly token: string,
    readonly bytes: Uint8Array
  ) {}
}

const tokenLength = 36
const sizeLength = 4

const uuid = /^[0-9a-f-]{36}$/

/** A token is the id of a record, or of the value that counts beside it. */
export const isToken = (token: unknown): token is string => typeof token === "string" && uuid.test(token)

/** Undefined where changes stand beside the records. */
export const unpack = (rows: ReadonlyArray<PackedRow>): FoundOf | undefined => {
  const found = new Map<string, StoredBytes>()
  for (const { record } of rows) {
    if (record === "") return undefined
    const valueEnd = record.indexOf(" ", tokenLength)
    const bytes = Buffer.from(record.slice(tokenLength, valueEnd), "hex")
    found.set(record.slice(valueEnd + 1), new Stored(record.slice(0, tokenLength), bytes))
  }
  return (key) => found.get(key)
}

/** The same of the one row. */
export const unpackPlain = ({ heads, isMixed, values }: PlainRow): FoundOf | undefined => {
  if (isTrue(isMixed)) return undefined
  const found = new Map<string, StoredBytes>()
  if (heads !== null && values !== null) {
    const bytes = Buffer.from(values, "hex")
    let at = 0
    for (const head of heads.split("\n")) {
      const start = at + sizeLength
      at = start + bytes.readUInt32BE(at)
      found.set(head.slice(tokenLength), new Stored(head.slice(0, tokenLength), bytes.subarray(start, at)))
    }
  }
  return (key) => found.get(key)
}
