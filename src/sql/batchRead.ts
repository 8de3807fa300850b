/** Reads of concurrent fibers in one statement. */
import { Effect, Exit } from "effect"
import * as Gather from "../store/gather.js"
import { type BatchOptions, limits } from "./batches.js"
import type { Run } from "./connection.js"
import { type Row, resolveAll, type State } from "./records.js"

export const readWith = (options: BatchOptions, run: Run, keys: ReadonlyArray<string>) =>
  Effect.map(run<Row>(options.statements.read, [[...keys, options.sharedKey]]), (rows) =>
    resolveAll(keys, options.sharedKey, rows)
  )

export const batchRead = (options: BatchOptions) =>
  Gather.make({
    ...limits(options),
    maxSize: 500,
    sizeOf: (keys: ReadonlyArray<string>) => keys.length,
    run: (requests) => {
      const [lone] = requests
      if (lone !== undefined && requests.length === 1) {
        return Effect.map(readWith(options, options.direct, lone), (states) => [Exit.succeed(states)])
      }
      const keys = [...new Set(requests.flat())]
      return Effect.map(readWith(options, options.direct, keys), (states) => {
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
