/** Writes of concurrent fibers in one statement. */
import { Effect, Exit } from "effect"
import type { ByteItem } from "../../../../ByteStore.js"
import type { CacheError } from "../../../../CacheError.js"
import type { RejectedItem } from "../../../../CacheStore.js"
import * as Gather from "../../sql/batcher.js"
import type { Statement } from "../../sql/connection.js"
import { distinct, packed } from "../parameters.js"
import { type BatchOptions, concernsAll, limits, maxKeys, patience } from "./batches.js"

const nothingLeft: Exit.Exit<ReadonlyArray<ByteItem>> = Exit.succeed([])
const noneRejected: Effect.Effect<ReadonlyArray<RejectedItem>> = Effect.succeed([])

const maxBytes = 8 * 1024 * 1024

/** Parts of at most `maxKeys` keys and, unless one alone is larger, `maxBytes`. */
const parts = (items: ReadonlyArray<ByteItem>): ReadonlyArray<ReadonlyArray<ByteItem>> => {
  const all: Array<Array<ByteItem>> = []
  let bytes = 0
  for (const item of items) {
    const last = all.at(-1)
    bytes += item.record.bytes.byteLength
    if (last === undefined || last.length === maxKeys || bytes > maxBytes) {
      all.push([item])
      bytes = item.record.bytes.byteLength
    } else last.push(item)
  }
  return all
}

/** Gives those items that were not written. */
export const batchWrite = (options: BatchOptions) =>
  Effect.gen(function* () {
    const { direct, run, sharedKey, statements } = options

    const keysOf = (statement: Statement, parameters: ReadonlyArray<unknown>) =>
      Effect.map(direct<{ readonly key: string }>(statement, parameters), (rows) => rows.map((row) => row.key))
    const amongChanges = (part: ReadonlyArray<ByteItem>) => keysOf(statements.write, [...packed(part), sharedKey])

    let untilShort = 0
    const shortly = (part: ReadonlyArray<ByteItem>): Effect.Effect<ReadonlyArray<string>, CacheError> =>
      Effect.flatMap(keysOf(statements.writeUnchanged, packed(part)), (keys) => {
        if (keys.length === part.length) return Effect.succeed(keys)
        untilShort = patience
        const done = new Set(keys)
        return Effect.map(amongChanges(part.filter(({ key }) => !done.has(key))), (others) => [...keys, ...others])
      })

    const written = (part: ReadonlyArray<ByteItem>): Effect.Effect<ReadonlyArray<string>, CacheError> =>
      Effect.catchIf(
        Effect.suspend(() => (untilShort-- > 0 ? amongChanges(part) : shortly(part))),
        (error) => !concernsAll(error),
        () => Effect.succeed([])
      )

    const gathered = yield* Gather.make({
      ...limits(options),
      maxSize: maxKeys,
      sizeOf: (items: ReadonlyArray<ByteItem>) => items.length,
      run: (requests) => {
        const items = distinct(...requests)
        return Effect.map(Effect.forEach(parts(items), written), (byPart) => {
          const keys = byPart.flat()
          if (keys.length === items.length) return () => nothingLeft
          const done = new Set(keys)
          return (items: ReadonlyArray<ByteItem>) => Exit.succeed(items.filter((item) => !done.has(item.key)))
        })
      }
    })

    /**
     * By its own caller, who alone may have to wait: for a user transaction that holds the record, or for the error that
     * made the batch fail.
     */
    const alone = (item: ByteItem) =>
      run(statements.writeWaiting, [...packed([item]), sharedKey]).pipe(
        Effect.as([]),
        Effect.catchAll((error) => Effect.succeed([{ key: item.key, error }]))
      )

    return (items: ReadonlyArray<ByteItem>): Effect.Effect<ReadonlyArray<RejectedItem>, CacheError> =>
      Effect.flatMap(gathered.request(items), (left) =>
        left.length === 0
          ? noneRejected
          : Effect.map(Effect.forEach(distinct(left), alone), (rejected) => rejected.flat())
      )
  })
