/**
 * Makes a `Store` of a public `CacheStore`: the six plain primitives of a third party, whose answers are checked, and whose throws
 * and defects are failures.
 */
import { Cause, Effect, Option } from "effect"
import { CacheError } from "../../CacheError.js"
import type { CacheStore } from "../../CacheStore.js"
import { withoutMessage } from "../values/withoutMessage.js"
import { attempt, checkRead, checkRemoved, checkToken, checkWritten, onlyEntries } from "./answers.js"
import { fused } from "./fused.js"
import type { Store } from "./Store.js"

/** Runs an operation of the store. What the store does wrong is a `CacheError`, also if it throws or dies. */
export type RunStore = <A>(operation: string, make: () => Effect.Effect<A, CacheError>) => Effect.Effect<A, CacheError>

/** The store's own error, or one that names what it threw: without its message, which may quote a value. */
export const afterFailure = (operation: string, cause: Cause.Cause<CacheError>): Effect.Effect<never, CacheError> => {
  const error = Cause.squash(cause)
  if (error instanceof CacheError) return Effect.fail(error)
  const { code, name } = withoutMessage(error)
  const thrown = code === undefined ? name : `${name} ${code}`
  const description = `the store threw ${thrown} instead of failing with a CacheError`
  return Effect.fail(new CacheError({ reason: "StoreFailed", operation, description, cause: error }))
}

/** For a store in this process, which needs no time limit. */
export const inProcess: RunStore = (operation, make) =>
  Effect.catchAllCause(Effect.suspend(make), (cause) =>
    Cause.isInterruptedOnly(cause) ? Effect.failCause(cause) : afterFailure(operation, cause)
  )

const unknownSize = Effect.succeed({ entries: Option.none(), bytes: Option.none(), evictions: Option.none() })

type Asked = <A>(
  operation: Parameters<typeof attempt>[1],
  ask: () => Effect.Effect<A, CacheError>
) => Effect.Effect<A, CacheError>

const amendOf = (store: CacheStore, asked: Asked): Pick<Store, "amend"> =>
  store.amend === undefined
    ? {}
    : {
        amend: (key, token, entry, before) =>
          Effect.flatMap(
            asked("amend", () => store.amend?.(key, token, entry, before) ?? store.replace(key, token, entry)),
            checkToken(store.name, "amend")
          )
      }

/** Calls each member by name: if the store is a class, a spread would lose its methods, and a bare reference their `this`. */
export const fromPlain = (store: CacheStore, run: RunStore = inProcess): Store => {
  const { name } = store
  const asked: Asked = (operation, ask) => run(operation, () => attempt(name, operation, ask))
  return {
    name,
    location: store.location,
    payloads: store.payloads,
    local: undefined,
    joinsTransaction: undefined,
    read: fused((keys) =>
      Effect.flatMap(
        asked("read", () => store.read(keys)),
        checkRead(name, keys, onlyEntries)
      )
    ),
    write: fused((items) =>
      Effect.flatMap(
        asked("write", () => store.write(items)),
        checkWritten(name)
      )
    ),
    add: (key, entry) =>
      Effect.flatMap(
        asked("add", () => store.add(key, entry)),
        checkToken(name, "add")
      ),
    replace: (key, token, entry) =>
      Effect.flatMap(
        asked("replace", () => store.replace(key, token, entry)),
        checkToken(name, "replace")
      ),
    ...amendOf(store, asked),
    remove: (keys) =>
      Effect.flatMap(
        asked("remove", () => store.remove(keys)),
        checkRemoved(name)
      ),
    clear: run("clear", () => store.clear),
    ...(store.size === undefined ? {} : { size: run("size", () => store.size ?? unknownSize) })
  }
}
