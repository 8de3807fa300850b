/**
 * A `ByteStore` in a table of a SQLite file.
 *
 * Each record is one row, and a user's transaction changes the rows themselves: no tombstones, unlike on PostgreSQL. For
 * one connection writes at a time, so every lease and every publication of others lies before the transaction took the
 * lock or after it ended. Take one who leases a key, computes from the user's tables, and publishes by `replace`, while a
 * transaction changes those tables and invalidates the key:
 *
 * - Published before: the transaction finds that row and deletes it.
 * - Leased before, published after: the deletion took the lease along, and its token never comes back, so the
 *   publication fails.
 * - Leased after: whatever is computed then reads what was committed.
 *
 * `BEGIN IMMEDIATE`, as `@effect/sql-libsql` begins, takes the lock at once. A transaction that began with a plain
 * `BEGIN` takes it with its first write: had anyone else written since its first read, SQLite would refuse that write
 * (`SQLITE_BUSY_SNAPSHOT` with a write-ahead log; without one, its shared lock keeps all others from committing). So the
 * transaction has seen all that was published before it took the lock, or it fails loudly.
 */
import { SqlClient } from "@effect/sql/SqlClient"
import { Effect, type Scope } from "effect"
import type { ByteItem, ByteStore } from "../../../ByteStore.js"
import { CacheError } from "../../../CacheError.js"
import { keyPrefix } from "../../keys/finishKey.js"
import { parseTable } from "../postgres/table.js"
import type { SqlStoreOptions } from "../sql/SqlStore.js"
import { tooLarge } from "../sql/tooLarge.js"
import { insideTransaction, ownConnection, type Statements } from "./connection.js"
import { driverOf } from "./driver.js"
import { type Primitives, primitives } from "./primitives.js"
import { purge } from "./purge.js"
import { statements } from "./statements.js"
import { createTable, inMain } from "./table.js"
import { whereTransaction } from "./transaction.js"

/** A database in memory is another one for each connection, and the client opens one for each transaction. */
const refuseMemory = ({ rows }: Statements): Effect.Effect<void, CacheError> =>
  Effect.flatMap(
    rows<{ readonly file: unknown }>("SELECT file FROM pragma_database_list WHERE name = 'main'", []),
    (found) =>
      found[0]?.file
        ? Effect.void
        : Effect.fail(
            new CacheError({
              reason: "InvalidOption",
              operation: "layer",
              description: "on SQLite, the SQL backend needs a file; MemoryBackend caches in memory"
            })
          )
  )

const adviseWriteAheadLog = ({ rows }: Statements): Effect.Effect<void, CacheError> =>
  Effect.flatMap(rows<{ readonly journal_mode: unknown }>("PRAGMA journal_mode", []), ([row]) =>
    row?.journal_mode === "wal"
      ? Effect.void
      : Effect.logWarning(
          `Cache store sqlite: with journal_mode ${row?.journal_mode} readers and writers hold each other up; PRAGMA journal_mode = WAL ends that`
        )
  )

export const make = (options: SqlStoreOptions): Effect.Effect<ByteStore, CacheError, SqlClient | Scope.Scope> =>
  Effect.gen(function* () {
    const driver = yield* driverOf(yield* SqlClient)
    const table = yield* Effect.flatMap(parseTable(options.table), inMain)
    const namespace = keyPrefix(0, options.namespace).split(":")[1] ?? ""
    const texts = statements(table)
    const own = ownConnection(driver, options.timeout)
    yield* refuseMemory(own)
    yield* adviseWriteAheadLog(own)
    if (options.createTable) yield* createTable(table, own)
    const outside = primitives(own, texts, namespace)
    const purging = yield* purge({ ...options, own, texts })

    const either = <A>(
      operation: string,
      use: (on: Primitives) => Effect.Effect<A, CacheError>,
      records = 0
    ): Effect.Effect<A, CacheError> =>
      whereTransaction({
        inside: (connection) =>
          insideTransaction(connection, operation, (onTransaction) => use(primitives(onTransaction, texts, namespace))),
        outside: records === 0 ? use(outside) : purging.admit(records, use(outside))
      })

    return {
      name: "sqlite",
      read: (keys) => (keys.length === 0 ? Effect.succeed([]) : either("read", (on) => on.read(keys))),
      write: (items) => {
        const errors = new Map<ByteItem, CacheError>()
        for (const item of items) {
          const error = tooLarge("write", item.key, item.record)
          if (error !== undefined) errors.set(item, error)
        }
        const accepted = items.filter((item) => !errors.has(item))
        const rejected = Array.from(errors, ([{ key }, error]) => ({ key, error }))
        if (accepted.length === 0) return Effect.succeed(rejected)
        return Effect.map(
          either("write", (on) => on.write(accepted), accepted.length),
          (refused) => [...rejected, ...refused]
        )
      },
      add: (key, record) => {
        const error = tooLarge("add", key, record)
        if (error !== undefined) return Effect.fail(error)
        return either("add", (on) => on.add(key, record), 1)
      },
      replace: (key, token, record) => {
        const error = tooLarge("replace", key, record)
        if (error !== undefined) return Effect.fail(error)
        if (typeof token !== "string") return Effect.succeedNone
        return either("replace", (on) => on.replace(key, token, record))
      },
      remove: (keys) => (keys.length === 0 ? Effect.succeed(0) : either("remove", (on) => on.remove(keys))),
      clear: either("clear", (on) => on.clear),
      size: purging.size
    }
  })
