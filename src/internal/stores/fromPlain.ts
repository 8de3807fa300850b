/** Makes a `Store` of a public `CacheStore`: the six plain primitives of a third party, whose answers are checked. */
import { Effect } from "effect"
import type { CacheStore } from "../../CacheStore.js"
import { attempt, checkRead, checkRemoved, checkToken, checkWritten, onlyEntries } from "./answers.js"
import { fused } from "./fused.js"
import type { Store } from "./Store.js"

/** Calls each member by name: if the store is a class, a spread would lose its methods, and a bare reference their `this`. */
export const fromPlain = (store: CacheStore): Store => {
  const { name } = store
  return {
    name,
    location: store.location,
    payloads: store.payloads,
    local: undefined,
    read: fused((keys) =>
      Effect.flatMap(
        attempt(name, "read", () => store.read(keys)),
        checkRead(name, keys, onlyEntries)
      )
    ),
    write: fused((items) =>
      Effect.flatMap(
        attempt(name, "write", () => store.write(items)),
        checkWritten(name)
      )
    ),
    add: (key, entry) =>
      Effect.flatMap(
        attempt(name, "add", () => store.add(key, entry)),
        checkToken(name, "add")
      ),
    replace: (key, token, entry) =>
      Effect.flatMap(
        attempt(name, "replace", () => store.replace(key, token, entry)),
        checkToken(name, "replace")
      ),
    remove: (keys) =>
      Effect.flatMap(
        attempt(name, "remove", () => store.remove(keys)),
        checkRemoved(name)
      ),
    clear: store.clear,
    ...(store.size === undefined ? {} : { size: store.size })
  }
}
