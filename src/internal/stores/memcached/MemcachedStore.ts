/**
 * The six primitives on memcached.
 *
 * @since 0.1.0
 */
import { Effect, Either, Option, Runtime, type Scope } from "effect"
import type { ByteItem, ByteRecord, StoredBytes } from "../../../ByteStore.js"
import { CacheError } from "../../../CacheError.js"
import { CircuitOpen } from "../../outages/outage.js"
import type { LegacyByteStore, Reading, Writing } from "../legacy.js"
import { clearAll } from "./clear.js"
import { exchange, exchangeUnderGeneration, standIn } from "./client/exchange.js"
import { Pool, type Route } from "./client/Pool.js"
import { isKey } from "./client/protocol.js"
import { split } from "./client/split.js"
import { AddCall } from "./commands/AddCommand.js"
import type { Problem } from "./commands/Command.js"
import { DiscardCall } from "./commands/DiscardCommand.js"
import { RemoveCall } from "./commands/RemoveCommand.js"
import { ReplaceCall } from "./commands/ReplaceCommand.js"
import { askOne, readMany } from "./read.js"
import { type MemcachedOptions, poolSettings } from "./settings.js"
import { Token } from "./Token.js"
import { writeMany } from "./write.js"

type Operation = "read" | "write" | "add" | "replace" | "remove" | "clear"

const refusals = new WeakMap<Problem, CacheError>()

/** One error for all calls: it takes its stack each time it is made, which costs more than the call that is refused. */
const refused = (refusal: Problem): CacheError => {
  const known = refusals.get(refusal)
  if (known !== undefined) return known
  const { cause, message: description, reason } = refusal
  const made = new CacheError({ reason, operation: "connect", description, cause })
  refusals.set(refusal, made)
  return made
}

const cacheError = (operation: Operation, problem: Problem, key?: string): CacheError =>
  problem.cause instanceof CircuitOpen
    ? refused(problem)
    : new CacheError({ reason: problem.reason, operation, description: problem.message, key, cause: problem.cause })

const invalidKey = (operation: Operation, key: string): CacheError =>
  new CacheError({
    reason: "InvalidKey",
    operation,
    key,
    description: "a key for memcached has 1 to 250 bytes of printable ASCII"
  })

/** Runs an operation on the keys, none of which may harm the connection. */
const checked = <A>(
  pool: Pool,
  operation: Operation,
  keys: ReadonlyArray<string>,
  run: Effect.Effect<A, Problem>
): Effect.Effect<A, CacheError> =>
  Effect.suspend(() => {
    const bad = keys.find((key) => !isKey(key))
    if (bad !== undefined) return Effect.fail(invalidKey(operation, bad))
    const key = keys.length === 1 ? keys[0] : undefined
    const failingOver = pool.settings.failover ? againElsewhere(pool, keys, run) : run
    return Effect.mapError(failingOver, (problem) => cacheError(operation, problem, key))
  })

/**
 * Runs the operation again when a server went down under it and another one stands in now. Not on the same server, where
 * it may have happened already.
 */
const againElsewhere = <A>(
  pool: Pool,
  keys: ReadonlyArray<string>,
  run: Effect.Effect<A, Problem>
): Effect.Effect<A, Problem> => {
  const asked = keys.map((key) => pool.route(key).holder)
  const moved = () => keys.some((key, index) => pool.route(key).holder !== asked[index])
  return Effect.catchIf(
    run,
    (problem) => problem.reason === "Unavailable" && moved(),
    () => run
  )
}

const add = (pool: Pool, key: string, record: ByteRecord): Effect.Effect<Option.Option<Token>, Problem> =>
  Effect.suspend(() => {
    const route = pool.route(key)
    const outcome = exchangeUnderGeneration(
      route,
      (listener: ConstructorParameters<typeof AddCall>[4]) =>
        new AddCall(route.home, route.holder.index, key, record, listener)
    )
    return Effect.flatMap(outcome, (result) => {
      if (result._tag === "added") return Effect.succeed(Option.some(result.token))
      if (result._tag === "taken") return Effect.succeed(Option.none())
      // Another caller was there in the meantime; whether what it left lives is to be seen.
      if (result._tag === "unknown") return add(pool, key, record)
      const over = exchange<Option.Option<Token>>(
        route,
        (listener) => new ReplaceCall(route.home, key, result.over, result.generation, record, listener)
      )
      return Effect.flatMap(over, (token) => (Option.isSome(token) ? Effect.succeed(token) : add(pool, key, record)))
    })
  })

