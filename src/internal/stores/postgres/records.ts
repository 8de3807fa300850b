/**
 * What a key's rows mean together: the record itself, and the changes that user transactions left beside it.
 *
 * A change knows which other changes its transaction had `seen` when it was made, so it comes after them. A record knows
 * the same of the changes that concern every key of the namespace and that it was written after.
 */

/** A row as the statements return it. `change` is null in the record itself, `value` where nothing lives. */
export interface Row {
  readonly key: string
  readonly change: string | null
  readonly token: string | null
  readonly seen: ReadonlyArray<string> | null
  readonly value: Uint8Array | null
}

/** A row of `read`: token, value in hexadecimal and key of a row stand in one column. */
export interface PackedRow {
  readonly record: string
  readonly change: string | null
  readonly seen: ReadonlyArray<string> | null
}

/** A class for the reason that `Waiter` in gather.ts is one. */
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

/** Which state of a key was read: its record if one lived, and every change beside it if one of them counted. */
export class SqlToken {
  constructor(
    readonly record: string | undefined,
    /** Sorted, as the database compares them. */
    readonly changes: ReadonlyArray<string>
  ) {}

  equals(that: SqlToken): boolean {
    return (
      this.record === that.record &&
      this.changes.length === that.changes.length &&
      this.changes.every((id, index) => id === that.changes[index])
    )
  }
}

export class State {
  constructor(
    readonly token: SqlToken,
    /** Undefined where nothing lives. */
    readonly bytes: Uint8Array | undefined,
    /** The change that `bytes` stand in, where that is not the record. */
    readonly change: string | undefined
  ) {}

  isAlive(): this is LiveState {
    return this.bytes !== undefined
  }
}

export type LiveState = State & { readonly bytes: Uint8Array }

const absent = new State(new SqlToken(undefined, []), undefined, undefined)

const noChanges: ReadonlyArray<string> = []

const unchanged = (record: Row): State =>
  new State(new SqlToken(record.token ?? undefined, noChanges), record.value ?? undefined, undefined)

/**
 * Of several changes the one counts that came after all others. Where none did, two transactions changed the key without
 * seeing each other; nothing tells whose commit came last, so neither value may be served.
 */
const lastOf = (changes: ReadonlyArray<Row>): Row | undefined =>
  changes.find((last) => changes.every((other) => other === last || last.seen?.includes(other.change ?? "") === true))

/** The state of one key from its own rows and those that concern the whole namespace. */
export const resolve = (own: ReadonlyArray<Row>, shared: ReadonlyArray<Row>): State => {
  let record: Row | undefined
  const changes: Array<Row> = []
  for (const row of own) {
    if (row.change === null) record = row
    else changes.push(row)
  }
  if (changes.length === 0 && shared.length === 0) {
    if (record === undefined) return absent
    return unchanged(record)
  }
  const seen = record?.seen ?? []
  const pending = [...changes, ...shared.filter((row) => !seen.includes(row.change ?? ""))]
  if (pending.length === 0) return record === undefined ? absent : unchanged(record)
  const ids = [...changes, ...shared].map((row) => row.change ?? "").sort()
  const last = lastOf(pending)
  return new State(new SqlToken(record?.token ?? undefined, ids), last?.value ?? undefined, last?.change ?? undefined)
}

/** The state of each key whose rows these are, and of any other. */
export const statesOf = (rows: ReadonlyArray<Row>, sharedKey: string): ((key: string) => State) => {
  // all there is to it, unless a transaction has changed something of late
  if (rows.every((row) => row.change === null)) {
    const states = new Map<string, State>()
    for (const record of rows) states.set(record.key, unchanged(record))
    return (key) => states.get(key) ?? absent
  }
  const byKey = rowsByKey(rows)
  const shared = byKey.get(sharedKey) ?? []
  return (key) => resolve(byKey.get(key) ?? [], shared)
}

/** The one row of `readPlain`. */
export interface PlainRow {
  /** Token and key of each record, in a line: the key under which the namespace's changes stand has a space. */
  readonly heads: string | null
  /** The value of each record, after its length. */
  readonly values: Buffer | null
  readonly isMixed: boolean | null
}

const tokenLength = 36
const sizeLength = 4

/** The states of the keys whose records these are, and of any other; undefined where there is more to them. */
export const plainStatesOf = ({ heads, isMixed, values }: PlainRow): ((key: string) => State) | undefined => {
  if (isMixed === true) return undefined
  const states = new Map<string, State>()
  if (heads !== null && values !== null) {
    let at = 0
    for (const head of heads.split("\n")) {
      const start = at + sizeLength
      at = start + values.readUInt32BE(at)
      const token = new SqlToken(head.slice(0, tokenLength), noChanges)
      states.set(head.slice(tokenLength), new State(token, values.subarray(start, at), undefined))
    }
  }
  return (key) => states.get(key) ?? absent
}

/** The states of all keys, in order. `sharedKey` is the key under which the namespace's own changes stand. */
export const resolveAll = (
  keys: ReadonlyArray<string>,
  sharedKey: string,
  rows: ReadonlyArray<Row>
): ReadonlyArray<State> => {
  const byKey = rowsByKey(rows)
  const shared = byKey.get(sharedKey) ?? []
  return keys.map((key) => resolve(byKey.get(key) ?? [], shared))
}

const rowsByKey = (rows: ReadonlyArray<Row>): ReadonlyMap<string, ReadonlyArray<Row>> => {
  const byKey = new Map<string, Array<Row>>()
  for (const row of rows) {
    const same = byKey.get(row.key)
    if (same === undefined) byKey.set(row.key, [row])
    else same.push(row)
  }
  return byKey
}
