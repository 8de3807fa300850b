/** What a failed statement means for the cache. */
import type { SqlError } from "@effect/sql/SqlError"
import { CacheError, type CacheErrorReason } from "../../../CacheError.js"
import { NoFreeConnection } from "../../outages/outage.js"

/** Another connection holds SQLite's lock. */
const sqliteBusy = /^SQLITE_(BUSY|LOCKED)/

/** By SQLSTATE (PostgreSQL), result code (SQLite, `@libsql/client`) or Node's code. The first that matches counts. */
const reasons: ReadonlyArray<readonly [code: RegExp, reason: CacheErrorReason]> = [
  [/^SQLITE_(TOOBIG|NOMEM)/, "TooLarge"],
  [sqliteBusy, "Timeout"],
  [/^(SQLITE_(CANTOPEN|IOERR|PROTOCOL)|CLIENT_CLOSED$)/, "Unavailable"],
  [/^SQLITE_/, "StoreFailed"],
  // 54 program limit exceeded, 53200 out of memory, 53400 configuration limit exceeded
  [/^(54...|53200|53400|ERR_STRING_TOO_LONG)$/, "TooLarge"],
  // 08 connection, 57P0 shutdown, 53300 too many connections, 25P03 and 25P04 session ended because it was idle
  [/^(08...|57P0.|53300|25P0[34])$/, "Unavailable"],
  // ECONNREFUSED, EPIPE, …
  [/^E[A-Z]+$/, "Unavailable"],
  // 57014 statement cancelled, 55P03 lock not available
  [/^(57014|55P03)$/, "Timeout"],
  // 40001 serialization failure, 40P01 deadlock: inside the caller's transaction they are not repeated
  [/^(40001|40P01)$/, "StoreFailed"]
]

const sqlState = /^[0-9A-Z]{5}$/
/** PostgreSQL reports a value over 1 GB as an internal error. */
const internalError = "XX000"

/** Messages of drivers whose errors carry no code. */
const unavailableMessage =
  /connection terminated|connection error|not queryable|failed to acquire connection|client was closed|connection is not open|pool after calling end/i
/** Among them Node's own limits on strings and buffers: a statement may exceed them before it reaches the server. */
const tooLargeMessage = /invalid (memory alloc request|string length|buffer)|string longer than|too big/i

const property = (value: unknown, name: string): unknown =>
  typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined

/** The SQLSTATE of a `SqlError`, or SQLite's result code, or empty. */
export const codeOf = (error: unknown): string => String(property(property(error, "cause"), "code") ?? "")

/** Whether a `SqlError` says that another connection holds SQLite's lock. */
export const isBusy = (error: unknown): boolean => sqliteBusy.test(codeOf(error))

/**
 * 40001 serialization failure, 40P01 deadlock, 55P03 lock not available: another statement was first. The database has undone the
 * statement as a whole, so it may be sent again.
 */
export const isContention = (error: unknown): boolean => /^(40001|40P01|55P03)$/.test(codeOf(error))

/** Whether a `SqlError` says that `idle_session_timeout` had ended the session before the statement came. */
export const isSessionEnd = (error: unknown): boolean => codeOf(error) === "57P05"

/** Whether the client's own `connectTimeout` ended the wait for a connection of its pool. */
export const isPoolTimeout = (error: SqlError): boolean =>
  String(property(error.cause, "message")).startsWith("timeout exceeded when trying to connect")

/** What to do about errors that come back until somebody does it. By SQLSTATE. */
const advice: Readonly<Record<string, string>> = {
  "42P01": "create the table again: a layer does so when it is built, or run what printDefinition returns",
  "42703": "the table is of another version of effect-cached: start a layer with createTable, or run migration",
  "42501": "grant the role of the cache SELECT, INSERT, UPDATE and DELETE on its table",
  "25006":
    "the cache must write: this is a standby, or the transaction is read-only, or default_transaction_read_only is on",
  "57014": "if statement_timeout is set for the role or the database, raise it"
}

const reasonOf = (error: SqlError): CacheErrorReason => {
  const code = codeOf(error)
  const byCode = reasons.find(([pattern]) => pattern.test(code))
  if (byCode !== undefined) return byCode[1]
  if (sqlState.test(code) && code !== internalError) return "StoreFailed"
  const message = `${error.message} ${String(property(error.cause, "message"))}`
  if (tooLargeMessage.test(message)) return "TooLarge"
  return code !== internalError && unavailableMessage.test(message) ? "Unavailable" : "StoreFailed"
}

/** Fields of PostgreSQL's errors that quote rows and parameters. */
const quoting = ["detail", "where", "internalQuery"]

/** Takes out of the driver's error what quotes values. In place: the error belongs to a statement of the cache. */
const forgetRows = ({ cause }: SqlError): void => {
  if (typeof cause !== "object" || cause === null) return
  for (const name of quoting) if (Reflect.has(cause, name)) Reflect.set(cause, name, undefined)
}

export const fromSqlError =
  (operation: string) =>
  (error: SqlError): CacheError => {
    forgetRows(error)
    const detail = property(error.cause, "message")
    const said = typeof detail === "string" ? detail : error.message
    const todo = advice[codeOf(error)]
    return new CacheError({
      reason: reasonOf(error),
      operation,
      description: todo === undefined ? said : `${said} (${todo})`,
      // where those look who repeat a transaction: they know its SQLSTATE by `error.cause.code`
      cause: Object.assign(error, { code: codeOf(error) })
    })
  }

export const timedOut = () =>
  new CacheError({ reason: "Timeout", operation: "store", description: "the database did not answer in time" })

const noConnection = (store: string, description: string) =>
  new CacheError({ reason: "Timeout", operation: "store", description, cause: new NoFreeConnection({ store }) })

/** Not an outage: the server answers, but the program keeps all connections of its pool. */
export const noFreeConnection = () =>
  noConnection(
    "postgresql",
    "there was no free connection in the pool; the cache needs one more than the transactions that run at once"
  )

/** Not an outage: a transaction of the program has the client's only connection. */
export const noTurn = () =>
  noConnection("sqlite", "a transaction of this program kept the only connection for too long")

export const closed = () =>
  new CacheError({ reason: "Unavailable", operation: "store", description: "the layer of this cache is closed" })
