/** Makes memoized functions of many keys, in whatever cache. */
import { Effect } from "effect"
import { CacheBackend, type CacheBackendService } from "../../../CacheBackend.js"
import type { CachedManyFunctionOf } from "../../../CachedManyFunction.js"
import { type CallingFiber, withService } from "../../runtime/fiber.js"
import { keyOrThrow } from "../MemoizedCall.js"
import type { CacheTag } from "../MemoizedFunction.js"
import { MemoizedMany } from "../MemoizedMany.js"
import type { ManyOptions } from "./manyOptions.js"

type Load = (keys: ReadonlyArray<unknown>) => Effect.Effect<Iterable<readonly [unknown, unknown]>, unknown, unknown>

/** Gives the cache of a call to `use`. */
export type WithBackend = <A, E, R>(
  use: (fiber: CallingFiber, backend: CacheBackendService) => Effect.Effect<A, E, R>
) => Effect.Effect<A, E, unknown>

/** The function, whose calls find their cache by `withBackend`. */
export const liftMany = (
  load: Load,
  options: ManyOptions,
  withBackend: WithBackend
): CachedManyFunctionOf<unknown, unknown, unknown, unknown, unknown> => {
  const memoized = new MemoizedMany(
    "cachedMany",
    (keys) =>
      Effect.map(load(keys), (pairs) => Array.from(pairs, ([key, value]) => [key, Effect.succeed(value)] as const)),
    options,
    () => ({ name: load.name, text: Function.prototype.toString.call(load) })
  )
  return Object.assign(
    (keys: ReadonlyArray<unknown>) => withBackend((fiber, backend) => memoized.lookup(fiber, backend, keys)),
    {
      one: (key: unknown) => withBackend((fiber, backend) => memoized.one(fiber, backend, key)),
      invalidate: (keys: ReadonlyArray<unknown>) => withBackend((_, backend) => memoized.invalidate(backend, keys)),
      forceRecalc: (keys: ReadonlyArray<unknown>) => withBackend((_, backend) => memoized.forceRecalc(backend, keys)),
      requireCache: (keys: ReadonlyArray<unknown>) =>
        withBackend((fiber, backend) => memoized.requireCache(fiber, backend, keys)),
      cacheKey: (key: unknown) => keyOrThrow(memoized.printed(key))
    }
  )
}

/** `liftMany` in the cache that each call finds in its fiber. */
export const cachedMany = (load: Load, options: ManyOptions & { readonly backend?: CacheTag }) =>
  liftMany(load, options, (use) => withService(options.backend ?? CacheBackend, use))
