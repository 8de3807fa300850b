/** A store in a table of PostgreSQL. */
import { SqlClient, TransactionConnection } from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import { Duration, Effect, type Scope } from "effect"
import type { CacheError } from "../../../CacheError.js"
import { Warnings } from "../../telemetry/warnings.js"
import type { FusedByteStore } from "../Store.js"
import { closed, timedOut } from "../sql/errors.js"
import { namespaceInKeys } from "../sql/namespace.js"
import type { SqlStoreOptions } from "../sql/options.js"
import * as SqlStore from "../sql/SqlStore.js"
import * as StatementFibers from "../sql/StatementFibers.js"
import { startAs } from "../sql/startLater.js"
import { parseTable, type Table } from "../sql/table.js"
import { wallClock } from "../sql/wallClock.js"
import { onPool, type Run } from "./connection.js"
import { prepareTable } from "./createTable.js"
import { insideTransaction } from "./insideTransaction.js"
import { outsideTransaction } from "./outsideTransaction.js"
import { PreparedStatements } from "./PreparedStatements.js"
import { adviseSecondConnection, noConnection } from "./pool.js"
import { purge } from "./purge.js"
import { isToken } from "./rows.js"
import { statements } from "./statements/statements.js"
import { sharedKey } from "./table.js"

const name = "postgresql"

const open = (sql: SqlClient, asked: Table, options: SqlStoreOptions, warnings: Warnings) =>
  Effect.gen(function* () {
    const table = yield* prepareTable(sql, asked, options)
    const namespace = namespaceInKeys(options.namespace)
    const timeout = Duration.toMillis(options.timeout)
    const prepared = new PreparedStatements(options.prepare)
    // before all that runs statements, as scopes close backwards
    const whyNoConnection = noConnection(sql, warnings)
    const fibers = yield* StatementFibers.make({ timeout, timedOut, noConnection: whyNoConnection, closed }).pipe(
      Effect.withClock(wallClock)
    )
    const direct = onPool({ sql, prepared, fibers, noConnection: whyNoConnection })
    const run: Run = (statement, parameters) => fibers.run(direct(statement, parameters))
    const shared = {
      statements: statements(table, Math.ceil(timeout)),
      namespace,
      sharedKey: sharedKey(namespace),
      prepared,
      run
    }

    return SqlStore.make({
      name,
      transaction: TransactionConnection,
      inside: insideTransaction(shared),
      outside: yield* outsideTransaction({ ...shared, direct, fibers }),
      isToken,
      purge: yield* purge({ ...shared, maxEntries: options.maxEntries, purgeEvery: options.purgeEvery })
    })
  })

export const make = (
  options: SqlStoreOptions
): Effect.Effect<FusedByteStore, CacheError | SqlError, SqlClient | Scope.Scope> =>
  Effect.gen(function* () {
    const sql = yield* SqlClient
    const warnings = new Warnings()
    const opened = open(sql, yield* parseTable(options.table), options, warnings)
    yield* adviseSecondConnection(sql, warnings)
    return yield* startAs(options.onStart, name, opened, warnings)
  })
