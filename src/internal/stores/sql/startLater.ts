/** How a store starts, as the option `onStart` says: its database need not be there when the layer is built. */
import type { SqlError } from "@effect/sql/SqlError"
import { Effect, Exit, Scope } from "effect"
import { CacheError } from "../../../CacheError.js"
import { backgroundSleep } from "../../runtime/eventLoop.js"
import type { Warnings } from "../../telemetry/warnings.js"
import type { FusedByteStore } from "../Store.js"
import { fromSqlError } from "./errors.js"
import type { SqlStoreOptions } from "./options.js"

const retryAfter = "1 second"

const notStarted = (error: CacheError | SqlError): CacheError => {
  const cause = error._tag === "SqlError" ? fromSqlError("layer")(error) : error
  return new CacheError({
    reason: "Unavailable",
    operation: "store",
    description: `the store could not be started yet: ${cause.description}`,
    cause
  })
}

const isOption = (error: CacheError | SqlError): boolean =>
  error._tag === "CacheError" && error.reason === "InvalidOption"

/** Until the store has started, every operation fails at once. */
const until = (name: string, started: () => FusedByteStore | undefined, error: () => CacheError): FusedByteStore => {
  const on = <A>(use: (store: FusedByteStore) => Effect.Effect<A, CacheError>): Effect.Effect<A, CacheError> =>
    Effect.suspend(() => {
      const store = started()
      return store === undefined ? Effect.fail(error()) : use(store)
    })
  return {
    name,
    // before the start as well: inside a transaction the failure is the caller's, and no queue replays it before the commit
    joinsTransaction: (fiber) => started()?.joinsTransaction?.(fiber) ?? true,
    read: (fiber, keys, onFound, onFailure) => {
      const store = started()
      return store === undefined ? onFailure(error()) : store.read(fiber, keys, onFound, onFailure)
    },
    write: (fiber, items, onWritten, onFailure) => {
      const store = started()
      return store === undefined ? onFailure(error()) : store.write(fiber, items, onWritten, onFailure)
    },
    add: (key, record) => on((store) => store.add(key, record)),
    replace: (key, token, record) => on((store) => store.replace(key, token, record)),
    amend: (key, token, record) =>
      on((store) => store.amend?.(key, token, record) ?? store.replace(key, token, record)),
    remove: (keys) => on((store) => store.remove(keys)),
    clear: on((store) => store.clear),
    size: on((store) => store.size ?? Effect.fail(error()))
  }
}

/** The started store, or one that starts in the background and fails with `Unavailable` until it has. */
const startLater = <R>(
  name: string,
  start: Effect.Effect<FusedByteStore, CacheError | SqlError, R>,
  warnings: Warnings
): Effect.Effect<FusedByteStore, CacheError | SqlError, R | Scope.Scope> =>
  Effect.gen(function* () {
    const lifetime = yield* Effect.scope
    // what a failed attempt has acquired goes with it
    const attempt = Effect.uninterruptibleMask((restore) =>
      Effect.gen(function* () {
        const own = yield* Scope.fork(lifetime, lifetime.strategy)
        const exit = yield* Effect.exit(restore(Effect.provideService(start, Scope.Scope, own)))
        if (Exit.isFailure(exit)) yield* Scope.close(own, exit)
        return yield* exit
      })
    )
    const first = yield* Effect.either(attempt)
    if (first._tag === "Right") return first.right
    if (isOption(first.left)) return yield* first.left
    let started: FusedByteStore | undefined
    let failure = notStarted(first.left)

    const tell = Effect.suspend(() =>
      warnings.warn(
        "start",
        () => `Cache store ${name} is not there yet; calls go on without it until it is: ${failure.description}`
      )
    )
    const retry: Effect.Effect<void, never, R> = Effect.flatMap(
      Effect.either(Effect.zipRight(backgroundSleep(retryAfter), attempt)),
      (result) => {
        if (result._tag === "Right") {
          started = result.right
          return Effect.logInfo(`Cache store ${name} has started`)
        }
        failure = notStarted(result.left)
        return Effect.zipRight(tell, retry)
      }
    )
    yield* tell
    yield* Effect.forkScoped(retry)
    return until(
      name,
      () => started,
      () => failure
    )
  })

export const startAs = <R>(
  onStart: SqlStoreOptions["onStart"],
  name: string,
  start: Effect.Effect<FusedByteStore, CacheError | SqlError, R>,
  warnings: Warnings
): Effect.Effect<FusedByteStore, CacheError | SqlError, R | Scope.Scope> =>
  onStart === "retry" ? startLater(name, start, warnings) : start
