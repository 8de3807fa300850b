/**
 * A store that refuses every operation once its layer has closed, whatever the driver behind it does then: fail, wait or hang. What
 * the end of the driver makes fail is no outage: the error says that the layer is closed.
 */
import { Effect } from "effect"
import { CacheError } from "../../CacheError.js"
import { amendThrough, type Fused, identityOf, type Store } from "../stores/Store.js"
import { LayerClosed } from "./outage.js"

export interface Closable {
  readonly store: Store
  /** For the end of the layer. */
  readonly close: Effect.Effect<void>
}

/** @param cache the name of the cache, if it is one of several */
export const closable = (store: Store, cache?: string): Closable => {
  const { size } = store
  let closed: CacheError | undefined

  const fused =
    <Request, Answer>(operation: Fused<Request, Answer>): Fused<Request, Answer> =>
    (fiber, requests, onAnswer, onFailure) =>
      closed === undefined
        ? operation(fiber, requests, onAnswer, (error) => onFailure(closed ?? error))
        : onFailure(closed)

  const guarded = <A>(operation: () => Effect.Effect<A, CacheError>): Effect.Effect<A, CacheError> =>
    Effect.suspend(() => closed ?? Effect.mapError(operation(), (error) => closed ?? error))

  return {
    store: {
      ...identityOf(store),
      ...(cache === undefined ? {} : { cache }),
      read: fused(store.read),
      write: fused(store.write),
      add: (key, entry) => guarded(() => store.add(key, entry)),
      replace: (key, token, entry) => guarded(() => store.replace(key, token, entry)),
      ...amendThrough(store, (amended) => guarded(() => amended)),
      remove: (keys) => guarded(() => store.remove(keys)),
      clear: guarded(() => store.clear),
      ...(size === undefined ? {} : { size: guarded(() => size) })
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
