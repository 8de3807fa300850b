/** A store whose errors name no key: for layers with `redactKeys`. The caller adds the key as it is shown. */
import { Effect } from "effect"
import { CacheError } from "../../CacheError.js"
import type { Store } from "../stores/Store.js"
import { withoutMessage } from "../values/withoutMessage.js"
import { CircuitOpen, NoFreeConnection, PartialOutage } from "./outage.js"

/** The causes that the breaker and the logs recognise; of any other the kind and the code. */
const withoutText = (cause: unknown): unknown => {
  if (cause instanceof CircuitOpen) return new CircuitOpen({ store: cause.store })
  if (cause instanceof PartialOutage) return new PartialOutage({ store: cause.store })
  if (cause instanceof NoFreeConnection) return new NoFreeConnection({ store: cause.store })
  return cause === undefined ? undefined : withoutMessage(cause)
}

/** A driver of a third party may quote a key in its description. */
const redacted = ({ cause, description, operation, reason }: CacheError, keys: ReadonlyArray<string>): CacheError =>
  new CacheError({
    reason,
    operation,
    description: keys.reduce((text, key) => text.replaceAll(key, "…"), description),
    cause: withoutText(cause)
  })

export const withoutKeys = (store: Store): Store => {
  const hiding = <A>(keys: ReadonlyArray<string>, operation: Effect.Effect<A, CacheError>) =>
    Effect.mapError(operation, (error) => redacted(error, keys))
  // Each member by name: a spread would lose the methods of a class.
  return {
    name: store.name,
    location: store.location,
    payloads: store.payloads,
    local: store.local,
    joinsTransaction: store.joinsTransaction,
    read: (fiber, keys, onFound, onFailure) =>
      store.read(fiber, keys, onFound, (error) => onFailure(redacted(error, keys))),
    write: (fiber, items, onWritten, onFailure) => {
      const keys = () => items.map(({ key }) => key)
      return store.write(
        fiber,
        items,
        (rejected) => onWritten(rejected.map(({ key, error }) => ({ key, error: redacted(error, [key]) }))),
        (error) => onFailure(redacted(error, keys()))
      )
    },
    add: (key, entry) => hiding([key], store.add(key, entry)),
    replace: (key, token, entry) => hiding([key], store.replace(key, token, entry)),
    remove: (keys) => hiding(keys, store.remove(keys)),
    clear: hiding([], store.clear),
    ...(store.size === undefined ? {} : { size: hiding([], store.size) })
  }
}
