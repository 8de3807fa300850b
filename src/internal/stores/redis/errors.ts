/** What goes wrong on Redis, as a `CacheError`. */
import { CacheError, type CacheErrorReason } from "../../../CacheError.js"

export type Operation = "connect" | "read" | "write" | "add" | "replace" | "amend" | "remove" | "clear"

/** An answer of the server begins with its code, such as `OOM` or `READONLY`. */
const codePattern = /^([A-Z][A-Z0-9_]+) /

export const replyCode = (cause: unknown): string | undefined =>
  cause instanceof Error ? codePattern.exec(cause.message)?.[1] : undefined

/** The server answers, but not for us or not now: no operation would succeed. */
const unavailable: ReadonlySet<string> = new Set([
  "BUSY",
  "CLUSTERDOWN",
  "LOADING",
  "MASTERDOWN",
  "NOAUTH",
  "NOREPLICAS",
  "READONLY",
  "TRYAGAIN",
  "UNKILLABLE",
  "WRONGPASS"
])

/** Whether to try again later is without hope: somebody has to change the settings. */
export const isRefusal = (cause: unknown): boolean => {
  const code = replyCode(cause)
  return code === "WRONGPASS" || code === "NOAUTH" || code === "NOPERM" || code === "ERR"
}

const reasonOf = (cause: unknown): CacheErrorReason => {
  const code = replyCode(cause)
  return code === undefined || unavailable.has(code) ? "Unavailable" : "StoreFailed"
}

export const cacheError = (operation: Operation, cause: unknown, key?: string): CacheError =>
  new CacheError({
    reason: reasonOf(cause),
    operation,
    key,
    description: `Redis: ${cause instanceof Error ? cause.message : String(cause)}`,
    cause
  })
