/** The same operations on a real backend, through the public service. */
import { Effect, Option } from "effect"
import { CacheBackend, type CacheError, type NoCachedValue } from "effect-cached"
import type { HandClock } from "../cluster/clocks.js"
import type { Operation, Times } from "./operations.js"

const named = ({ version }: { readonly version: string | undefined }) => (version === undefined ? {} : { version })

const given = ({ groups, stale, ttl, version }: Times) => ({
  groups,
  ...named({ version }),
  ...(ttl === undefined ? {} : { ttl }),
  ...(stale === undefined ? {} : { stale })
})

const errorName = (error: CacheError | NoCachedValue): string =>
  error._tag === "NoCachedValue" ? error._tag : error.reason

/** The result of the operation, in the terms of the model. */
export const perform = (operation: Operation, { advance }: HandClock): Effect.Effect<unknown, never, CacheBackend> =>
  Effect.flatMap(CacheBackend, (cache): Effect.Effect<unknown, CacheError | NoCachedValue> => {
    switch (operation._tag) {
      case "get":
        return Effect.map(cache.get(operation.key, named(operation)), Option.getOrUndefined)
      case "has":
        return cache.has(operation.key, named(operation))
      case "getMany":
        return cache.getMany(operation.keys, named(operation))
      case "set":
        return cache.set(operation.key, operation.value, given(operation.options))
      case "setMany":
        return cache.setMany(operation.entries, given(operation.options))
      case "add":
        return cache.add(operation.key, operation.value, given(operation.options))
      case "getOrSet":
        return cache.getOrSet(operation.key, Effect.succeed(operation.value), given(operation.options))
      case "touch":
        return cache.touch(operation.key, operation.ttl, named(operation))
      case "increment":
        return cache.increment(operation.key, operation.by, named(operation))
      case "delete":
        return cache.delete(operation.key, named(operation))
      case "deleteMany":
        return cache.deleteMany(operation.keys, named(operation))
      case "invalidateGroup":
        return cache.invalidateGroup(operation.name, named(operation))
      case "clear":
        return cache.clear
      case "advance":
        return Effect.sync(() => advance(operation.millis))
    }
  }).pipe(Effect.catchAll((error) => Effect.succeed(errorName(error))))
