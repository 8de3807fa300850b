/**
 * Statements through `@effect/sql-sqlite-node`, whose client has one connection (better-sqlite3). The statements of the cache and
 * the transactions of the program use it in turn. A statement runs synchronously, and where another process holds the file's lock
 * the driver would block Node's event loop, for 5 seconds by default. So the cache makes it fail at once, and tries again by
 * itself.
 */
import type { SqlClient } from "@effect/sql/SqlClient"
import type { Connection } from "@effect/sql/SqlConnection"
import { SqlError } from "@effect/sql/SqlError"
import { type Duration, Effect } from "effect"
import type { CacheError } from "../../../CacheError.js"
import { fromSqlError, noTurn } from "../sql/errors.js"
import { wallClock } from "../sql/wallClock.js"
import type { OwnRunner, Runner } from "./runner.js"
import { waitForLock } from "./waitForLock.js"

/** Not prepared: the client would keep the values in its memory, as the text of a statement, and the failure of one for minutes. */
const execute = <A extends object>(
  connection: Connection,
  text: string,
  parameters: ReadonlyArray<unknown> = []
): Effect.Effect<ReadonlyArray<A>, SqlError> =>
  Effect.suspend(() => {
    try {
      return connection.executeUnprepared(text, parameters, undefined)
    } catch (cause) {
      return Effect.fail(new SqlError({ cause, message: "Failed to prepare statement" }))
    }
  })

const setBusyTimeout = (connection: Connection, millis: unknown) =>
  execute(connection, `PRAGMA busy_timeout = ${Number(millis)}`)

/** The driver does not wait for locks in `use`. The program's own statements wait as before. */
const withoutBlocking = <A>(connection: Connection, use: Effect.Effect<A, SqlError>): Effect.Effect<A, SqlError> =>
  Effect.acquireUseRelease(
    Effect.tap(execute<{ readonly timeout: unknown }>(connection, "PRAGMA busy_timeout"), () =>
      setBusyTimeout(connection, 0)
    ),
    () => use,
    ([before]) => Effect.ignore(setBusyTimeout(connection, before?.timeout ?? 0))
  )

const statementsOn = (connection: Connection, operation: string): Omit<Runner, "pause"> => {
  const rows = <A extends object>(text: string, parameters: ReadonlyArray<string>) =>
    Effect.mapError(withoutBlocking(connection, execute<A>(connection, text, parameters)), fromSqlError(operation))
  return {
    rows,
    change: (text) => Effect.map(rows(`${text} RETURNING 1`, []), (changed) => changed.length)
  }
}

/** With a turn at the connection. It may take as long as a statement, while a transaction of this program has the connection. */
const inTurn = <A>(
  sql: SqlClient,
  timeout: Duration.Duration,
  use: (connection: Connection) => Effect.Effect<A, CacheError>
): Effect.Effect<A, CacheError> =>
  Effect.scoped(
    sql.reserve.pipe(
      Effect.mapError(fromSqlError("store")),
      Effect.timeoutFail({ duration: timeout, onTimeout: noTurn }),
      Effect.withClock(wallClock),
      Effect.flatMap(use)
    )
  )

export const outsideTransaction = (sql: SqlClient, timeout: Duration.Duration): OwnRunner => {
  const [waitToRead, waitToWrite] = [waitForLock(timeout), waitForLock(timeout)]
  const change = (text: string) =>
    waitToWrite(inTurn(sql, timeout, (connection) => statementsOn(connection, "store").change(text)))
  return {
    change,
    rows: <A extends object>(text: string, parameters: ReadonlyArray<string>) =>
      waitToRead(inTurn(sql, timeout, (connection) => statementsOn(connection, "store").rows<A>(text, parameters))),
    define: (statements) =>
      Effect.forEach(
        statements,
        (text) => waitToWrite(inTurn(sql, timeout, (connection) => statementsOn(connection, "layer").rows(text, []))),
        { discard: true }
      ),
    pause: Effect.withClock(Effect.sleep("1 millis"), wallClock)
  }
}

/** A transaction that began with a plain `BEGIN`, as this client's do, has no lock yet when it first writes. */
export const insideTransaction =
  (timeout: Duration.Duration) =>
  (connection: Connection, operation: string): Runner => {
    const wait = waitForLock(timeout)
    const on = statementsOn(connection, operation)
    return {
      change: (text) => wait(on.change(text)),
      rows: (text, parameters) => wait(on.rows(text, parameters)),
      pause: Effect.void
    }
  }
