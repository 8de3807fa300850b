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
 * `BEGIN IMMEDIATE`, as `@effect/sql-libsql` begins, takes the lock at once. A transaction that began with a plain `BEGIN`, as
 * with `@effect/sql-sqlite-node`, takes it with its first write. If anyone else has written since its first read, SQLite refuses
 * that write (`SQLITE_BUSY_SNAPSHOT` with a write-ahead log; without one, its shared lock keeps all others from committing). So the
 * transaction has seen all that was published before it took the lock, or it fails loudly.
 */
import { SqlClient } from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import { Effect, type Scope } from "effect"
import { CacheError } from "../../../CacheError.js"
import { Warnings } from "../../telemetry/warnings.js"
import type { FusedByteStore } from "../Store.js"
import { namespaceInKeys } from "../sql/namespace.js"
import type { SqlStoreOptions } from "../sql/options.js"
import * as SqlStore from "../sql/SqlStore.js"
import { startAs } from "../sql/startLater.js"
import { parseTable, type Table } from "../sql/table.js"
import { type SqliteClient, withClientOf } from "./client.js"
import { primitives } from "./primitives.js"
import { purge } from "./purge.js"
import type { Runner } from "./runner.js"
import { statements } from "./statements.js"
import { createTable, inMain } from "./table.js"
import { insideTransaction } from "./transaction.js"

/** Of a database in memory each connection has its own, and some clients open a connection for each transaction. */
const refuseMemory = (file: unknown): Effect.Effect<void, CacheError> =>
  file
    ? Effect.void
    : Effect.fail(
        new CacheError({
          reason: "InvalidOption",
          operation: "layer",
          description: "with @effect/sql-libsql, the SQL backend needs a file; MemoryBackend caches in memory"
        })
      )

const fileOf = ({ rows }: Runner) =>
  Effect.map(
    rows<{ readonly file: unknown }>("SELECT file FROM pragma_database_list WHERE name = 'main'", []),
    ([row]) => row?.file
  )

const adviseWriteAheadLog = ({ rows }: Runner, warnings: Warnings): Effect.Effect<void, CacheError> =>
  Effect.flatMap(rows<{ readonly journal_mode: unknown }>("PRAGMA journal_mode", []), ([row]) =>
    row?.journal_mode === "wal" || row?.journal_mode === "memory"
      ? Effect.void
      : warnings.warn(
          "journal mode",
          () =>
            `Cache store sqlite: with journal_mode ${row?.journal_mode} readers and writers wait for each other; PRAGMA journal_mode = WAL ends that`
        )
  )

const name = "sqlite"

const open = <Id>(client: SqliteClient<Id>, table: Table, options: SqlStoreOptions, warnings: Warnings) =>
  Effect.gen(function* () {
    const own = client.outside
    const namespace = namespaceInKeys(options.namespace)
    const texts = statements(table)
    if (client.needsFile) yield* Effect.flatMap(fileOf(own), refuseMemory)
    yield* adviseWriteAheadLog(own, warnings)
    if (options.createTable) yield* createTable(table, own)
    const outside = primitives(own, texts, namespace)

    return SqlStore.make({
      name,
      transaction: client.transaction,
      inside: insideTransaction(client, texts, namespace),
      outside: { ...outside, read: SqlStore.matchRead(outside.read) },
      isToken: (token) => typeof token === "string",
      purge: yield* purge({ own, texts, maxEntries: options.maxEntries, purgeEvery: options.purgeEvery })
    })
  })

export const make = (
  options: SqlStoreOptions
): Effect.Effect<FusedByteStore, CacheError | SqlError, SqlClient | Scope.Scope> =>
  Effect.gen(function* () {
    const sql = yield* SqlClient
    const table = yield* Effect.flatMap(parseTable(options.table), inMain)
    const warnings = new Warnings()
    return yield* withClientOf(sql, options.timeout, (client) =>
      startAs(options.onStart, name, open(client, table, options, warnings), warnings)
    )
  })
