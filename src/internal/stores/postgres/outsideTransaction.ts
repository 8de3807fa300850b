/**
 * The primitives where no transaction of the user is around. Each is one statement and so atomic by itself; what
 * concurrent fibers ask is gathered into one.
 */
import { Effect, Option } from "effect"
import type { ByteRecord } from "../../../ByteStore.js"
import type { CacheError } from "../../../CacheError.js"
import type { BatchOptions } from "./batches/batches.js"
import { batchExclusive } from "./batches/exclusive.js"
import { batchRead, readWith, rowsOf } from "./batches/read.js"
import { batchRemove } from "./batches/remove.js"
import { batchWrite } from "./batches/write.js"
import { lifetimeOf, packed } from "./parameters.js"
import { type Row, SqlToken } from "./records.js"

const tokenOf = (token: string | null | undefined): Option.Option<SqlToken> =>
  Option.map(Option.fromNullable(token), (record) => new SqlToken(record, []))

export const outside = (options: BatchOptions) =>
  Effect.gen(function* () {
    const { run, sharedKey, statements } = options
    const read = yield* batchRead(options)
    const write = yield* batchWrite(options)
    const remove = yield* batchRemove(options)
    const adds = yield* batchExclusive(options, statements.add, (batch) => [...packed(batch), sharedKey])
    const replaces = yield* batchExclusive(options, statements.replace, (batch) => [
      ...packed(batch),
      batch.map((request) => request.token),
      sharedKey
    ])

    /** Takes in the changes that the token names. */
    const over = (key: string, token: SqlToken, record: ByteRecord) => {
      const parameters = [key, record.bytes, lifetimeOf(record), sharedKey, token.changes]
      return Effect.map(
        token.record === undefined
          ? run<Row>(statements.overAbsence, parameters)
          : run<Row>(statements.overRecord, [...parameters, token.record]),
        (rows) => tokenOf(rows[0]?.token)
      )
    }

    /** The purge may fold the changes in between: that is no other caller who won. */
    const add = (key: string, record: ByteRecord, attempts = 10): Effect.Effect<Option.Option<SqlToken>, CacheError> =>
      Effect.flatMap(adds({ key, record, token: undefined }), (outcome) => {
        if (outcome?.token !== null) return Effect.succeed(tokenOf(outcome?.token))
        return Effect.flatMap(read.request([key]), ([state]) => {
          if (state === undefined || state.isAlive()) return Effect.succeedNone
          return Effect.flatMap(over(key, state.token, record), (token) =>
            Option.isSome(token) || attempts === 1 ? Effect.succeed(token) : add(key, record, attempts - 1)
          )
        })
      })

    const replace = (key: string, token: SqlToken, record: ByteRecord) => {
      if (token.changes.length > 0) return over(key, token, record)
      if (token.record === undefined) return Effect.succeedNone
      return Effect.map(replaces({ key, record, token: token.record }), (outcome) => tokenOf(outcome?.token))
    }

    return {
      read: read.request,
      askRead: read.ask,
      write,
      add: (key: string, record: ByteRecord) => add(key, record),
      replace,
      remove,
      over,

      readAlone: (keys: ReadonlyArray<string>) => readWith(run, statements, keys, sharedKey),

      /** Removes exactly what the token names, where that leaves nothing alive. */
      settleAbsent: (key: string, token: SqlToken) =>
        Effect.asVoid(run(statements.settleAbsent, [key, sharedKey, token.changes, token.record ?? null])),

      /** The changes that concern a whole namespace. */
      sharedChanges: (ofNamespace: string) => rowsOf(run, statements, [], ofNamespace),

      size: Effect.map(run<{ readonly entries: string; readonly bytes: string }>(statements.size, []), ([row]) => ({
        entries: Number(row?.entries ?? 0),
        bytes: Number(row?.bytes ?? 0)
      }))
    }
  })

export type Outside = Effect.Effect.Success<ReturnType<typeof outside>>
