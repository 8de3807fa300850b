/** The pool of the program's client, which the cache shares: how large it is, and whether it or the server has no connection. */
import { connect } from "node:net"
import type { SqlClient } from "@effect/sql/SqlClient"
import { Effect } from "effect"
import type { CacheError } from "../../../CacheError.js"
import type { Warnings } from "../../telemetry/warnings.js"
import { noFreeConnection, timedOut } from "../sql/errors.js"
import { wallClock } from "../sql/wallClock.js"

/** What `@effect/sql-pg` knows of its server. */
const configOf = (sql: SqlClient, name: string): unknown => {
  const config: unknown = Reflect.get(sql, "config")
  return typeof config === "object" && config !== null ? Reflect.get(config, name) : undefined
}

const text = (value: unknown): string | undefined => (typeof value === "string" && value !== "" ? value : undefined)

const addressOf = (sql: SqlClient) => {
  const host = text(configOf(sql, "host")) ?? text(process.env["PGHOST"]) ?? "localhost"
  const port = Number(configOf(sql, "port") ?? text(process.env["PGPORT"]) ?? 5432)
  return host.startsWith("/") ? { path: `${host}/.s.PGSQL.${port}` } : { host, port }
}

/** Length and code of `SSLRequest`, which a server answers by one byte before it asks who is there. */
const sslRequest = Uint8Array.of(0, 0, 0, 8, 4, 210, 22, 47)

/** A frozen server lets a client connect and stays silent, so it is asked for a word. */
const answers = (sql: SqlClient): Effect.Effect<boolean> =>
  Effect.async<boolean>((resume) => {
    const socket = connect(addressOf(sql))
    const end = (answered: boolean) => {
      socket.destroy()
      resume(Effect.succeed(answered))
    }
    socket.once("connect", () => socket.write(sslRequest))
    socket.once("data", () => end(true))
    socket.once("error", () => end(false))
    socket.once("close", () => end(false))
    return Effect.sync(() => socket.destroy())
  }).pipe(Effect.timeoutTo({ duration: "1 second", onSuccess: (answered) => answered, onTimeout: () => false }))

const advice = "Give the pool one connection more than transactions run at once"

/** Why a statement has waited in vain for a connection: all of the pool are in use, or the server gives no new one. */
export const noConnection = (sql: SqlClient, warnings: Warnings): Effect.Effect<CacheError> => {
  // over a stream of the user's own, the address says nothing
  if (configOf(sql, "stream") !== undefined) return Effect.sync(timedOut)
  return Effect.flatMap(Effect.withClock(answers(sql), wallClock), (answered) =>
    answered
      ? Effect.as(
          warnings.warn(
            "no free connection",
            () =>
              "Cache store postgresql waited for a connection in vain: the program holds all of its pool. " +
              `Leases can't be renewed meanwhile, so other processes compute as well. ${advice}.`
          ),
          noFreeConnection()
        )
      : Effect.sync(timedOut)
  )
}

export const adviseSecondConnection = (sql: SqlClient, warnings: Warnings): Effect.Effect<void> =>
  configOf(sql, "maxConnections") === 1
    ? warnings.warn(
        "pool of one",
        () =>
          "Cache store postgresql has a pool of one connection (maxConnections: 1). While a transaction holds it, " +
          `the cache waits, and the lease of a computation can't be renewed. ${advice}.`
      )
    : Effect.void