const discard = (route: Route, key: string, token: Token): Effect.Effect<void, Problem> =>
  exchange<void>(route, (listener) => new DiscardCall(route.home, key, token, listener))

const replace = (
  pool: Pool,
  key: string,
  token: unknown,
  record: ByteRecord
): Effect.Effect<Option.Option<Token>, Problem> =>
  Effect.suspend(() => {
    const route = pool.route(key)
    // The record that was read is on a server that another one stands in for, or the other way round.
    if (!(token instanceof Token) || token.server !== route.holder.index) return Effect.succeed(Option.none())
    const replaced = exchange<Option.Option<Token>>(
      route,
      (listener) => new ReplaceCall(route.home, key, token, token.generation, record, listener)
    )
    return Effect.catchIf(
      replaced,
      (problem) => problem.reason === "TooLarge",
      (problem) => Effect.zipRight(Effect.ignore(discard(route, key, token)), Effect.fail(problem))
    )
  })

const remove = (pool: Pool, keys: ReadonlyArray<string>): Effect.Effect<number, Problem> =>
  Effect.suspend(() => {
    const parts = split(pool, keys, (key) => key)
    const removals = parts.map(({ elements, route }) =>
      Effect.zipRight(
        standIn(route),
        exchange<number>(route, (listener) => new RemoveCall(route.home, elements, listener))
      )
    )
    if (removals.length === 1 && removals[0] !== undefined) return removals[0]
    // Every server gets its deletions, also when another one fails.
    return Effect.flatMap(Effect.all(removals.map(Effect.either), { concurrency: "unbounded" }), (results) =>
      Effect.map(Either.all(results), (counts) => counts.reduce((sum, count) => sum + count, 0))
    )
  })

/**
 * The connections to the servers, which live as long as the scope. They are made in the background: this does not wait
 * for a server and does not fail without one.
 */
export const connect = (options: MemcachedOptions, namespace: string): Effect.Effect<Pool, CacheError, Scope.Scope> =>
  Effect.gen(function* () {
    const settings = yield* poolSettings(options, namespace)
    const runtime = yield* Effect.runtime<never>()
    const log = { Debug: Effect.logDebug, Info: Effect.logInfo, Warning: Effect.logWarning }
    return yield* Effect.acquireRelease(
      Effect.sync(() => new Pool(settings, (level, message) => Runtime.runFork(runtime)(log[level](message)))),
      (pool) => Effect.sync(() => pool.close())
    )
  })

/**
 * The store over the connections.
 *
 * - `read`, `remove`, `write`: 1 round trip, to all servers concerned at once
 * - `add`: 1, or 2 where a dead record stands; `replace`: 1; `clear`: 1
 *
 * The first write to a server, and the first after its generation record was evicted, takes one more.
 */
export const over = (pool: Pool): LegacyByteStore => {
  const read = (keys: ReadonlyArray<string>): Reading<StoredBytes> =>
    keys.length === 0 ? Effect.succeed([]) : checked(pool, "read", keys, readMany(pool, keys))
  const writeError = (key: string, problem: Problem) => cacheError("write", problem, key)
  const readError = (problem: Problem) => cacheError("read", problem)
  const write = (items: ReadonlyArray<ByteItem>): Writing =>
    checked(
      pool,
      "write",
      items.map(({ key }) => key),
      writeMany(pool, items, writeError)
    )
  return {
    name: "memcached",
    read,
    unsafeAsk: (keys, asker) => {
      if (pool.settings.failover || !keys.every(isKey)) return read(keys)
      const instead = askOne(pool, keys, asker, readError)
      return instead === "several" ? read(keys) : instead
    },
    write,
    add: (key, record) => checked(pool, "add", [key], add(pool, key, record)),
    replace: (key, token, record) => checked(pool, "replace", [key], replace(pool, key, token, record)),
    remove: (keys) => (keys.length === 0 ? Effect.succeed(0) : checked(pool, "remove", keys, remove(pool, keys))),
    clear: checked(pool, "clear", [], clearAll(pool))
  }
}

/** A store with connections of its own. */
export const make = (
  options: MemcachedOptions,
  namespace: string
): Effect.Effect<LegacyByteStore, CacheError, Scope.Scope> => Effect.map(connect(options, namespace), over)
