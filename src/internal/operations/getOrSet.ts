/** `getOrSet`: a memoized call that brings its own effect. */
import { Effect, Either } from "effect"
import type { CacheError } from "../../CacheError.js"
import type { GetOrSetOptions, Key } from "../../CacheOptions.js"
import { failureCodecFor } from "../entries/ValueCodec.js"
import { define, policyOf } from "../readThrough/memoOptions.js"
import type { Lookups } from "../readThrough/request.js"
import { withFiber } from "../runtime/fiber.js"
import type { Access } from "./access.js"

export const getOrSet =
  ({ counters, defaultTtl, keyspaceOf, reader, warnings }: Access, readThrough: Lookups) =>
  <A, E, R>(
    key: Key,
    effect: Effect.Effect<A, E, R>,
    options: GetOrSetOptions<A, E, R> = {}
  ): Effect.Effect<A, E | CacheError, R> =>
    Effect.suspend(() => {
      const request = Either.gen(function* () {
        const keyspace = keyspaceOf(options)
        const name = yield* keyspace.name("getOrSet", key)
        const definition = yield* define<A, ReadonlyArray<unknown>>("getOrSet", options)
        const groups = typeof definition.groups === "function" ? definition.groups() : definition.groups
        return {
          key: name.finished,
          printed: name.printed,
          groups: yield* keyspace.groups("getOrSet", groups),
          policy: policyOf(definition, defaultTtl),
          receiver: undefined,
          args: [],
          codec: definition.codec(reader.store.payloads),
          failureCodec:
            options.failures === undefined
              ? undefined
              : failureCodecFor(reader.store.payloads, options.failures.schema),
          counters,
          warnings,
          compute: effect,
          hasOtherKeyNow: () => Either.getOrUndefined(keyspace.name("getOrSet", key))?.finished !== name.finished,
          refresh: options.refresh,
          asyncContext: undefined,
          previous: undefined
        }
      })
      return Effect.flatMap(request, (asked) =>
        withFiber<A, E | CacheError, R>((fiber) => readThrough.lookup(fiber, asked))
      )
    })
