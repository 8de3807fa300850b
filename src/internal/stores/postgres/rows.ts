/** Rows as the statements return them. */

/** A record or a change. */
export interface Row {
  readonly key: string
  /** Null in a record. */
  readonly change: string | null
  readonly token: string | null
  /** The changes that this one comes after. */
  readonly seen: ReadonlyArray<string> | null
  /** Null where nothing lives. */
  readonly value: Uint8Array | null
}

/** A row of the statement `read`: token, value in hexadecimal and key stand in the column `record`, with spaces between. */
export interface PackedRow {
  readonly record: string
  readonly change: string | null
  readonly seen: ReadonlyArray<string> | null
}

/** A class: V8 may put literals into old space. */
class UnpackedRow implements Row {
  constructor(
    readonly key: string,
    readonly change: string | null,
    readonly token: string | null,
    readonly seen: ReadonlyArray<string> | null,
    readonly value: Uint8Array | null
  ) {}
}

export const unpack = ({ change, record, seen }: PackedRow): Row => {
  const valueAt = record.indexOf(" ") + 1
  const keyAt = record.indexOf(" ", valueAt) + 1
  return new UnpackedRow(
    record.slice(keyAt),
    change,
    valueAt === 1 ? null : record.slice(0, valueAt - 1),
    seen,
    record.startsWith("-", valueAt) ? null : Buffer.from(record.slice(valueAt, keyAt - 1), "hex")
  )
}

/** The one row of the statement `readPlain`: records only. */
export interface PlainRow {
  /** Token and key of each record, one a line. */
  readonly heads: string | null
  /** The value of each record, after its length. */
  readonly values: Buffer | null
  /** Whether there is more to these keys than records: see the statement. */
  readonly isMixed: boolean | null
}

const tokenLength = 36
const sizeLength = 4

export const forEachPlainRecord = (
  { heads, values }: PlainRow,
  use: (key: string, token: string, value: Uint8Array) => void
): void => {
  if (heads === null || values === null) return
  let at = 0
  for (const head of heads.split("\n")) {
    const start = at + sizeLength
    at = start + values.readUInt32BE(at)
    use(head.slice(tokenLength), head.slice(0, tokenLength), values.subarray(start, at))
  }
}
