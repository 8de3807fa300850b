/** The removals of concurrent fibers in one statement. */
import { Array as Arr, Effect, Exit } from "effect"
import type { CacheError } from "../../../../CacheError.js"
import { isOutage } from "../../../outages/outage.js"
import * as Batcher from "../../sql/batcher.js"
import type { Row } from "../rows.js"
import { statesOf } from "../state.js"
import { type BatchOptions, concurrency, maxKeys } from "./batches.js"

interface Removed {
  /** The keys under which something lived. */
  readonly alive: ReadonlySet<string>
  /** The keys that the statement could lock; a user transaction holds the others. */
  readonly locked: ReadonlySet<string>
}

const nothing: Removed = { alive: new Set(), locked: new Set() }

const isLock = (row: Row) => row.change === null && row.token === null

const removedOf = (rows: ReadonlyArray<Row>, sharedKey: string): Removed => {
  const [removed, locks] = Arr.partition(rows, isLock)
  const locked = locks.map((row) => row.key)
  const stateOf = statesOf(removed, sharedKey)
  return { locked: new Set(locked), alive: new Set(locked.filter((key) => stateOf(key).isAlive())) }
}

const sum = (numbers: ReadonlyArray<number>) => numbers.reduce((total, number) => total + number, 0)

/** Gives the number of keys under which something lived. */
export const batchRemove = (options: BatchOptions) =>
  Effect.gen(function* () {
    const { direct, fibers, run, sharedKey, statements } = options

    const batcher = yield* Batcher.make({
      concurrency,
      fibers,
      maxSize: maxKeys,
      sizeOf: (keys: ReadonlyArray<string>) => keys.length,
      run: (requests) => {
        const keys = [...new Set(requests.flat())].sort()
        return direct<Row>(statements.remove, [keys, sharedKey]).pipe(
          Effect.map((rows) => removedOf(rows, sharedKey)),
          Effect.catchIf(
            (error) => requests.length > 1 && !isOutage(error),
            () => Effect.succeed(nothing)
          ),
          Effect.map(({ alive, locked }) => {
            const counted = new Set<string>()
            return (request: ReadonlyArray<string>) => {
              // of two callers who remove the same record, one did
              const mine = request.filter((key) => alive.has(key) && !counted.has(key))
              for (const key of mine) counted.add(key)
              return Exit.succeed({ count: mine.length, left: request.filter((key) => !locked.has(key)) })
            }
          })
        )
      }
    })

    /** Only the key's own caller may have to wait for a user transaction. */
    const alone = (key: string) =>
      Effect.map(
        run<Row>(statements.removeWaiting, [[key], sharedKey]),
        (rows) => removedOf(rows, sharedKey).alive.size
      )

    const page = (keys: ReadonlyArray<string>): Effect.Effect<number, CacheError> =>
      Effect.flatMap(batcher.request(keys), ({ count, left }) =>
        left.length === 0
          ? Effect.succeed(count)
          : Effect.map(Effect.forEach(left, alone), (counts) => count + sum(counts))
      )

    return (keys: ReadonlyArray<string>): Effect.Effect<number, CacheError> =>
      keys.length === 1 ? page(keys) : Effect.map(Effect.forEach(Arr.chunksOf(new Set(keys), maxKeys), page), sum)
  })
