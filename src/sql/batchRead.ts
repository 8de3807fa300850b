/** Reads of concurrent fibers in one statement. */
import { Effect, Exit } from "effect"
import type { CacheError } from "../CacheError.js"
import * as Gather from "../store/gather.js"
import { type BatchOptions, limits } from "./batches.js"
import type { Run } from "./connection.js"
import { type PackedRow, type Row, resolveAll, type State, unpack } from "./records.js"
import type { Statements } from "./statements.js"

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
  Effect.map(rowsOf(run, statements, keys, sharedKey), (rows) => resolveAll(keys, sharedKey, rows))

export const batchRead = (options: BatchOptions) =>
  Gather.make({
    ...limits(options),
    maxSize: 500,
    sizeOf: (keys: ReadonlyArray<string>) => keys.length,
    run: (requests) => {
      const [lone] = requests
      if (lone !== undefined && requests.length === 1) {
        return Effect.map(readWith(options.direct, options.statements, lone, options.sharedKey), (states) => [
          Exit.succeed(states)
        ])
      }
      const keys = [...new Set(requests.flat())]
      return Effect.map(readWith(options.direct, options.statements, keys, options.sharedKey), (states) => {
        const byKey = new Map(keys.map((key, index) => [key, states[index]]))
        return requests.map((request) =>
          Exit.succeed(
            request.flatMap((key): ReadonlyArray<State> => {
              const state = byKey.get(key)
              return state === undefined ? [] : [state]
            })
          )
        )
      })
    }
  })
