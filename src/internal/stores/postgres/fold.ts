/** Folds the changes that transactions left into the record beside them. */
import { Effect, Option } from "effect"
import type { ByteRecord } from "../../../ByteStore.js"
import type { CacheError } from "../../../CacheError.js"
import { forEachPage } from "../sql/namespace.js"
import { readRows, readStates } from "./batches/read.js"
import type { Run } from "./connection.js"
import type { Row } from "./rows.js"
import { SqlToken } from "./state.js"
import { lifetimeOf } from "./statements/parameters.js"
import type { Statements } from "./statements/statements.js"

const pageSize = 1_000

export const tokenOf = (token: string | null | undefined): Option.Option<SqlToken> =>
  Option.map(Option.fromNullable(token), (record) => new SqlToken(record, []))

/** The changes under `sharedKey`: those to a whole namespace. */
export const sharedChanges = (run: Run, statements: Statements, sharedKey: string) =>
  Effect.map(readRows(run, statements, [], sharedKey), (rows) => rows.flatMap(({ change }) => change ?? []))

/** Writes the record over the state that the token names, and folds that state's changes into it. `None` where it has changed. */
export const foldOver =
  (run: Run, statements: Statements, sharedKey: string) =>
  (key: string, token: SqlToken, record: ByteRecord): Effect.Effect<Option.Option<SqlToken>, CacheError> => {
    const parameters = [key, record.bytes, lifetimeOf(record), sharedKey, token.changes]
    return Effect.map(
      token.record === undefined
        ? run<Row>(statements.foldOverAbsence, parameters)
        : run<Row>(statements.foldOverRecord, [...parameters, token.record]),
      (rows) => tokenOf(rows[0]?.token)
    )
  }

/** Folds the changes of many keys and of whole namespaces, as the purge does from time to time. */
export const foldAll = (run: Run, statements: Statements, sharedKey: string): Effect.Effect<void, CacheError> => {
  const write = foldOver(run, statements, sharedKey)

  const foldKey = (key: string) =>
    Effect.gen(function* () {
      const [state] = yield* readStates(run, statements, [key], sharedKey)
      if (state === undefined || state.token.changes.length === 0) return
      const { token } = state
      if (!state.isAlive() || state.change === undefined) {
        yield* run(statements.foldToAbsence, [key, sharedKey, token.changes, token.record ?? null])
        return
      }
      const [row] = yield* run<{ readonly lifetime: number | null }>(statements.lifetimeOfChange, [key, state.change])
      if (row === undefined) return
      const lifetime = Math.max(1, row.lifetime ?? Number.POSITIVE_INFINITY)
      yield* write(key, token, { bytes: state.bytes, lifetime })
    })

  const foldNamespace = (itsKey: string) =>
    Effect.gen(function* () {
      const namespace = itsKey.slice(itsKey.indexOf(" ") + 1)
      for (const change of yield* sharedChanges(run, statements, itsKey)) {
        yield* forEachPage(
          (last) => run<{ readonly key: string }>(statements.removeOlder, [namespace, last, change, pageSize]),
          () => Effect.void
        )
        yield* run(statements.forgetShared, [namespace, itsKey, change])
      }
    })

  return Effect.gen(function* () {
    const keys = (yield* run<{ readonly key: string }>(statements.changedKeys, [pageSize])).map((row) => row.key)
    const isOfNamespace = (key: string) => key.includes(" ")
    yield* Effect.forEach(
      keys.filter((key) => !isOfNamespace(key)),
      foldKey,
      { discard: true }
    )
    yield* Effect.forEach(keys.filter(isOfNamespace), foldNamespace, { discard: true })
  })
}
