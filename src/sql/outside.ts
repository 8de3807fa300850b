/**
 * The primitives where no transaction of the user is around. Each is one statement and so atomic by itself; what
 * concurrent fibers ask is gathered into one.
 */
import { Effect, Exit, Option } from "effect"
import type { ByteItem, ByteRecord } from "../ByteStore.js"
import { CacheError } from "../CacheError.js"
import * as Gather from "../store/gather.js"
import type { Run, Statement } from "./connection.js"
import { columns, distinct, lifetimeOf } from "./parameters.js"
import { type Row, resolveAll, SqlToken, type State } from "./records.js"
import type { Statements } from "./statements.js"

interface Exclusive {
  readonly key: string
  readonly record: ByteRecord
  readonly token: string | undefined
}

/** What became of one key of a batch of exclusive writes. */
type Outcome = { readonly token: string | null } | undefined

const closed = () =>
  new CacheError({ reason: "Unavailable", operation: "store", description: "the layer of this cache is closed" })

const limits = { concurrency: 4, maxBytes: 8 * 1024 * 1024 }
/** PostgreSQL keeps a bounded table of the advisory locks that a batch takes for its keys. */
const maxKeys = 200

/** Parts of at most `maxKeys` keys and, unless one alone is larger, `maxBytes`. */
const parts = (items: ReadonlyArray<ByteItem>): ReadonlyArray<ReadonlyArray<ByteItem>> => {
  const all: Array<Array<ByteItem>> = []
  let bytes = Number.POSITIVE_INFINITY
  for (const item of items) {
    const last = all.at(-1)
    bytes += item.record.bytes.byteLength
    if (last === undefined || last.length === maxKeys || bytes > limits.maxBytes) {
      all.push([item])
      bytes = item.record.bytes.byteLength
    } else last.push(item)
  }
  return all
}

/** Errors of the connection concern every item alike; any other may be the fault of one, which is then tried alone. */
const isShared = (error: CacheError) => error.reason === "Unavailable" || error.reason === "Timeout"

const sharedToken = (token: string): SqlToken => new SqlToken(token, [])

