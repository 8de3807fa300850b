/** The reads of concurrent fibers in one statement. */
import { Effect, Exit } from "effect"
import type { CacheError } from "../../../../CacheError.js"
import * as Batcher from "../../sql/batcher.js"
import type { Run } from "../connection.js"
import { type PackedRow, type PlainRow, type Row, unpack } from "../rows.js"
import { plainStatesOf, type State, type StateOf, statesOf } from "../state.js"
import type { Statements } from "../statements/statements.js"
import { type BatchOptions, batchesWithoutShort, concurrency } from "./batches.js"

/** The rows of the keys, and the changes to the whole namespace. */
export const readRows = (
  run: Run,
  statements: Statements,
  keys: ReadonlyArray<string>,
  sharedKey: string
): Effect.Effect<ReadonlyArray<Row>, CacheError> =>
  Effect.map(run<PackedRow>(statements.read, [keys.join(" "), sharedKey]), (rows) => rows.map(unpack))

export const readStates = (
  run: Run,
  statements: Statements,
  keys: ReadonlyArray<string>,
  sharedKey: string
): Effect.Effect<ReadonlyArray<State>, CacheError> =>
  Effect.map(readRows(run, statements, keys, sharedKey), (rows) => keys.map(statesOf(rows, sharedKey)))

/** From so many keys on they are cheaper in one row. */
const manyKeys = 4

export const batchRead = ({ direct, fibers, sharedKey, statements }: BatchOptions) => {
  const asRows = (keys: ReadonlyArray<string>): Effect.Effect<StateOf, CacheError> =>
    Effect.map(readRows(direct, statements, keys, sharedKey), (rows) => statesOf(rows, sharedKey))

  let untilShort = 0
  const asOneRow = (keys: ReadonlyArray<string>): Effect.Effect<StateOf, CacheError> =>
    Effect.flatMap(direct<PlainRow>(statements.readPlain, [keys.join(" "), sharedKey]), ([row]) => {
      const stateOf = row === undefined ? undefined : plainStatesOf(row)
      if (stateOf !== undefined) return Effect.succeed(stateOf)
      untilShort = batchesWithoutShort
      return asRows(keys)
    })

  return Batcher.make({
    concurrency,
    fibers,
    maxSize: 500,
    sizeOf: (keys: ReadonlyArray<string>) => keys.length,
    run: (requests) => {
      const keys = new Set<string>()
      for (const request of requests) for (const key of request) keys.add(key)
      const read = keys.size < manyKeys || untilShort-- > 0 ? asRows : asOneRow
      return Effect.map(read([...keys]), (stateOf) => (each: ReadonlyArray<string>) => Exit.succeed(each.map(stateOf)))
    }
  })
}
