/** Makes a `Store` of a public `CacheStore`: the six plain primitives of a third party. */
import type { CacheStore } from "../../CacheStore.js"
import { fused } from "./fused.js"
import type { Store } from "./Store.js"

/** Calls each member by name: if the store is a class, a spread would lose its methods, and a bare reference their `this`. */
export const fromPlain = (store: CacheStore): Store => ({
  name: store.name,
  location: store.location,
  payloads: store.payloads,
  local: undefined,
  read: fused((keys) => store.read(keys)),
  write: fused((items) => store.write(items)),
  add: (key, entry) => store.add(key, entry),
  replace: (key, token, entry) => store.replace(key, token, entry),
  remove: (keys) => store.remove(keys),
  clear: store.clear,
  ...(store.size === undefined ? {} : { size: store.size })
})
