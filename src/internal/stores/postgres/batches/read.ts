/** Reads of concurrent fibers in one statement. */
import { Effect, Exit } from "effect"
import type { CacheError } from "../../../../CacheError.js"
import * as Gather from "../../sql/batcher.js"
import type { Run } from "../../sql/connection.js"
import { type PackedRow, type PlainRow, plainStatesOf, type Row, type State, statesOf, unpack } from "../records.js"
import type { Statements } from "../statements.js"
import { type BatchOptions, limits, patience } from "./batches.js"

/** The rows of the keys and those that concern the whole namespace. */
export const rowsOf = (
  run: Run,
  statements: Statements,
  keys: ReadonlyArray<string>,
  sharedKey: string
): Effect.Effect<ReadonlyArray<Row>, CacheError> =>
  Effect.map(run<PackedRow>(statements.read, [keys.join(" "), sharedKey]), (rows) => rows.map(unpack))

export const readWith = (
  run: Run,
  statements: Statements,
  keys: ReadonlyArray<string>,
  sharedKey: string
): Effect.Effect<ReadonlyArray<State>, CacheError> =>
  Effect.map(rowsOf(run, statements, keys, sharedKey), (rows) => keys.map(statesOf(rows, sharedKey)))

/** From so many keys on they are cheaper in one row. */
const many = 4

type StateOf = (key: string) => State

export const batchRead = ({ direct, sharedKey, statements, ...options }: BatchOptions) => {
  const byRows = (keys: ReadonlyArray<string>): Effect.Effect<StateOf, CacheError> =>
    Effect.map(rowsOf(direct, statements, keys, sharedKey), (rows) => statesOf(rows, sharedKey))

  let untilPlain = 0
  const plainly = (keys: ReadonlyArray<string>): Effect.Effect<StateOf, CacheError> =>
    Effect.flatMap(direct<PlainRow>(statements.readPlain, [keys.join(" "), sharedKey]), ([row]) => {
      const stateOf = row === undefined ? undefined : plainStatesOf(row)
      if (stateOf !== undefined) return Effect.succeed(stateOf)
      untilPlain = patience
      return byRows(keys)
    })

  return Gather.make({
    ...limits(options),
    maxSize: 500,
    sizeOf: (keys: ReadonlyArray<string>) => keys.length,
    run: (requests) => {
      const keys = new Set<string>()
      for (const request of requests) for (const key of request) keys.add(key)
      const read = keys.size < many || untilPlain-- > 0 ? byRows : plainly
      return Effect.map(read([...keys]), (stateOf) => (each: ReadonlyArray<string>) => Exit.succeed(each.map(stateOf)))
    }
  })
}
