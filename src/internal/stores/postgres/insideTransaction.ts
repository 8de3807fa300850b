/**
 * The primitives inside a user's transaction: on its connection, never in a batch. Where nothing exclusive is asked they only
 * insert changes, which take effect with the commit and wait for nobody.
 */
import type { Connection } from "@effect/sql/SqlConnection"
import { Effect, Option } from "effect"
import type { ByteRecord } from "../../../ByteStore.js"
import type { CacheError } from "../../../CacheError.js"
import { fromSqlError } from "../sql/errors.js"
import type { Primitives } from "../sql/SqlStore.js"
import { inSavepoint } from "../sql/savepoint.js"
import { readStates } from "./batches/read.js"
import type { Run } from "./connection.js"
import type { PreparedStatements } from "./PreparedStatements.js"
import type { Row } from "./rows.js"
import { foundOf, type SqlToken, type State } from "./state.js"
import { columns, lifetimeOf } from "./statements/parameters.js"
import type { Statements } from "./statements/statements.js"

export interface InsideOptions {
  readonly statements: Statements
  readonly prepared: PreparedStatements
  readonly namespace: string
  /** The key under which the changes to the whole namespace stand. A finished key has no space, so this is none. */
  readonly sharedKey: string
}

/** The bytes and lifetime of a tombstone. */
const noValue = null

export const insideTransaction =
  ({ namespace, prepared, sharedKey, statements }: InsideOptions) =>
  (connection: Connection): Primitives<SqlToken> => {
    const within = <A>(
      operation: string,
      use: (run: Run) => Effect.Effect<A, CacheError>
    ): Effect.Effect<A, CacheError> => {
      const run: Run = (statement, parameters) =>
        Effect.mapError(prepared.execute(connection, statement, parameters), fromSqlError(operation))
      return prepared.orUnprepared(
        inSavepoint(
          connection,
          operation,
          Effect.suspend(() => use(run))
        )
      )
    }

    const statesOf = (run: Run, keys: ReadonlyArray<string>) => readStates(run, statements, keys, sharedKey)

    /**
     * A batch of another connection holds the lock for one statement only. Another user transaction holds it until its end, which
     * must not be waited for: two could wait for each other.
     */
    const lockKey = (run: Run, key: string, attempts = 10): Effect.Effect<boolean, CacheError> =>
      Effect.flatMap(run<{ readonly locked: boolean }>(statements.lockKey, [key]), ([row]) => {
        if (row?.locked === true || attempts === 1) return Effect.succeed(row?.locked === true)
        return lockKey(run, key, attempts - 1)
      })

    /** Writes only over a state that `accepts` agrees to, and holds the record until the transaction ends. */
    const exclusive = (
      operation: string,
      key: string,
      record: ByteRecord,
      accepts: (state: State) => boolean
    ): Effect.Effect<Option.Option<SqlToken>, CacheError> =>
      within(operation, (run) =>
        Effect.gen(function* () {
          if (!(yield* lockKey(run, key))) return Option.none()
          const [state] = yield* statesOf(run, [key])
          if (state === undefined || !accepts(state)) return Option.none()
          const { token } = state
          const lifetime = lifetimeOf(record)
          const rows = yield* token.record === undefined
            ? run<Row>(statements.writeOverAbsence, [key, record.bytes, lifetime])
            : run<Row>(statements.writeOverRecord, [key, record.bytes, lifetime, token.record])
          if (rows.length === 0) return Option.none()
          // others still see the changes beside the record, so this one must come after them
          if (token.changes.length > 0) yield* run(statements.change, [[key], [record.bytes], [lifetime], sharedKey])
          const [after] = yield* statesOf(run, [key])
          return Option.fromNullable(after?.token)
        })
      )

    return {
      read: (keys) =>
        Effect.map(
          within("read", (run) => statesOf(run, keys)),
          foundOf
        ),

      write: (items) => within("write", (run) => Effect.as(run(statements.change, [...columns(items), sharedKey]), [])),

      add: (key, record) => exclusive("add", key, record, (state) => !state.isAlive()),

      replace: (key, token, record) => exclusive("replace", key, record, (state) => state.token.equals(token)),

      remove: (keys) =>
        within("remove", (run) =>
          Effect.gen(function* () {
            const before = yield* statesOf(run, keys)
            const tombstones = keys.map(() => noValue)
            yield* run(statements.change, [keys, tombstones, tombstones, sharedKey])
            return before.filter((state) => state.isAlive()).length
          })
        ),

      clear: within("clear", (run) => Effect.asVoid(run(statements.changeAll, [sharedKey, namespace])))
    }
  }
