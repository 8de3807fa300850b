/**
 * The client of `@libsql/client` under that of `@effect/sql-libsql`. The cache uses it directly, because of what that driver
 * does with `SQLITE_BUSY` (tursodatabase/libsql-client-ts, issue 352): a statement that met it stays in progress until it is
 * garbage-collected. Meanwhile nothing that the connection writes is committed, and its reads are out of date. Only
 * `executeMultiple` ends its statements. The driver does all its work on a file before it returns a promise, so nothing comes
 * between two calls in a row.
 */
import type { SqlClient } from "@effect/sql/SqlClient"
import { Effect } from "effect"
import { CacheError } from "../../../../CacheError.js"

export interface Driver {
  /** `file`, or that of a server. */
  readonly protocol: string
  readonly executeMultiple: (sql: string) => Promise<void>
  readonly execute: (statement: {
    readonly sql: string
    readonly args: ReadonlyArray<string>
  }) => Promise<{ readonly rows: ReadonlyArray<unknown> }>
  /** Takes the connection away from the client, which opens another. */
  readonly transaction: (mode: "deferred" | "write") => Promise<{ readonly rollback: () => Promise<void> }>
}

const isDriver = (value: unknown): value is Driver =>
  typeof value === "object" &&
  value !== null &&
  typeof Reflect.get(value, "protocol") === "string" &&
  ["execute", "executeMultiple", "transaction"].every((name) => typeof Reflect.get(value, name) === "function")

const refused = (description: string) =>
  Effect.fail(new CacheError({ reason: "InvalidOption", operation: "layer", description }))

/** Fails with `InvalidOption` unless the client works on a file. */
export const driverOf = (sql: SqlClient): Effect.Effect<Driver, CacheError> => {
  const driver: unknown = Reflect.get(sql, "sdk")
  if (!isDriver(driver))
    return refused("on SQLite, the SQL backend needs the SqlClient of @effect/sql-sqlite-node or of @effect/sql-libsql")
  if (driver.protocol !== "file") {
    return refused(`on SQLite, the SQL backend needs a file, not a server that is spoken to over ${driver.protocol}`)
  }
  const config: unknown = Reflect.get(sql, "config")
  if (typeof config === "object" && config !== null && Reflect.get(config, "syncUrl") !== undefined) {
    return refused("on SQLite, the SQL backend needs the file itself, not a replica of it, whose reads may be old")
  }
  return Effect.succeed(driver)
}
