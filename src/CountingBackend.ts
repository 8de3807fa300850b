/**
 * Counts what a program asks of its cache: for tests of how often it does. Exported by `effect-cached/testing`.
 *
 * @since 0.1.0
 */
import { Context, Effect, Layer } from "effect"
import { CacheBackend, type CacheBackendService } from "./CacheBackend.js"
import { make } from "./internal/backend/make.js"
import { engine } from "./internal/memoized/engine.js"
import { amendThrough, identityOf, type Store } from "./internal/stores/Store.js"

const operationNames = [
  "get",
  "getMany",
  "has",
  "set",
  "setMany",
  "add",
  "getOrSet",
  "touch",
  "increment",
  "delete",
  "deleteMany",
  "invalidateGroup",
  "clear"
] as const

/**
 * The operations of `CacheBackend` that are counted.
 *
 * @since 0.1.0
 * @category models
 */
export type Operation = (typeof operationNames)[number]

const primitiveNames = ["read", "write", "add", "replace", "remove", "clear"] as const

/**
 * The primitives of a store. Each call of one is a round trip, if the store is on a server. `amend` counts as the `replace` that it
 * is.
 *
 * @since 0.1.0
 * @category models
 */
export type Primitive = (typeof primitiveNames)[number]

/**
 * How often each was called since the layer was built, or since `reset`. Memoized functions are no operations; what they ask of the
 * store is in `store`, and what came of it in `CacheBackend.stats`.
 *
 * @since 0.1.0
 * @category models
 */
export interface Counts {
  readonly operations: Readonly<Record<Operation, number>>
  readonly store: Readonly<Record<Primitive, number>>
}

/**
 * Reads the counts, and sets them to 0.
 *
 * @since 0.1.0
 * @category tags
 */
export class Calls extends Context.Tag("effect-cached/testing/Calls")<
  Calls,
  { readonly counts: Effect.Effect<Counts>; readonly reset: Effect.Effect<void> }
>() {}

const zeros = <Name extends string>(names: ReadonlyArray<Name>): Record<Name, number> =>
  // Each name has one.
  Object.fromEntries(names.map((name) => [name, 0])) as Record<Name, number>

const countingStore = (below: Store, count: (name: Primitive) => void): Store => {
  // A transformation over this store must not go around it.
  const { transformed: _, ...identity } = identityOf(below)
  const counted = <A, E>(name: Primitive, operation: () => Effect.Effect<A, E>): Effect.Effect<A, E> =>
    Effect.suspend(() => {
      count(name)
      return operation()
    })
  return {
    ...identity,
    // Hits in memory would ask the local part, and not be counted. A tier could not answer without it.
    local: below.local?.near === undefined ? undefined : below.local,
    read: (fiber, keys, onFound, onFailure) => {
      count("read")
      return below.read(fiber, keys, onFound, onFailure)
    },
    write: (fiber, items, onWritten, onFailure) => {
      count("write")
      return below.write(fiber, items, onWritten, onFailure)
    },
    add: (key, entry) => counted("add", () => below.add(key, entry)),
    replace: (key, token, entry) => counted("replace", () => below.replace(key, token, entry)),
    ...amendThrough(below, (amended) => counted("replace", () => amended)),
    remove: (keys) => counted("remove", () => below.remove(keys)),
    clear: counted("clear", () => below.clear),
    ...(below.size === undefined ? {} : { size: below.size })
  }
}

const countingService = (service: CacheBackendService, count: (name: Operation) => void): CacheBackendService => {
  const counted = <Name extends Operation>(name: Name): CacheBackendService[Name] => {
    const operation: unknown = service[name]
    const run = (effect: () => Effect.Effect<unknown, unknown, unknown>) =>
      Effect.suspend(() => {
        count(name)
        return effect()
      })
    // An Effect stays one, and a function returns what the operation of that name returns.
    return (
      Effect.isEffect(operation)
        ? run(() => operation)
        : (...args: ReadonlyArray<unknown>) =>
            run(() => (operation as (...args: ReadonlyArray<unknown>) => Effect.Effect<unknown>)(...args))
    ) as CacheBackendService[Name]
  }
  return {
    ...service,
    get: counted("get"),
    getMany: counted("getMany"),
    has: counted("has"),
    set: counted("set"),
    setMany: counted("setMany"),
    add: counted("add"),
    getOrSet: counted("getOrSet"),
    touch: counted("touch"),
    increment: counted("increment"),
    delete: counted("delete"),
    deleteMany: counted("deleteMany"),
    invalidateGroup: counted("invalidateGroup"),
    clear: counted("clear")
  }
}

/**
 * The same backend, and the counts of what is asked of it. Reads of a tier count where they leave the tier. The layer fails as the
 * backend does. Each build counts for itself.
 *
 * @param backend the backend that the program uses
 *
 * @example
 * import { Effect } from "effect"
 * import { cached, MemoryBackend } from "effect-cached"
 * import { CountingBackend } from "effect-cached/testing"
 *
 * const double = cached((n: number) => Effect.succeed(n * 2), { key: "double" })
 *
 * const test = Effect.gen(function* () {
 *   const calls = yield* CountingBackend.Calls
 *   yield* double(21)
 *   yield* calls.reset
 *   yield* double(21)
 *   const { store } = yield* calls.counts
 *   return store.read // 1: a hit is one round trip on a server
 * }).pipe(Effect.provide(CountingBackend.layer(MemoryBackend.layer())))
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = <E, R>(backend: Layer.Layer<CacheBackend, E, R>): Layer.Layer<CacheBackend | Calls, E, R> =>
  Layer.scopedContext(
    Effect.gen(function* () {
      const below = (yield* CacheBackend)[engine]
      let operations = zeros(operationNames)
      let store = zeros(primitiveNames)
      // The options are those of the backend, which has accepted them.
      const service = yield* Effect.orDie(
        make(
          countingStore(below.reader.store, (name) => {
            store[name]++
          }),
          below.options
        )
      )
      return Context.make(
        CacheBackend,
        countingService(service, (name) => {
          operations[name]++
        })
      ).pipe(
        Context.add(Calls, {
          counts: Effect.sync(() => ({ operations: { ...operations }, store: { ...store } })),
          reset: Effect.sync(() => {
            operations = zeros(operationNames)
            store = zeros(primitiveNames)
          })
        })
      )
    })
  ).pipe(Layer.provide(backend))
