/** Reads of concurrent fibers in one statement. */
import { Effect, Exit } from "effect"
import type { CacheError } from "../CacheError.js"
import * as Gather from "../store/gather.js"
import { type BatchOptions, limits } from "./batches.js"
import type { Run } from "./connection.js"
import { type PackedRow, type State, statesOf } from "./records.js"
import type { Statements } from "./statements.js"

/** The rows of the keys and those that concern the whole namespace. */
export const rowsOf = (
  run: Run,
  statements: Statements,
  keys: ReadonlyArray<string>,
  sharedKey: string
): Effect.Effect<ReadonlyArray<PackedRow>, CacheError> => run<PackedRow>(statements.read, [keys.join(" "), sharedKey])

export const readWith = (
  run: Run,
  statements: Statements,
  keys: ReadonlyArray<string>,
  sharedKey: string
): Effect.Effect<ReadonlyArray<State>, CacheError> =>
  Effect.map(rowsOf(run, statements, keys, sharedKey), (rows) => keys.map(statesOf(rows, sharedKey)))

const distinct = (requests: ReadonlyArray<ReadonlyArray<string>>): ReadonlyArray<string> => {
  const [lone] = requests
  if (lone !== undefined && requests.length === 1) return lone
  const keys = new Set<string>()
  for (const request of requests) for (const key of request) keys.add(key)
  return [...keys]
}

export const batchRead = ({ direct, sharedKey, statements, ...options }: BatchOptions) =>
  Gather.make({
    ...limits(options),
    maxSize: 500,
    sizeOf: (keys: ReadonlyArray<string>) => keys.length,
    run: (requests) =>
      Effect.map(rowsOf(direct, statements, distinct(requests), sharedKey), (rows) => {
        const stateOf = statesOf(rows, sharedKey)
        return requests.map((keys) => Exit.succeed(keys.map(stateOf)))
      })
  })
