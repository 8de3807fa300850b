/** Creates the table where it is missing, and upgrades an older one. Safe when many processes start at once. */
import { SqlClient } from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import { Duration, Effect, Schedule } from "effect"
import { CacheError } from "../../../CacheError.js"
import { scopedUninterruptible } from "../../runtime/scope.js"
import { codeOf, isContention, timedOut } from "../sql/errors.js"
import type { SqlStoreOptions } from "../sql/options.js"
import type { Table } from "../sql/table.js"
import { wallClock } from "../sql/wallClock.js"
import { type Lookup, lookUp, type Query } from "./foundTable.js"
import { definition } from "./table.js"

/** Two that create one table at once would collide in the catalog. */
const lock = ({ quoted }: Table) =>
  `SELECT pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended('create ${quoted}'::text, 0::bigint))`

const all = (query: Query, statements: ReadonlyArray<string>) =>
  Effect.forEach(statements, (statement) => query(statement, []), { discard: true })

const isComplete = ({ exists, lacking }: Lookup): boolean => exists && lacking.length === 0

/** Inside a transaction: creates or upgrades what is not as it should be. */
const complete = (query: Query, asked: Table, unlogged: boolean): Effect.Effect<Table, CacheError | SqlError> =>
  Effect.gen(function* () {
    const before = yield* lookUp(query, asked)
    yield* query(lock(before.table), [])
    const { exists, lacking, table } = yield* lookUp(query, asked)
    // not `IF NOT EXISTS`: under the name of an index may stand something else, and then no write would work
    const statements = exists ? lacking.flatMap((upgrade) => upgrade.statements) : definition(table, unlogged, "")
    yield* all(query, statements)
    return table
  })

/** What has to be done takes its time, even where the layer does not wait that long for others. */
const shortestWork = Duration.seconds(10)

/** Zero is no limit. */
const setting = (limit: Duration.Duration): number => {
  const millis = Math.ceil(Duration.toMillis(limit))
  return millis < 2 ** 31 ? millis : 0
}

/**
 * Whatever the role or the database sets by default: each statement sees what was committed before it, and locks are waited for
 * as long as the layer waits for anything.
 */
const begin = (timeout: Duration.Duration, work: Duration.Duration): ReadonlyArray<string> => [
  "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE",
  `SET LOCAL lock_timeout = ${setting(timeout)}`,
  `SET LOCAL statement_timeout = ${setting(work)}`,
  "SET LOCAL idle_in_transaction_session_timeout = 0"
]

const older = ({ lacking, table }: Lookup): CacheError =>
  new CacheError({
    reason: "StoreFailed",
    operation: "layer",
    description:
      `the table ${table.quoted} was made by an older version of effect-cached. ` +
      `Run SqlBackend.migration under a new id, or: ${lacking.flatMap(({ statements }) => statements).join("; ")}`
  })

/** 42P07, 23505: somebody who does not know the lock has created it just now. The next look-up finds it. */
const isCreatedMeanwhile = (error: unknown): boolean => /^(42P07|23505)$/.test(codeOf(error))

const again = (timeout: Duration.Duration) =>
  Schedule.intersect(Schedule.jittered(Schedule.spaced("20 millis")), Schedule.recurUpTo(timeout))

/** The table, with its schema. It is complete, or `createTable` is false and it is missing. */
export const prepareTable = (
  sql: SqlClient,
  asked: Table,
  { createTable, timeout, unlogged }: Pick<SqlStoreOptions, "createTable" | "timeout" | "unlogged">
): Effect.Effect<Table, CacheError | SqlError> => {
  const work = Duration.max(timeout, shortestWork)
  const onConnection = Effect.uninterruptible(
    scopedUninterruptible(() =>
      Effect.flatMap(sql.reserve, (connection) => {
        const query: Query = (text, parameters) => connection.executeUnprepared(text, parameters, undefined)
        const transaction = all(query, begin(timeout, work)).pipe(
          Effect.zipRight(complete(query, asked, unlogged)),
          Effect.zipLeft(query("COMMIT", [])),
          Effect.tapError(() => Effect.ignore(query("ROLLBACK", [])))
        )
        return Effect.flatMap(lookUp(query, asked), (found) => {
          // looked up first: `CREATE TABLE IF NOT EXISTS` needs the right to create even where there is nothing to do
          if (isComplete(found)) return Effect.succeed(found.table)
          if (createTable) return transaction
          return found.exists ? Effect.fail(older(found)) : Effect.succeed(found.table)
        })
      })
    )
  )
  let met = 0
  return onConnection.pipe(
    Effect.retry({
      while: (error) => isContention(error) || (isCreatedMeanwhile(error) && met++ === 0),
      schedule: again(timeout)
    }),
    Effect.mapError((error) => (isContention(error) ? timedOut() : error)),
    // a fiber that waits for a connection can't be interrupted; the server ends the statements by itself
    Effect.disconnect,
    Effect.timeoutFail({ duration: work, onTimeout: timedOut }),
    Effect.withClock(wallClock)
  )
}

/** The same on the connection of a migration. */
export const migrateTable = (asked: Table, unlogged: boolean): Effect.Effect<void, CacheError | SqlError, SqlClient> =>
  Effect.flatMap(SqlClient, (sql) =>
    Effect.asVoid(
      complete(
        <A extends object>(text: string, parameters: ReadonlyArray<unknown>) =>
          sql.unsafe<A>(text, parameters).withoutTransform,
        asked,
        unlogged
      )
    )
  )
