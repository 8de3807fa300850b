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
import { notWritten } from "./batches/batches.js"
import { readKeys } from "./batches/read.js"
import type { Run } from "./connection.js"
import type { PreparedStatements } from "./PreparedStatements.js"
import { isTrue } from "./rows.js"
import { columns, distinct, lifetimeOf } from "./statements/parameters.js"
import type { Statements } from "./statements/statements.js"

export interface InsideOptions {
  readonly statements: Statements
  readonly prepared: PreparedStatements
  /** The key under which the changes to the whole namespace stand. */
  readonly sharedKey: string
}

/** What a key means: see the statement `lookAt`. */
interface State {
  readonly token: string | null
  readonly record: string | null
  readonly changed: string
  readonly snapshot: string
}

interface TokenRow {
  readonly token: string
}

export const insideTransaction =
  ({ prepared, sharedKey, statements }: InsideOptions) =>
  (connection: Connection): Primitives<string> => {
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

    /**
     * A batch of another connection holds the lock for one statement only. Another user transaction holds it until its end, which
     * must not be waited for: two could wait for each other.
     */
    const lockKey = (run: Run, key: string, attempts = 10): Effect.Effect<boolean, CacheError> =>
      Effect.flatMap(run<{ readonly locked: string }>(statements.lockKey, [key]), ([row]) => {
        if (isTrue(row?.locked) || attempts === 1) return Effect.succeed(isTrue(row?.locked))
        return lockKey(run, key, attempts - 1)
      })

    /** Writes only over a state that `accepts` agrees to, and holds the record until the transaction ends. */
    const exclusive = (
      operation: string,
      key: string,
      record: ByteRecord,
      accepts: (token: string | null) => boolean
    ): Effect.Effect<Option.Option<string>, CacheError> =>
      within(operation, (run) =>
        Effect.gen(function* () {
          if (!(yield* lockKey(run, key))) return Option.none()
          const [state] = yield* run<State>(statements.lookAt, [key, sharedKey])
          if (state === undefined || !accepts(state.token)) return Option.none()
          const lifetime = lifetimeOf(record)
          const written = yield* state.record === null
            ? run<TokenRow>(statements.writeOverAbsence, [key, record.bytes, lifetime])
            : run<TokenRow>(statements.writeOverRecord, [key, record.bytes, lifetime, state.record])
          if (written.length === 0) return Option.none()
          // others still see the changes beside the record, so this one must come after them; not after any later one
          const last = isTrue(state.changed)
            ? yield* run<TokenRow>(statements.change, [...columns([{ key, record }]), state.snapshot])
            : written
          return Option.map(Option.fromNullable(last[0]), ({ token }) => token)
        })
      )

    const inserted = <A extends object>(rows: Effect.Effect<ReadonlyArray<A>, CacheError>, count: number) =>
      Effect.filterOrFail(
        rows,
        ({ length }) => length === count,
        ({ length }) => notWritten(count - length)
      )

    const bury = (operation: string, keys: ReadonlyArray<string>) =>
      within(operation, (run) => inserted(run(statements.bury, [keys]), keys.length))

    return {
      read: (keys) => within("read", (run) => readKeys(run, statements, keys, sharedKey)),

      write: (items) =>
        within("write", (run) => {
          const each = distinct(items)
          return Effect.as(inserted(run(statements.change, [...columns(each), null]), each.length), [])
        }),

      add: (key, record) => exclusive("add", key, record, (token) => token === null),

      replace: (key, token, record) => exclusive("replace", key, record, (current) => current === token),

      // in a transaction it is rare, and the statement would have to tell a record from a change
      amend: (key, token, record) => exclusive("amend", key, record, (current) => current === token),

      // to learn what lived there it would have to read, which under SERIALIZABLE conflicts with others
      remove: (keys) => Effect.as(bury("remove", keys), keys.length),

      clear: Effect.asVoid(bury("clear", [sharedKey]))
    }
  }
