/**
 * The six primitives on memcached, and who calls whom below them:
 *
 *     MemcachedStore                             the connections, and the primitives over them
 *       ├── settings, checked, errors            options; what all primitives do about keys, failover and errors
 *       ▼
 *     read  write  compareAndSet  remove  clear  one primitive each: which servers, in which order
 *       ▼
 *     client/                                    servers: ring, pool, connections, pipelines
 *       ▼
 *     commands/                                  one operation on one server: its requests, the meaning of their answers
 *       ▼
 *     generation     protocol/                   what clears a namespace; the bytes of the binary protocol, and memjs
 *
 * No arrow runs back up.
 */
import { Effect, type Scope } from "effect"
import { CacheError } from "../../../CacheError.js"
import { forkFromCallbacks } from "../../runtime/fork.js"
import { Warnings } from "../../telemetry/warnings.js"
import type { FusedByteStore } from "../Store.js"
import { checked } from "./checked.js"
import { clear } from "./clear.js"
import type { LogLevel } from "./client/Connection.js"
import { Pool } from "./client/Pool.js"
import type { PoolSettings } from "./client/PoolSettings.js"
import { Refusal, storeName } from "./client/Refusal.js"
import { isLoopback } from "./client/tls.js"
import { sameToken } from "./commands/item.js"
import type { Problem } from "./commands/Problem.js"
import { add, replace } from "./compareAndSet.js"
import { cacheError, type Operation } from "./errors.js"
import { readFrom } from "./read.js"
import { remove } from "./remove.js"
import { type MemcachedOptions, poolSettings } from "./settings.js"
import { writeTo } from "./write.js"

/** Fails if a server has answered, but can't keep what the cache promises. */
const refuseUnfit = ({ connections }: Pool): Effect.Effect<void, CacheError> =>
  Effect.suspend(() => {
    for (const { refusal } of connections) {
      if (!(refusal instanceof Refusal) || !refusal.isUnfit) continue
      const { cause, message: description } = refusal
      return Effect.fail(new CacheError({ reason: "StoreFailed", operation: "connect", description, cause }))
    }
    return Effect.void
  })

/** Waits until each server has answered or is known to be down, which takes two time-outs at most. */
const firstAttempts = ({ connections }: Pool): Effect.Effect<void> =>
  Effect.forEach(
    connections,
    (connection) => Effect.async<void>((resume) => connection.whenSettled(() => resume(Effect.void))),
    { concurrency: "unbounded", discard: true }
  )

/**
 * The connections to the servers, which live as long as the scope. This does not fail without a server, but it does if one is
 * there that can't be used.
 */
export const connect = (options: MemcachedOptions, namespace: string): Effect.Effect<Pool, CacheError, Scope.Scope> =>
  Effect.gen(function* () {
    const settings = yield* poolSettings(options, namespace)
    const fork = yield* forkFromCallbacks
    const warnings = new Warnings()
    const log: Record<LogLevel, (message: string) => Effect.Effect<void>> = {
      Debug: Effect.logDebug,
      Info: Effect.logInfo,
      // While a server is down each attempt to reach it warns: one line a minute reminds of it.
      Warning: (message) => warnings.warn(message, () => message)
    }
    yield* warnOfClearText(settings)
    const pool = yield* Effect.acquireRelease(
      Effect.sync(() => new Pool(settings, (level, message) => fork(log[level](message)))),
      (pool) => Effect.sync(() => pool.close())
    )
    yield* firstAttempts(pool)
    yield* refuseUnfit(pool)
    return pool
  })

/** Who listens on the way to a server outside of this machine reads the password. */
const warnOfClearText = ({ credentials, servers, tls }: PoolSettings): Effect.Effect<void> => {
  const far = credentials === undefined || tls !== undefined ? [] : servers.filter(({ host }) => !isLoopback(host))
  if (far.length === 0) return Effect.void
  const names = far.map(({ label }) => label).join(", ")
  return Effect.logWarning(
    `memcached: the user and the password are sent to ${names} in clear. Encrypt the connection with the option tls`
  )
}

const mapped = <A>(operation: Operation, key: string | undefined, run: Effect.Effect<A, Problem>) =>
  Effect.mapError(run, (problem) => cacheError(operation, problem, key))

/**
 * The store over the connections.
 *
 * - `read`, `remove`, `write`: 1 round trip, to all servers concerned at once
 * - `add`: 1, or 2 where a dead record stands; `replace`: 1; `clear`: 1
 *
 * The first write to a server, and the first after its generation's record was evicted, takes one more.
 */
export const over = (pool: Pool): FusedByteStore => ({
  name: storeName,
  joinsTransaction: () => false,
  sameToken,
  read: readFrom(pool),
  write: writeTo(pool),
  add: (key, record) => checked(pool, "add", [key], mapped("add", key, add(pool, key, record))),
  replace: (key, token, record) =>
    checked(pool, "replace", [key], mapped("replace", key, replace(pool, key, token, record))),
  remove: (keys) => {
    const key = keys.length === 1 ? keys[0] : undefined
    return keys.length === 0
      ? Effect.succeed(0)
      : checked(pool, "remove", keys, mapped("remove", key, remove(pool, keys)))
  },
  clear: mapped("clear", undefined, clear(pool))
})

/** A store with connections of its own. */
export const make = (
  options: MemcachedOptions,
  namespace: string
): Effect.Effect<FusedByteStore, CacheError, Scope.Scope> => Effect.map(connect(options, namespace), over)
