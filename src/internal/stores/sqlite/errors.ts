/** What SQLite's result codes, and those of `@libsql/client`, mean for the cache. */
import type { CacheErrorReason } from "../../../CacheError.js"

const tooLarge = /^SQLITE_(TOOBIG|NOMEM)/
// another connection holds the lock
const timeout = /^SQLITE_(BUSY|LOCKED)/
const unavailable = /^(SQLITE_(CANTOPEN|IOERR|PROTOCOL)|CLIENT_CLOSED$)/

/** Undefined where the code is none of these. */
export const reasonOfSqlite = (code: string): CacheErrorReason | undefined => {
  if (tooLarge.test(code)) return "TooLarge"
  if (timeout.test(code)) return "Timeout"
  if (unavailable.test(code)) return "Unavailable"
  return code.startsWith("SQLITE_") ? "StoreFailed" : undefined
}
