/** A `ByteStore` in a table of PostgreSQL. */
import { SqlClient } from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import { Duration, Effect, Exit, type Option, type Scope } from "effect"
import type { ByteItem, ByteRecord, StoredBytes } from "../../../ByteStore.js"
import type { CacheError } from "../../../CacheError.js"
import type { RejectedItem } from "../../../CacheStore.js"
import { keyPrefix } from "../../keys/finishKey.js"
import type { Found, LegacyByteStore } from "../legacy.js"
import { ownConnection, Preparation, wallClock, whereTransaction, withTimeout } from "../sql/connection.js"
import * as Running from "../sql/Running.js"
import type { SqlStoreOptions } from "../sql/SqlStore.js"
import { tooLarge } from "../sql/tooLarge.js"
import { clear } from "./clear.js"
import { inside } from "./insideTransaction.js"
import { outside } from "./outsideTransaction.js"
import { purge } from "./purge.js"
import { type LiveState, SqlToken, type State } from "./records.js"
import { statements } from "./statements.js"
import { createTable, parseTable } from "./table.js"

const isAlive = (state: State): state is LiveState => state.isAlive()
const toStored = (state: State) => (state.isAlive() ? state : undefined)

const toFound = (states: ReadonlyArray<State>): Found<StoredBytes> =>
  states.every(isAlive) ? states : states.map(toStored)

export const make = (
  options: SqlStoreOptions
): Effect.Effect<LegacyByteStore, CacheError | SqlError, SqlClient | Scope.Scope> =>
  Effect.gen(function* () {
    const sql = yield* SqlClient
    const table = yield* parseTable(options.table)
    if (options.createTable) yield* createTable(table, options.unlogged)
    const namespace = keyPrefix(0, options.namespace).split(":")[1] ?? ""
    const timeout = Duration.toMillis(options.timeout)
    const sharedKey = `clear ${namespace}`
    const texts = statements(table, Math.ceil(timeout))
    const preparation = new Preparation(options.prepare)
    const direct = ownConnection(sql, preparation)
    const running = yield* Running.make(wallClock)
    const run = withTimeout(direct, options.timeout, running)
    const own = yield* Effect.withClock(
      outside({
        statements: texts,
        run,
        direct,
        timeout: Duration.toMillis(options.timeout),
        sharedKey,
        running
      }),
      wallClock
    )
    const inner = inside(texts, preparation, { namespace, sharedKey })
    const purging = yield* purge({ ...options, table, run, own, preparation })

    const writeSmall = (items: ReadonlyArray<ByteItem>): Effect.Effect<ReadonlyArray<RejectedItem>, CacheError> =>
      whereTransaction({
        inside: (connection) => Effect.as(inner.write(connection, items), []),
        outside: purging.admit(items.length, own.write(items))
      })

    const write = (items: ReadonlyArray<ByteItem>): Effect.Effect<ReadonlyArray<RejectedItem>, CacheError> => {
      const rejected: Array<RejectedItem> = []
      const accepted = items.filter(({ key, record }) => {
        const error = tooLarge("write", key, record)
        if (error !== undefined) rejected.push({ key, error })
        return error === undefined
      })
      if (accepted.length === 0) return Effect.succeed(rejected)
      if (rejected.length === 0) return writeSmall(items)
      return Effect.map(writeSmall(accepted), (others) => [...rejected, ...others])
    }

    const add = (key: string, record: ByteRecord): Effect.Effect<Option.Option<SqlToken>, CacheError> => {
      const error = tooLarge("add", key, record)
      if (error !== undefined) return Effect.fail(error)
      return whereTransaction({
        inside: (connection) => inner.add(connection, key, record),
        outside: purging.admit(1, own.add(key, record))
      })
    }

    return {
      name: "postgresql",
      read: (keys) =>
        keys.length === 0
          ? Effect.succeed([])
          : Effect.map(
              whereTransaction({ inside: (connection) => inner.read(connection, keys), outside: own.read(keys) }),
              toFound
            ),
      unsafeAsk: (keys, asker) => {
        if (keys.length === 0) return Effect.succeed([])
        own.askRead(keys, (exit) => {
          if (Exit.isSuccess(exit)) asker.answered(toFound(exit.value))
          else asker.failed(Effect.failCause(exit.cause))
        })
        return undefined
      },
      write,
      add,
      replace: (key, token, record) => {
        const error = tooLarge("replace", key, record)
        if (error !== undefined) return Effect.fail(error)
        if (!(token instanceof SqlToken)) return Effect.succeedNone
        return whereTransaction<Option.Option<SqlToken>>({
          inside: (connection) => inner.replace(connection, key, token, record),
          outside: own.replace(key, token, record)
        })
      },
      remove: (keys) =>
        keys.length === 0
          ? Effect.succeed(0)
          : whereTransaction({ inside: (connection) => inner.remove(connection, keys), outside: own.remove(keys) }),
      clear: whereTransaction({
        inside: (connection) => inner.clear(connection),
        outside: clear({ texts, run, own, namespace, sharedKey })
      }),
      size: purging.size
    }
  })
