/**
 * Checks what a store of a third party answers. An answer of another shape is a `CacheError`, and what is no entry is a miss that
 * is overwritten: neither may become a defect of the callers.
 */
import { Effect, Option } from "effect"
import { CacheError } from "../../CacheError.js"
import type { CachedValue, Entry, GroupVersion, Lease, StoredEntry, Token } from "../../CacheStore.js"

type Operation = "read" | "write" | "add" | "replace" | "amend" | "remove"

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null

/** For ever is a time; what is no number is none. */
const isTime = (value: unknown): value is number => typeof value === "number" && !Number.isNaN(value)

const isValue = (value: unknown): value is CachedValue =>
  isObject(value) && isTime(value["freshUntil"]) && isTime(value["staleUntil"]) && isTime(value["computeMillis"])

const isLease = (value: unknown): value is Lease =>
  isObject(value) && typeof value["id"] === "string" && isTime(value["until"])

const isGroupVersion = (value: unknown): value is GroupVersion =>
  isObject(value) && typeof value["key"] === "string" && typeof value["version"] === "string"

const isEntry = (value: unknown): value is Entry =>
  isObject(value) &&
  (value["value"] === undefined || isValue(value["value"])) &&
  (value["lease"] === undefined || isLease(value["lease"])) &&
  Array.isArray(value["groups"]) &&
  value["groups"].every(isGroupVersion)

const malformed = (store: string, operation: Operation, what: string): CacheError =>
  new CacheError({ reason: "StoreFailed", operation, description: `the ${store} store answered ${what}` })

/** What the primitive of the store returns. A throw in it is its failure. */
export const attempt = <A>(
  store: string,
  operation: Operation,
  ask: () => Effect.Effect<A, CacheError>
): Effect.Effect<A, CacheError> => {
  try {
    const effect: unknown = ask()
    return Effect.isEffect(effect)
      ? // The contract says of what; the answer is checked.
        (effect as Effect.Effect<A, CacheError>)
      : Effect.fail(malformed(store, operation, "with no Effect"))
  } catch (cause) {
    return Effect.fail(
      new CacheError({ reason: "StoreFailed", operation, description: `the ${store} store threw`, cause })
    )
  }
}

/** One element for each key. Without a token nothing could be written over what was found. */
const checkedElements = <Stored extends { readonly token: Token }>(
  store: string,
  keys: ReadonlyArray<string>,
  found: unknown
): ReadonlyArray<Stored | undefined> | CacheError => {
  if (!Array.isArray(found)) return malformed(store, "read", "with no array")
  if (found.length !== keys.length) return malformed(store, "read", `${found.length} elements for ${keys.length} keys`)
  for (const element of found) {
    if (element === undefined) continue
    if (!isObject(element)) return malformed(store, "read", "with an element that is no object")
    if (element["token"] === undefined || element["token"] === null) return malformed(store, "read", "without a token")
  }
  // Each is undefined or an object with a token; what else it holds is checked where it is used.
  return found as ReadonlyArray<Stored | undefined>
}

/** The elements of a read, each made ready by `use`. */
export const checkRead =
  <Stored extends { readonly token: Token }, A>(
    store: string,
    keys: ReadonlyArray<string>,
    use: (found: ReadonlyArray<Stored | undefined>) => A
  ) =>
  (found: unknown): Effect.Effect<A, CacheError> => {
    const elements = checkedElements<Stored>(store, keys, found)
    return elements instanceof CacheError ? Effect.fail(elements) : Effect.succeed(use(elements))
  }

/** The same elements, without what is no entry. */
export const onlyEntries = (found: ReadonlyArray<StoredEntry | undefined>): ReadonlyArray<StoredEntry | undefined> =>
  found.every((stored) => stored?.entry === undefined || isEntry(stored.entry))
    ? found
    : found.map((stored) =>
        stored === undefined || isEntry(stored.entry) ? stored : { token: stored.token, entry: undefined }
      )

export const checkWritten =
  (store: string) =>
  <Rejected>(rejected: ReadonlyArray<Rejected>): Effect.Effect<ReadonlyArray<Rejected>, CacheError> =>
    Array.isArray(rejected)
      ? Effect.succeed(rejected)
      : Effect.fail(malformed(store, "write", "with no array of rejected items"))

export const checkToken =
  (store: string, operation: "add" | "replace" | "amend") =>
  (token: unknown): Effect.Effect<Option.Option<Token>, CacheError> =>
    Option.isOption(token) && !(Option.isSome(token) && (token.value === undefined || token.value === null))
      ? Effect.succeed(token)
      : Effect.fail(malformed(store, operation, "with no Option of a token"))

export const checkRemoved =
  (store: string) =>
  (removed: unknown): Effect.Effect<number, CacheError> =>
    isTime(removed) ? Effect.succeed(removed) : Effect.fail(malformed(store, "remove", "with no number"))
