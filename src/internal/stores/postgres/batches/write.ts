/** The writes of concurrent fibers in one statement. */
import { Effect } from "effect"
import type { ByteItem } from "../../../../ByteStore.js"
import type { CacheError } from "../../../../CacheError.js"
import type { RejectedItem } from "../../../../CacheStore.js"
import { isOutage } from "../../../outages/outage.js"
import * as Batcher from "../../sql/batcher.js"
import { split } from "../../sql/items.js"
import type { Statement } from "../statements/named.js"
import { distinct, packed } from "../statements/parameters.js"
import { type BatchOptions, batchesWithoutShort, concurrency, maxKeys, notWritten } from "./batches.js"

const noneRejected: Effect.Effect<ReadonlyArray<RejectedItem>> = Effect.succeed([])

const perStatement = { items: maxKeys, bytes: 8 * 1024 * 1024 }

/** Gives the items that were not written. */
export const batchWrite = (options: BatchOptions) =>
  Effect.gen(function* () {
    const { direct, fibers, run, sharedKey, statements } = options

    const keysOf = (statement: Statement, parameters: ReadonlyArray<unknown>) =>
      Effect.map(direct<{ readonly key: string }>(statement, parameters), (rows) => rows.map((row) => row.key))
    const besideChanges = (part: ReadonlyArray<ByteItem>) => keysOf(statements.write, [...packed(part), sharedKey])

    let untilShort = 0
    const withoutChanges = (part: ReadonlyArray<ByteItem>): Effect.Effect<ReadonlyArray<string>, CacheError> =>
      Effect.flatMap(keysOf(statements.writeUnchanged, packed(part)), (keys) => {
        if (keys.length === part.length) return Effect.succeed(keys)
        untilShort = batchesWithoutShort
        const done = new Set(keys)
        return Effect.map(besideChanges(part.filter(({ key }) => !done.has(key))), (others) => [...keys, ...others])
      })

    /** The keys that were written; none if the statement fails by the fault of one of them. */
    const written = (part: ReadonlyArray<ByteItem>): Effect.Effect<ReadonlyArray<string>, CacheError> =>
      Effect.catchIf(
        Effect.suspend(() => (untilShort-- > 0 ? besideChanges(part) : withoutChanges(part))),
        (error) => !isOutage(error),
        () => Effect.succeed([])
      )

    const batcher = yield* Batcher.make({
      concurrency,
      fibers,
      maxSize: maxKeys,
      sizeOf: (items: ReadonlyArray<ByteItem>) => items.length,
      run: (requests) => {
        const items = distinct(...requests)
        return Effect.map(Effect.forEach(split(items, perStatement), written), (byPart) => {
          const keys = byPart.flat()
          if (keys.length === items.length) return () => []
          const done = new Set(keys)
          return (items: ReadonlyArray<ByteItem>) => items.filter((item) => !done.has(item.key))
        })
      }
    })

    /**
     * Only the item's own caller may have to wait for a user transaction that holds the record, and gets the error that made
     * the batch fail.
     */
    const alone = (item: ByteItem) =>
      run(statements.awaitKey, [item.key]).pipe(
        Effect.zipRight(run(statements.writeWaiting, [...packed([item]), sharedKey])),
        Effect.flatMap(({ length }) => (length === 1 ? noneRejected : Effect.fail(notWritten(1)))),
        Effect.catchAll((error) => Effect.succeed([{ key: item.key, error }]))
      )

    return (items: ReadonlyArray<ByteItem>): Effect.Effect<ReadonlyArray<RejectedItem>, CacheError> =>
      Effect.flatMap(batcher.request(items), (left) =>
        left.length === 0
          ? noneRejected
          : Effect.map(Effect.forEach(distinct(left), alone), (rejected) => rejected.flat())
      )
  })
