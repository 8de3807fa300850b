/**
 * What the rows of a key mean together: its record, and the changes that user transactions left beside it.
 *
 * A change notes which other changes its transaction had `seen` when it was made, so it comes after them. A record notes the
 * same of the changes to the whole namespace.
 */
import type { StoredBytes } from "../../../ByteStore.js"
import type { Found } from "../Store.js"
import { forEachPlainRecord, type PlainRow, type Row } from "./rows.js"

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
    /** The change in which `bytes` stand, where that is not the record. */
    readonly change: string | undefined
  ) {}

  isAlive(): this is LiveState {
    return this.bytes !== undefined
  }
}

export type LiveState = State & { readonly bytes: Uint8Array }

export type StateOf = (key: string) => State

const isAlive = (state: State): state is LiveState => state.isAlive()

export const foundOf = (states: ReadonlyArray<State>): Found<StoredBytes> =>
  states.every(isAlive) ? states : states.map((state) => (state.isAlive() ? state : undefined))

const absent = new State(new SqlToken(undefined, []), undefined, undefined)

const noChanges: ReadonlyArray<string> = []

const ofRecord = (record: Row): State =>
  new State(new SqlToken(record.token ?? undefined, noChanges), record.value ?? undefined, undefined)

/**
 * The change that came after all others counts. If none did, two transactions changed the key without seeing each other:
 * nothing tells whose commit came last, so neither value may be served.
 */
const lastOf = (changes: ReadonlyArray<Row>): Row | undefined =>
  changes.find((last) => changes.every((other) => other === last || last.seen?.includes(other.change ?? "") === true))

/** The state of one key from its own rows and the changes to the whole namespace. */
const resolve = (own: ReadonlyArray<Row>, shared: ReadonlyArray<Row>): State => {
  let record: Row | undefined
  const changes: Array<Row> = []
  for (const row of own) {
    if (row.change === null) record = row
    else changes.push(row)
  }
  const seen = record?.seen ?? []
  const pending = [...changes, ...shared.filter((row) => !seen.includes(row.change ?? ""))]
  if (pending.length === 0) return record === undefined ? absent : ofRecord(record)
  const ids = [...changes, ...shared].map((row) => row.change ?? "").sort()
  const last = lastOf(pending)
  return new State(new SqlToken(record?.token ?? undefined, ids), last?.value ?? undefined, last?.change ?? undefined)
}

/** The state of each key whose rows these are, and of any other. Changes to the whole namespace stand under `sharedKey`. */
export const statesOf = (rows: ReadonlyArray<Row>, sharedKey: string): StateOf => {
  // most often there are only records
  if (rows.every((row) => row.change === null)) {
    const states = new Map<string, State>()
    for (const record of rows) states.set(record.key, ofRecord(record))
    return (key) => states.get(key) ?? absent
  }
  const byKey = rowsByKey(rows)
  const shared = byKey.get(sharedKey) ?? []
  return (key) => resolve(byKey.get(key) ?? [], shared)
}

/** The state of each key whose records these are, and of any other; undefined where there is more to them. */
export const plainStatesOf = (row: PlainRow): StateOf | undefined => {
  if (row.isMixed === true) return undefined
  const states = new Map<string, State>()
  forEachPlainRecord(row, (key, token, value) =>
    states.set(key, new State(new SqlToken(token, noChanges), value, undefined))
  )
  return (key) => states.get(key) ?? absent
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
