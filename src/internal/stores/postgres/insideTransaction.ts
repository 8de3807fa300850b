/**
 * The primitives inside a user's transaction: never gathered with others, in a savepoint, and, where nothing exclusive is
 * asked, as insertions that take effect with the commit and wait for nobody.
 */
import type { Connection } from "@effect/sql/SqlConnection"
import { Effect, Option } from "effect"
import type { ByteItem, ByteRecord } from "../../../ByteStore.js"
import type { CacheError } from "../../../CacheError.js"
import { onTransaction, type Preparation, type Run } from "../sql/connection.js"
import { readWith } from "./batches/read.js"
import { columns, lifetimeOf } from "./parameters.js"
import type { Row, SqlToken, State } from "./records.js"
import type { Statements } from "./statements.js"

export interface Namespace {
  readonly namespace: string
  /** Where the changes that concern all of it stand. A finished key has no space, so this is none. */
  readonly sharedKey: string
}

const tombstone = (key: string) => ({ key, bytes: null, lifetime: null })

export const inside = (statements: Statements, preparation: Preparation, { namespace, sharedKey }: Namespace) => {
  const on = onTransaction(preparation)

  const states = (run: Run, keys: ReadonlyArray<string>) => readWith(run, statements, keys, sharedKey)

  const change = (
    run: Run,
    items: ReadonlyArray<{ readonly key: string; readonly bytes: Uint8Array | null; readonly lifetime: number | null }>
  ) =>
    run(statements.change, [
      items.map((item) => item.key),
      items.map((item) => item.bytes),
      items.map((item) => item.lifetime),
      sharedKey
    ])

  /**
   * The batches of other connections hold the lock that this one tries for the time of one statement; another user
   * transaction holds it until its end, which must not be waited for: two could wait for each other.
   */
  const announce = (run: Run, key: string, attempts = 10): Effect.Effect<boolean, CacheError> =>
    Effect.flatMap(run<{ readonly announced: boolean }>(statements.announce, [key]), (rows) => {
      if (rows[0]?.announced === true || attempts === 1) return Effect.succeed(rows[0]?.announced === true)
      return announce(run, key, attempts - 1)
    })

  /** Stores over exactly the state that `accepts` agrees to, holding the record until the transaction ends. */
  const exclusive = (
    connection: Connection,
    operation: string,
    key: string,
    record: ByteRecord,
    accepts: (state: State) => boolean
  ): Effect.Effect<Option.Option<SqlToken>, CacheError> =>
    on(connection, operation, (run) =>
      Effect.gen(function* () {
        if (!(yield* announce(run, key))) return Option.none()
        const [state] = yield* states(run, [key])
        if (state === undefined || !accepts(state)) return Option.none()
        const { token } = state
        const lifetime = lifetimeOf(record)
        const rows = yield* token.record === undefined
          ? run<Row>(statements.lockAbsence, [key, record.bytes, lifetime])
          : run<Row>(statements.lockRecord, [key, record.bytes, lifetime, token.record])
        if (rows.length === 0) return Option.none()
        // the changes beside the record stay for others to see, so this must come after them
        if (token.changes.length > 0) yield* change(run, [{ key, bytes: record.bytes, lifetime }])
        const [after] = yield* states(run, [key])
        return Option.fromNullable(after?.token)
      })
    )

  return {
    read: (connection: Connection, keys: ReadonlyArray<string>) => on(connection, "read", (run) => states(run, keys)),

    write: (connection: Connection, items: ReadonlyArray<ByteItem>) =>
      on(connection, "write", (run) => run(statements.change, [...columns(items), sharedKey])),

    add: (connection: Connection, key: string, record: ByteRecord) =>
      exclusive(connection, "add", key, record, (state) => !state.isAlive()),

    replace: (connection: Connection, key: string, token: SqlToken, record: ByteRecord) =>
      exclusive(connection, "replace", key, record, (state) => state.token.equals(token)),

    remove: (connection: Connection, keys: ReadonlyArray<string>) =>
      on(connection, "remove", (run) =>
        Effect.gen(function* () {
          const before = yield* states(run, keys)
          yield* change(run, keys.map(tombstone))
          return before.filter((state) => state.isAlive()).length
        })
      ),

    clear: (connection: Connection) =>
      on(connection, "clear", (run) => run(statements.changeAll, [sharedKey, namespace]))
  }
}