export const outside = (statements: Statements, run: Run, sharedKey: string) =>
  Effect.gen(function* () {
    const readStates = (keys: ReadonlyArray<string>) =>
      Effect.map(run<Row>(statements.read, [[...keys, sharedKey]]), (rows) => resolveAll(keys, sharedKey, rows))

    const read = yield* Gather.make({
      ...limits,
      maxSize: 500,
      sizeOf: (keys: ReadonlyArray<string>) => keys.length,
      closed,
      run: (requests) => {
        const keys = [...new Set(requests.flat())]
        return Effect.map(readStates(keys), (states) => {
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

    /** Writes what no user transaction holds, then waits for the rest one by one, holding nothing meanwhile. */
    const writePart = (items: ReadonlyArray<ByteItem>) =>
      Effect.flatMap(run<{ readonly key: string }>(statements.write, [...columns(items), sharedKey]), (rows) => {
        const written = new Set(rows.map((row) => row.key))
        return writeEach(
          statements.writeWaiting,
          items.filter((item) => !written.has(item.key))
        )
      })

    const writeEach = (statement: Statement, items: ReadonlyArray<ByteItem>) =>
      Effect.map(
        Effect.forEach(items, (item) =>
          run(statement, [...columns([item]), sharedKey]).pipe(
            Effect.as(undefined),
            Effect.catchAll((error) => Effect.succeed([item.key, error] as const))
          )
        ),
        (results) => new Map(results.filter((result) => result !== undefined))
      )

    const write = yield* Gather.make({
      ...limits,
      maxSize: maxKeys,
      sizeOf: (items: ReadonlyArray<ByteItem>) => items.length,
      closed,
      run: (requests) =>
        Effect.map(
          Effect.forEach(parts(distinct(requests.flat())), (part) =>
            Effect.catchIf(
              writePart(part),
              (error) => !isShared(error),
              () => writeEach(statements.writeWaiting, part)
            )
          ),
          (failures) => {
            const failed = new Map(failures.flatMap((one) => [...one]))
            return requests.map(() => Exit.succeed<ReadonlyMap<string, CacheError>>(failed))
          }
        )
    })

    /** A batch has one exclusive write a key; another caller with the same token has lost against it. */
    const exclusive = (
      statement: Statement,
      parametersOf: (batch: ReadonlyArray<Exclusive>) => ReadonlyArray<unknown>
    ) =>
      Gather.make({
        ...limits,
        maxSize: maxKeys,
        sizeOf: () => 1,
        closed,
        run: (requests: ReadonlyArray<Exclusive>) => {
          const first = new Map<string, Exclusive>()
          for (const request of requests) if (!first.has(request.key)) first.set(request.key, request)
          const send = (batch: ReadonlyArray<Exclusive>) =>
            Effect.map(
              run<{ readonly key: string; readonly token: string | null }>(statement, parametersOf(batch)),
              (rows): ReadonlyMap<string, Outcome> => new Map(rows.map((row) => [row.key, row]))
            )
          const sendAlone = (request: Exclusive) =>
            Effect.exit(Effect.map(send([request]), (outcomes) => outcomes.get(request.key)))
          const together = Effect.map(
            send([...first.values()].sort((a, b) => (a.key < b.key ? -1 : 1))),
            (outcomes) =>
              (request: Exclusive): Effect.Effect<Exit.Exit<Outcome, CacheError>> => {
                const winner = first.get(request.key)
                const outcome = outcomes.get(request.key)
                if (winner === request) return Effect.succeed(Exit.succeed(outcome))
                if (winner?.token !== request.token) return sendAlone(request)
                return Effect.succeed(Exit.succeed(outcome?.token === null ? outcome : undefined))
              }
          )
          return together.pipe(
            Effect.catchIf(
              (error) => requests.length > 1 && !isShared(error),
              () => Effect.succeed(sendAlone)
            ),
            Effect.flatMap((outcomeOf) => Effect.forEach(requests, outcomeOf))
          )
        }
      })

    const adds = yield* exclusive(statements.add, (batch) => [...columns(batch), sharedKey])
    const replaces = yield* exclusive(statements.replace, (batch) => [
      ...columns(batch),
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
        (rows) => Option.map(Option.fromNullable(rows[0]?.token), sharedToken)
      )
    }

    const add = (key: string, record: ByteRecord) =>
      Effect.flatMap(adds({ key, record, token: undefined }), (outcome) => {
        if (outcome === undefined) return Effect.succeedNone
        if (outcome.token !== null) return Effect.succeedSome(sharedToken(outcome.token))
        return Effect.flatMap(read([key]), ([state]) =>
          state === undefined || state.value !== undefined ? Effect.succeedNone : over(key, state.token, record)
        )
      })

    const replace = (key: string, token: SqlToken, record: ByteRecord) => {
      if (token.changes.length > 0) return over(key, token, record)
      if (token.record === undefined) return Effect.succeedNone
      return Effect.map(replaces({ key, record, token: token.record }), (outcome) =>
        Option.map(Option.fromNullable(outcome?.token), sharedToken)
      )
    }

    const removeKeys = (keys: ReadonlyArray<string>): Effect.Effect<number, CacheError> =>
      Effect.gen(function* () {
        const removed = yield* run<Row>(statements.remove, [keys, sharedKey])
        const isTaken = (row: Row) => row.change === null && row.token === null
        const taken = new Set(removed.filter(isTaken).map((row) => row.key))
        const count = (rows: ReadonlyArray<Row>, of: ReadonlyArray<string>) =>
          resolveAll(
            of,
            sharedKey,
            rows.filter((row) => !isTaken(row))
          ).filter((state) => state.value !== undefined).length
        const rest = yield* Effect.forEach(
          keys.filter((key) => !taken.has(key)),
          (key) => Effect.map(run<Row>(statements.removeWaiting, [[key], sharedKey]), (rows) => count(rows, [key]))
        )
        return rest.reduce((sum, one) => sum + one, count(removed, [...taken]))
      })

    const remove = (keys: ReadonlyArray<string>) => {
      const sorted = [...new Set(keys)].sort()
      const pages = Array.from({ length: Math.ceil(sorted.length / maxKeys) }, (_, page) =>
        sorted.slice(page * maxKeys, (page + 1) * maxKeys)
      )
      return Effect.map(Effect.forEach(pages, removeKeys), (counts) => counts.reduce((sum, one) => sum + one, 0))
    }

    /** Removes exactly what the token names, where that leaves nothing alive. */
    const settleAbsent = (key: string, token: SqlToken) =>
      Effect.asVoid(run(statements.settleAbsent, [key, sharedKey, token.changes, token.record ?? null]))

    const changesOf = (key: string) => Effect.map(run<Row>(statements.read, [[key]]), (rows) => rows)

    const size = Effect.map(
      run<{ readonly entries: string; readonly bytes: string }>(statements.size, []),
      ([row]) => ({ entries: Number(row?.entries ?? 0), bytes: Number(row?.bytes ?? 0) })
    )

    return { read, readStates, write, add, replace, over, remove, settleAbsent, changesOf, size }
  })

export type Outside = Effect.Effect.Success<ReturnType<typeof outside>>
