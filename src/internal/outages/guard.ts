/**
 * The store as the engine asks it: every operation first passes the end of the layer and the circuit breaker. Once the layer has
 * closed all are refused, whatever the driver behind it does then: fail, wait or hang. What the end of the driver makes fail is no
 * outage: the error says that the layer is closed.
 */
import { Effect } from "effect"
import { CacheError } from "../../CacheError.js"
import { type CallingFiber, withFiber } from "../runtime/fiber.js"
import { amendThrough, identityOf, type Store } from "../stores/Store.js"
import type { Breaker } from "./circuitBreaker.js"
import { LayerClosed } from "./outage.js"
import type { Kind } from "./Streaks.js"

export interface Guarded {
  readonly store: Store
  /** For the end of the layer. */
  readonly close: Effect.Effect<void>
}

/**
 * @param breaker `undefined` where the store has none
 * @param cache the name of the cache, if it is one of several
 */
export const guard = (store: Store, breaker: Breaker | undefined, cache?: string): Guarded => {
  const { size } = store
  let closed: CacheError | undefined

  /** Why the store is not asked. */
  const refusal = (fiber: CallingFiber, kind: Kind, needed?: ReadonlyArray<string>): CacheError | undefined =>
    closed ?? breaker?.refusal(fiber, kind, needed)

  const failed = <A, E, R>(
    fiber: CallingFiber,
    kind: Kind,
    key: string | undefined,
    error: CacheError,
    onFailure: (error: CacheError) => Effect.Effect<A, E, R>
  ): Effect.Effect<A, E, R> =>
    closed === undefined && breaker !== undefined
      ? breaker.failed(fiber, kind, key, error, onFailure)
      : onFailure(closed ?? error)

  const guarded = <A>(
    kind: Kind,
    key: string | undefined,
    needed: ReadonlyArray<string> | undefined,
    operation: () => Effect.Effect<A, CacheError>,
    afterFailure: (fiber: CallingFiber, error: CacheError) => Effect.Effect<A, CacheError> = (_, error) =>
      Effect.fail(error)
  ): Effect.Effect<A, CacheError> =>
    withFiber((fiber) => {
      const onFailure = (error: CacheError) => afterFailure(fiber, error)
      const refused = refusal(fiber, kind, needed)
      if (refused !== undefined) return onFailure(refused)
      return Effect.matchEffect(operation(), {
        onFailure: (error) => failed(fiber, kind, key, error, onFailure),
        onSuccess: (value) => {
          breaker?.succeeded(fiber, kind)
          return Effect.succeed(value)
        }
      })
    })

  /** An invalidation. Where the breaker has queued it, it succeeds with `instead`. */
  const invalidating = <A>(
    keys: ReadonlyArray<string> | "all",
    operation: () => Effect.Effect<A, CacheError>,
    instead: A
  ): Effect.Effect<A, CacheError> =>
    guarded("remove", keys === "all" ? undefined : keys[0], undefined, operation, (fiber, error) =>
      closed === undefined && breaker?.queues(fiber, keys, error) === true
        ? Effect.succeed(instead)
        : Effect.fail(error)
    )

  return {
    store: {
      ...identityOf(store),
      ...(cache === undefined ? {} : { cache }),
      ...(breaker?.tellReplayed === undefined ? {} : { tellReplayed: breaker.tellReplayed }),
      read: (fiber, keys, onFound, onFailure) => {
        const refused = refusal(fiber, "read", keys)
        if (refused !== undefined) return onFailure(refused)
        return store.read(
          fiber,
          keys,
          (found) => {
            breaker?.succeeded(fiber, "read")
            return onFound(found)
          },
          (error) => failed(fiber, "read", keys[0], error, onFailure)
        )
      },
      write: (fiber, items, onWritten, onFailure) => {
        const refused = refusal(fiber, "write")
        if (refused !== undefined) return onFailure(refused)
        // What waits for the answer keeps keys and no entries: V8 may have moved it to the old space.
        const keys = items.map(({ key }) => key)
        return store.write(
          fiber,
          items,
          (rejected) => {
            // If some were written, those that were not are at fault themselves.
            const error = rejected.length === keys.length ? rejected[0]?.error : undefined
            if (error !== undefined) {
              return failed(fiber, "write", keys[0], error, () => onWritten(rejected))
            }
            breaker?.written(fiber, keys, rejected)
            return onWritten(rejected)
          },
          (error) => failed(fiber, "write", keys[0], error, onFailure)
        )
      },
      add: (key, entry) => guarded("write", key, undefined, () => store.add(key, entry)),
      replace: (key, token, entry) => guarded("write", key, [key], () => store.replace(key, token, entry)),
      ...amendThrough(store, (amended, key) => guarded("write", key, [key], () => amended)),
      remove: (keys) => invalidating(keys, () => store.remove(keys), 0),
      clear: invalidating("all", () => store.clear, undefined),
      ...(size === undefined
        ? {}
        : { size: Effect.suspend(() => closed ?? Effect.mapError(size, (error) => closed ?? error)) })
    },
    close: Effect.sync(() => {
      closed = new CacheError({
        reason: "Unavailable",
        operation: "layer",
        description: "the layer of the cache is closed",
        cause: new LayerClosed({ store: store.name })
      })
    })
  }
}
