/**
 * The six primitives on memcached, and who calls whom below them:
 *
 *     MemcachedStore                             the primitives, their errors and failover
 *       ├── settings, errors
 *       ▼
 *     read  write  compareAndSet  remove  clear  one primitive each: which servers, in which order
 *       ▼
 *     client/                                    servers: ring, pool, connections, pipelines
 *       ▼
 *     commands/                                  one operation on one server: its requests, the meaning of their answers
 *       ▼
 *     generation/    protocol/                   what clears a namespace; the bytes of the binary protocol, and memjs
 *
 * No arrow runs back up.
 */
import { Effect, type Scope } from "effect"
import { CacheError } from "../../../CacheError.js"
import type { RejectedItem } from "../../../CacheStore.js"
import { forkFromCallbacks } from "../../runtime/fork.js"
import { Warnings } from "../../telemetry/warnings.js"
import type { FusedByteStore } from "../Store.js"
import { clear } from "./clear.js"
import type { LogLevel } from "./client/Connection.js"
import { Pool } from "./client/Pool.js"
import type { PoolSettings } from "./client/PoolSettings.js"
import { Refusal, storeName } from "./client/Refusal.js"
import { isLoopback } from "./client/tls.js"
import type { Problem } from "./commands/Problem.js"
import { sameToken } from "./commands/Token.js"
import { add, replace } from "./compareAndSet.js"
import { cacheError, invalidKey, type Operation } from "./errors.js"
import { isKey } from "./protocol/request.js"
import { fusedRead, readWithStandIns } from "./read.js"
import { remove } from "./remove.js"
import { type MemcachedOptions, poolSettings } from "./settings.js"
import { fusedWrite } from "./write.js"

/** Runs an operation on the keys, none of which may harm the connection. */
const checked = <A>(
  pool: Pool,
  operation: Operation,
  keys: ReadonlyArray<string>,
  run: Effect.Effect<A, CacheError>
): Effect.Effect<A, CacheError> => {
  const bad = keys.find((key) => !isKey(key))
  if (bad !== undefined) return Effect.fail(invalidKey(operation, bad))
  return pool.settings.failover ? againElsewhere(pool, keys, run) : run
}

/**
 * Runs the operation again when a server went down under it and another one stands in now. Not on the same server, where it may
 * have happened already.
 */
const againElsewhere = <A>(
  pool: Pool,
  keys: ReadonlyArray<string>,
  run: Effect.Effect<A, CacheError>
): Effect.Effect<A, CacheError> =>
  Effect.suspend(() => {
    const asked = keys.map((key) => pool.route(key).server)
    const hasMoved = () => keys.some((key, index) => pool.route(key).server !== asked[index])
    return Effect.catchIf(
      run,
      ({ reason }) => reason === "Unavailable" && hasMoved(),
      () => run
    )
  })

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

const readError = (problem: Problem): CacheError => cacheError("read", problem)
const writeError = (problem: Problem, key?: string): CacheError => cacheError("write", problem, key)

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
  read: (_fiber, keys, onFound, onFailure) => {
    if (keys.length === 0) return onFound([])
    if (!pool.settings.failover && keys.every(isKey)) {
      return fusedRead(pool, keys, onFound, (problem) => onFailure(readError(problem)))
    }
    const reading = checked(pool, "read", keys, Effect.mapError(readWithStandIns(pool, keys), readError))
    return Effect.matchEffect(reading, { onFailure, onSuccess: onFound })
  },
  write: (_fiber, items, onWritten, onFailure) => {
    if (items.length === 0) return onWritten([])
    if (!pool.settings.failover && items.every(({ key }) => isKey(key))) {
      return fusedWrite(pool, items, writeError, onWritten, onFailure)
    }
    const keys = items.map(({ key }) => key)
    const writing = Effect.suspend(() =>
      fusedWrite<ReadonlyArray<RejectedItem>, CacheError, never>(pool, items, writeError, Effect.succeed, Effect.fail)
    )
    return Effect.matchEffect(checked(pool, "write", keys, writing), { onFailure, onSuccess: onWritten })
  },
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
