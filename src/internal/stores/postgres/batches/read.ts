/** The reads of concurrent fibers in one statement. */
import { Effect } from "effect"
import type { StoredBytes } from "../../../../ByteStore.js"
import type { CacheError } from "../../../../CacheError.js"
import type { Found } from "../../Store.js"
import * as Batcher from "../../sql/batcher.js"
import type { Run } from "../connection.js"
import { type FoundOf, type PackedRow, type PlainRow, reading, unpack, unpackPlain } from "../rows.js"
import type { Statements } from "../statements/statements.js"
import { type BatchOptions, batchesWithoutShort, concurrency } from "./batches.js"

const nothing: FoundOf = () => undefined

/**
 * The three ways to read keys. `plain` and `rows` read records only: they give undefined where changes stand beside them, `plain`
 * also where a value is large.
 */
const ways = (run: Run, statements: Statements, sharedKey: string) => {
  const parameters = (keys: ReadonlyArray<string>) => [keys.join(" "), sharedKey]
  return {
    plain: (keys: ReadonlyArray<string>) =>
      reading(run<PlainRow>(statements.readPlain, parameters(keys)), ([row]) =>
        row === undefined ? undefined : unpackPlain(row)
      ),
    rows: (keys: ReadonlyArray<string>) => reading(run<PackedRow>(statements.read, parameters(keys)), unpack),
    changed: (keys: ReadonlyArray<string>) =>
      reading(run<PackedRow>(statements.readChanged, parameters(keys)), (rows) => unpack(rows) ?? nothing)
  }
}

const orElse = (
  attempt: Effect.Effect<FoundOf | undefined, CacheError>,
  otherwise: () => Effect.Effect<FoundOf, CacheError>
): Effect.Effect<FoundOf, CacheError> =>
  Effect.flatMap(attempt, (found) => (found === undefined ? otherwise() : Effect.succeed(found)))

/** Reads the keys; with a second statement where changes stand. */
export const readKeys = (
  run: Run,
  statements: Statements,
  keys: ReadonlyArray<string>,
  sharedKey: string
): Effect.Effect<Found<StoredBytes>, CacheError> => {
  const { changed, rows } = ways(run, statements, sharedKey)
  return Effect.map(
    orElse(rows(keys), () => changed(keys)),
    (foundOf) => keys.map(foundOf)
  )
}

/** From so many keys on they are cheaper in one row. */
const manyKeys = 4

export const batchRead = ({ direct, fibers, sharedKey, statements }: BatchOptions) => {
  const { changed, plain, rows } = ways(direct, statements, sharedKey)

  const asRows = (keys: ReadonlyArray<string>) => orElse(rows(keys), () => changed(keys))

  let untilShort = 0
  const asOneRow = (keys: ReadonlyArray<string>) =>
    orElse(plain(keys), () => {
      untilShort = batchesWithoutShort
      return asRows(keys)
    })

  return Batcher.make({
    concurrency,
    fibers,
    maxSize: 500,
    sizeOf: (keys: ReadonlyArray<string>) => keys.length,
    run: (requests) => {
      const keys = new Set<string>()
      for (const request of requests) for (const key of request) keys.add(key)
      const read = keys.size < manyKeys || untilShort-- > 0 ? asRows : asOneRow
      return Effect.map(
        read([...keys]),
        (foundOf) =>
          (each: ReadonlyArray<string>): Found<StoredBytes> =>
            each.map(foundOf)
      )
    }
  })
}
