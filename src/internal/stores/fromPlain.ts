/** A store of a third party, six plain primitives, as the engine sees stores. */
import { Effect } from "effect"
import type { CacheStore } from "../../CacheStore.js"
import type { Store } from "./Store.js"

/** Names each member: of a class, a spread would lose the getters and methods, and a bare reference the `this`. */
export const fromPlain = (store: CacheStore): Store => ({
  name: store.name,
  location: store.location,
  payloads: store.payloads,
  local: undefined,
  read: (_fiber, keys, onFound, onFailure) => Effect.matchEffect(store.read(keys), { onFailure, onSuccess: onFound }),
  write: (items) => store.write(items),
  add: (key, entry) => store.add(key, entry),
  replace: (key, token, entry) => store.replace(key, token, entry),
  remove: (keys) => store.remove(keys),
  clear: store.clear,
  ...(store.size === undefined ? {} : { size: store.size })
})
