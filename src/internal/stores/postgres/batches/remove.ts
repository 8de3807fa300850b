/** The removals of concurrent fibers in one statement. */
import { Array as Arr, Effect } from "effect"
import type { CacheError } from "../../../../CacheError.js"
import { isOutage } from "../../../outages/outage.js"
import * as Batcher from "../../sql/batcher.js"
import type { Run } from "../connection.js"
import { isTrue } from "../rows.js"
import type { Statement } from "../statements/named.js"
import { type BatchOptions, concurrency, maxKeys, notRemoved } from "./batches.js"

interface RemovedRow {
  readonly key: string
  /** Whether something lived under the key. */
  readonly lived: string
  /** The ids of what the statement saw there and did not delete, with spaces between. */
  readonly kept: string | null
}

interface Removed {
  /** The keys under which something lived. */
  readonly alive: ReadonlySet<string>
  /** The keys that the statement could lock; a user transaction holds the others. */
  readonly locked: ReadonlySet<string>
}

const nothing: Removed = { alive: new Set(), locked: new Set() }

const removedOf = (rows: ReadonlyArray<RemovedRow>): Removed => ({
  locked: new Set(rows.filter(({ kept }) => kept === null).map(({ key }) => key)),
  alive: new Set(rows.filter(({ lived }) => isTrue(lived)).map(({ key }) => key))
})

const both = (one: Removed, other: Removed): Removed => ({
  locked: new Set([...one.locked, ...other.locked]),
  alive: new Set([...one.alive, ...other.alive])
})

const sum = (numbers: ReadonlyArray<number>) => numbers.reduce((total, number) => total + number, 0)

/** Gives the number of keys under which something lived. */
export const batchRemove = (options: BatchOptions) =>
  Effect.gen(function* () {
    const { direct, fibers, run, sharedKey, statements } = options

    /** @param before the ids of what an attempt before has kept */
    const removeWith = (
      run: Run,
      statement: Statement,
      keys: ReadonlyArray<string>,
      before: ReadonlySet<string> = new Set()
    ): Effect.Effect<Removed, CacheError> =>
      Effect.flatMap(run<RemovedRow>(statement, [keys, sharedKey]), (rows) => {
        const kept = rows.filter((row) => row.kept !== null)
        if (kept.length === 0) return Effect.succeed(removedOf(rows))
        const ids = kept.flatMap((row) => row.kept?.split(" ") ?? [])
        const still = ids.filter((id) => before.has(id))
        if (still.length > 0) return Effect.fail(notRemoved(still.length))
        // most often another statement came first; what that one has written is visible to the next attempt only
        const keptKeys = kept.map(({ key }) => key)
        return Effect.map(removeWith(run, statement, keptKeys, new Set(ids)), (again) => both(removedOf(rows), again))
      })

    const batcher = yield* Batcher.make({
      concurrency,
      fibers,
      maxSize: maxKeys,
      sizeOf: (keys: ReadonlyArray<string>) => keys.length,
      run: (requests) => {
        const keys = [...new Set(requests.flat())].sort()
        return removeWith(direct, statements.remove, keys).pipe(
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
              return { count: mine.length, left: request.filter((key) => !locked.has(key)) }
            }
          })
        )
      }
    })

    /** Only the key's own caller may have to wait for a user transaction. */
    const alone = (key: string) =>
      run(statements.awaitKey, [key]).pipe(
        Effect.zipRight(removeWith(run, statements.removeWaiting, [key])),
        Effect.map(({ alive }) => alive.size)
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
