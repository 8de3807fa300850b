/** Reads of concurrent fibers in one statement. */
import { Effect, Exit } from "effect"
import type { CacheError } from "../CacheError.js"
import * as Gather from "../store/gather.js"
import { type BatchOptions, limits } from "./batches.js"
import type { Run } from "./connection.js"
import { type PackedRow, type PackedRows, type Row, type State, statesOf, unpack, unpackAll } from "./records.js"
import type { Statements } from "./statements.js"

/** The rows of the keys and those that concern the whole namespace. */
export const rowsOf = (
  run: Run,
  statements: Statements,
  keys: ReadonlyArray<string>,
  sharedKey: string
): Effect.Effect<ReadonlyArray<Row>, CacheError> =>
  Effect.map(run<PackedRow>(statements.read, [keys.join(" "), sharedKey]), (rows) => rows.map(unpack))

/** As `rowsOf`, for many keys; those whose values are large are left to it. */
const rowsOfMany = (
  run: Run,
  statements: Statements,
  keys: ReadonlyArray<string>,
  sharedKey: string
): Effect.Effect<ReadonlyArray<Row>, CacheError> =>
  Effect.flatMap(run<PackedRows>(statements.readMany, [keys.join(" "), sharedKey]), ([packed]) => {
    if (packed === undefined) return Effect.succeed([])
    const { large, rows } = unpackAll(packed)
    if (large.length === 0) return Effect.succeed(rows)
    const apart = new Set(large)
    return Effect.map(rowsOf(run, statements, [...apart], sharedKey), (again) => [
      // those that concern the whole namespace have been read twice
      ...rows.filter((row) => row.key !== sharedKey && !apart.has(row.key)),
      ...again
    ])
  })

export const readWith = (
  run: Run,
  statements: Statements,
  keys: ReadonlyArray<string>,
  sharedKey: string
): Effect.Effect<ReadonlyArray<State>, CacheError> =>
  Effect.map(rowsOf(run, statements, keys, sharedKey), (rows) => keys.map(statesOf(rows, sharedKey)))

/** From so many keys on they are cheaper in one row. */
const many = 4

export const batchRead = ({ direct, sharedKey, statements, ...options }: BatchOptions) =>
  Gather.make({
    ...limits(options),
    maxSize: 500,
    sizeOf: (keys: ReadonlyArray<string>) => keys.length,
    run: (requests) => {
      const keys = [...new Set(requests.flat())]
      const read = keys.length < many ? rowsOf : rowsOfMany
      return Effect.map(read(direct, statements, keys, sharedKey), (rows) => {
        const stateOf = statesOf(rows, sharedKey)
        return requests.map((each) => Exit.succeed(each.map(stateOf)))
      })
    }
  })
