/** Removals of concurrent fibers in one statement. */
import { Effect, Exit } from "effect"
import type { CacheError } from "../../../../CacheError.js"
import * as Gather from "../../sql/batcher.js"
import { type Row, resolveAll } from "../records.js"
import { type BatchOptions, concernsAll, limits, maxKeys, pages } from "./batches.js"

interface Removed {
  /** The keys under which something lived. */
  readonly alive: ReadonlySet<string>
  /** The keys that were looked at; a user transaction holds the others. */
  readonly taken: ReadonlySet<string>
}

const isTaken = (row: Row) => row.change === null && row.token === null

const removedOf = (rows: ReadonlyArray<Row>, sharedKey: string): Removed => {
  const taken = rows.filter(isTaken).map((row) => row.key)
  const states = resolveAll(
    taken,
    sharedKey,
    rows.filter((row) => !isTaken(row))
  )
  return { taken: new Set(taken), alive: new Set(taken.filter((_, index) => states[index]?.isAlive() === true)) }
}

/** Gives the number of keys under which something lived. */
export const batchRemove = (options: BatchOptions) =>
  Effect.gen(function* () {
    const { direct, run, sharedKey, statements } = options

    const gathered = yield* Gather.make({
      ...limits(options),
      maxSize: maxKeys,
      sizeOf: (keys: ReadonlyArray<string>) => keys.length,
      run: (requests) => {
        const keys = [...new Set(requests.flat())].sort()
        return direct<Row>(statements.remove, [keys, sharedKey]).pipe(
          Effect.map((rows) => removedOf(rows, sharedKey)),
          Effect.catchIf(
            (error) => requests.length > 1 && !concernsAll(error),
            () => Effect.succeed<Removed>({ alive: new Set(), taken: new Set() })
          ),
          Effect.map(({ alive, taken }) => {
            const counted = new Set<string>()
            return (request: ReadonlyArray<string>) => {
              // of two callers who remove the same record, one did
              const mine = request.filter((key) => alive.has(key) && !counted.has(key))
              for (const key of mine) counted.add(key)
              return Exit.succeed({ count: mine.length, left: request.filter((key) => !taken.has(key)) })
            }
          })
        )
      }
    })

    /** By its own caller, who alone may have to wait. */
    const alone = (key: string) =>
      Effect.map(
        run<Row>(statements.removeWaiting, [[key], sharedKey]),
        (rows) => removedOf(rows, sharedKey).alive.size
      )

    const page = (keys: ReadonlyArray<string>): Effect.Effect<number, CacheError> =>
      Effect.flatMap(gathered.request(keys), ({ count, left }) => {
        if (left.length === 0) return Effect.succeed(count)
        return Effect.map(Effect.forEach(left, alone), (counts) => counts.reduce((sum, one) => sum + one, count))
      })

    return (keys: ReadonlyArray<string>): Effect.Effect<number, CacheError> => {
      if (keys.length === 1) return page(keys)
      return Effect.map(Effect.forEach(pages([...new Set(keys)]), page), (counts) =>
        counts.reduce((sum, one) => sum + one, 0)
      )
    }
  })
