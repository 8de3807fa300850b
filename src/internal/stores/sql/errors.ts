/** What a failed statement means for the cache. */
import type { SqlError } from "@effect/sql/SqlError"
import { CacheError, type CacheErrorReason } from "../../../CacheError.js"
import { reasonOfSqlite } from "../sqlite/errors.js"

// 54 program limit exceeded, 53200 out of memory, 53400 configuration limit exceeded
const tooLarge = /^(54...|53200|53400)$/
// 08 connection, 57P0 shutdown, 53300 too many connections, 25P03 and 25P04 session ended for idling
const unavailable = /^(08...|57P0.|53300|25P0[34])$/
// 57014 statement cancelled, 55P03 lock not available
const timeout = /^(57014|55P03)$/

/** Messages of drivers whose errors carry no code. */
const unavailableMessage =
  /connection terminated|connection error|not queryable|failed to acquire connection|client was closed|pool after calling end/i
// Node's own limits on strings and buffers, which a statement has to pass before it reaches the server
const tooLargeMessage = /invalid (memory alloc request|string length|buffer)|string longer than|too big/i

const property = (value: unknown, name: string): unknown =>
  typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined

/** The SQLSTATE of a `SqlError`, or SQLite's name for what happened, or empty. */
export const codeOf = (error: unknown): string => String(property(property(error, "cause"), "code") ?? "")

const reasonOf = (error: SqlError): CacheErrorReason => {
  const code = property(error.cause, "code")
  const message = `${error.message} ${String(property(error.cause, "message"))}`
  if (typeof code === "string") {
    const sqlite = reasonOfSqlite(code)
    if (sqlite !== undefined) return sqlite
    if (tooLarge.test(code) || code === "ERR_STRING_TOO_LONG") return "TooLarge"
    if (unavailable.test(code) || /^E[A-Z]+$/.test(code)) return "Unavailable"
    if (timeout.test(code)) return "Timeout"
    // PostgreSQL reports a value over 1 GB as an internal error
    if (code === "XX000" && tooLargeMessage.test(message)) return "TooLarge"
    if (/^[0-9A-Z]{5}$/.test(code)) return "StoreFailed"
  }
  if (tooLargeMessage.test(message)) return "TooLarge"
  return unavailableMessage.test(message) ? "Unavailable" : "StoreFailed"
}

export const fromSqlError =
  (operation: string, key?: string) =>
  (error: SqlError): CacheError => {
    const detail = property(error.cause, "message")
    return new CacheError({
      reason: reasonOf(error),
      operation,
      description: typeof detail === "string" ? detail : error.message,
      key,
      cause: error
    })
  }
