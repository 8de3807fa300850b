/**
 * A store in a table of a SQLite file.
 *
 * Each record is one row, and a user's transaction changes the rows themselves: there are no tombstones as on PostgreSQL. Only
 * one connection writes at a time. So every lease and every publication of others comes before the transaction took the lock
 * or after it ended. Somebody leases a key, computes from the user's tables and publishes by `replace`, while a transaction
 * changes those tables and invalidates the key:
 *
 * - Published before: the transaction finds that row and deletes it.
 * - Leased before, published after: the transaction has deleted the lease, and its token never comes back, so the publication
 *   fails.
 * - Leased after: the computation reads what was committed.
 *
 * `BEGIN IMMEDIATE`, as `@effect/sql-libsql` begins, takes the lock at once. A transaction that began with a plain `BEGIN`
 * takes it with its first write. If anyone else has written since its first read, SQLite refuses that write
 * (`SQLITE_BUSY_SNAPSHOT` with a write-ahead log; without one, its shared lock keeps all others from committing). So the
 * transaction has seen all that was published before it took the lock, or it fails loudly.
 */
import { SqlClient } from "@effect/sql/SqlClient"
import { Effect, type Scope } from "effect"
import { CacheError } from "../../../CacheError.js"
import type { FusedByteStore } from "../Store.js"
import { namespaceInKeys } from "../sql/namespace.js"
import type { SqlStoreOptions } from "../sql/options.js"
import * as SqlStore from "../sql/SqlStore.js"
import { parseTable } from "../sql/table.js"
import { ownConnection, type Statements } from "./connection.js"
import { driverOf } from "./driver.js"
import { primitives } from "./primitives.js"
import { purge } from "./purge.js"
import { statements } from "./statements.js"
import { createTable, inMain } from "./table.js"
import { insideTransaction, LibsqlTransaction } from "./transaction.js"

/** Each connection has a database in memory of its own, and the client opens a connection for each transaction. */
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
          `Cache store sqlite: with journal_mode ${row?.journal_mode} readers and writers wait for each other; PRAGMA journal_mode = WAL ends that`
        )
  )

export const make = (options: SqlStoreOptions): Effect.Effect<FusedByteStore, CacheError, SqlClient | Scope.Scope> =>
  Effect.gen(function* () {
    const driver = yield* driverOf(yield* SqlClient)
    const table = yield* Effect.flatMap(parseTable(options.table), inMain)
    const namespace = namespaceInKeys(options.namespace)
    const texts = statements(table)
    const own = ownConnection(driver, options.timeout)
    yield* refuseMemory(own)
    yield* adviseWriteAheadLog(own)
    if (options.createTable) yield* createTable(table, own)
    const outside = primitives(own, texts, namespace)

    return SqlStore.make({
      name: "sqlite",
      transaction: LibsqlTransaction,
      inside: insideTransaction(texts, namespace),
      outside: { ...outside, read: SqlStore.matchRead(outside.read) },
      isToken: (token) => typeof token === "string",
      purge: yield* purge({ own, texts, maxEntries: options.maxEntries, purgeEvery: options.purgeEvery })
    })
  })
