/**
 * A `CacheBackend` out of a `CacheStore`.
 */
import { type Duration, Effect, Either, Option, type Scope } from "effect"
import type { CacheBackendService, GetOrSetOptions, VersionOption } from "../../CacheBackend.js"
import type { CacheError } from "../../CacheError.js"
import type { CacheStore } from "../../CacheStore.js"
import { Records } from "../entries/EntryReader.js"
import { Names } from "../entries/keyspace.js"
import { validatePrefix } from "../keys/finishKey.js"
import { DirectAccess } from "../operations/access.js"
import { reads } from "../operations/get.js"
import { removals } from "../operations/remove.js"
import { writes } from "../operations/set.js"
import { rewrites } from "../operations/update.js"
import { durationMillis } from "../options.js"
import { Computations } from "../readThrough/computation.js"
import { Flights } from "../readThrough/Flights.js"
import { Invalidation } from "../readThrough/invalidation.js"
import { Leases } from "../readThrough/Lease.js"
import { define, policyOf } from "../readThrough/memoOptions.js"
import { Memoizer } from "../readThrough/ReadThrough.js"
import { Instruments, logFailure } from "../runtime/instruments.js"
import { engine } from "./engine.js"

/**
 * What every layer takes.
 *
 * @since 0.1.0
 * @category models
 */
export interface BackendOptions {
  /** Keeps the keys of several programs on one store apart. Default `"default"`. */
  readonly namespace?: string
  /** A deploy that bumps it sees an empty cache and leaves the old one to the old code. Default 1. */
  readonly version?: string | number
  /** The time to live where none is given. Default 5 minutes. */
  readonly defaultTtl?: Duration.DurationInput
}

export const defaultNamespace = "default"
export const defaultVersion = 1
const fiveMinutes = 300_000

const noSize = { entries: Option.none(), bytes: Option.none(), evictions: Option.none() }

/** The service over the store; its computations run in, and end with, the scope. */
export const make = (
  store: CacheStore,
  options: BackendOptions
): Effect.Effect<CacheBackendService, CacheError, Scope.Scope> =>
  Effect.gen(function* () {
    const namespace = options.namespace ?? defaultNamespace
    const version = options.version ?? defaultVersion
    yield* validatePrefix(version, namespace)
    const defaultTtl =
      options.defaultTtl === undefined ? fiveMinutes : yield* durationMillis("layer", "defaultTtl", options.defaultTtl)

    const names = Names.under(namespace, version)
    const namesOf = (asked: VersionOption | undefined): Names =>
      asked?.version === undefined ? names : Names.under(namespace, asked.version)
    const instruments = new Instruments(store.name)
    const records = new Records(store)
    const flights = new Flights()
    const computations = new Computations(new Leases(records), flights, store.unsafeRead !== undefined)
    yield* Effect.addFinalizer(() => computations.shutdown)
    const memoizer = new Memoizer(records, flights, computations)
    const invalidation = new Invalidation(records, flights)
    const direct = new DirectAccess(records, invalidation, instruments, namesOf, defaultTtl)

    return {
      ...reads(direct),
      ...writes(direct),
      ...rewrites(direct),
      ...removals(direct),

      getOrSet: <A, E, R>(
        key: Parameters<CacheBackendService["getOrSet"]>[0],
        effect: Effect.Effect<A, E, R>,
        asked: GetOrSetOptions<A> = {}
      ): Effect.Effect<A, E | CacheError, R> =>
        Effect.suspend(() => {
          const request = Either.gen(function* () {
            const scoped = namesOf(asked)
            const name = yield* scoped.name("getOrSet", key)
            const definition = yield* define<A, ReadonlyArray<unknown>>("getOrSet", asked)
            const groups = typeof definition.groups === "function" ? definition.groups() : definition.groups
            return {
              key: name.finished,
              printed: name.printed,
              groups: yield* scoped.groups("getOrSet", groups),
              policy: policyOf(definition, defaultTtl),
              args: [],
              codec: records.codec(definition.schema),
              meters: instruments.direct,
              compute: effect
            }
          })
          return Effect.flatMap(request, (asked) =>
            Effect.withFiberRuntime<A, E | CacheError, R>((fiber) => memoizer.lookup(fiber, asked))
          )
        }),

      clear: invalidation.everything,

      stats: Effect.map(
        Effect.catchAll(store.size ?? Effect.succeed(noSize), (error) =>
          Effect.as(logFailure("Cache can't tell its size", error), noSize)
        ),
        (size) => ({ ...size, ...instruments.counts })
      ),

      [engine]: { names, records, memoizer, invalidation, flights, instruments, defaultTtl }
    }
  })
