/** A store whose errors name no key: for layers with `redactKeys`. The caller adds the key as it is shown. */
import { Effect } from "effect"
import { CacheError } from "../../CacheError.js"
import { withoutStoredKeys } from "../keys/redact.js"
import { amendThrough, identityOf, type Store } from "../stores/Store.js"
import { withoutMessage } from "../values/withoutMessage.js"
import { CircuitOpen, NoFreeConnection, PartialOutage } from "./outage.js"

/** The causes that the breaker and the logs recognise; of any other the kind and the code. */
const withoutText = (cause: unknown): unknown => {
  if (cause instanceof CircuitOpen) return new CircuitOpen({ store: cause.store })
  if (cause instanceof PartialOutage) return new PartialOutage({ store: cause.store })
  if (cause instanceof NoFreeConnection) return new NoFreeConnection({ store: cause.store })
  return cause === undefined ? undefined : withoutMessage(cause)
}

/** A driver, or a trigger of the database, may quote keys in its message. */
const redacted = ({ cause, description, operation, reason }: CacheError): CacheError =>
  new CacheError({ reason, operation, description: withoutStoredKeys(description), cause: withoutText(cause) })

const hiding = <A>(operation: Effect.Effect<A, CacheError>) => Effect.mapError(operation, redacted)

export const withoutKeys = (store: Store): Store => {
  return {
    ...identityOf(store),
    read: (fiber, keys, onFound, onFailure) => store.read(fiber, keys, onFound, (error) => onFailure(redacted(error))),
    write: (fiber, items, onWritten, onFailure) =>
      store.write(
        fiber,
        items,
        (rejected) => onWritten(rejected.map(({ key, error }) => ({ key, error: redacted(error) }))),
        (error) => onFailure(redacted(error))
      ),
    add: (key, entry) => hiding(store.add(key, entry)),
    replace: (key, token, entry) => hiding(store.replace(key, token, entry)),
    ...amendThrough(store, hiding),
    remove: (keys) => hiding(store.remove(keys)),
    clear: hiding(store.clear),
    ...(store.size === undefined ? {} : { size: hiding(store.size) })
  }
}
