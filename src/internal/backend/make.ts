/** Makes the `CacheBackend` service over a store. */
import { Effect, Option, type Scope } from "effect"
import type { CacheBackendService } from "../../CacheBackend.js"
import type { CacheError } from "../../CacheError.js"
import type { VersionOption } from "../../CacheOptions.js"
import { EntryReader } from "../entries/EntryReader.js"
import { Keyspace } from "../entries/keyspace.js"
import { validatePrefix } from "../keys/finishKey.js"
import { Definitions } from "../memoized/Definitions.js"
import { engine } from "../memoized/engine.js"
import { cachedIn } from "../memoized/lifting/lift.js"
import { liftMany } from "../memoized/lifting/liftMany.js"
import { Access } from "../operations/access.js"
import { additions } from "../operations/add.js"
import { reads } from "../operations/get.js"
import { getOrSet } from "../operations/getOrSet.js"
import { inspection } from "../operations/inspect.js"
import { removals } from "../operations/remove.js"
import { writes } from "../operations/set.js"
import { updates } from "../operations/update.js"
import { durationMillis } from "../options.js"
import type { Breaker } from "../outages/circuitBreaker.js"
import { guard } from "../outages/guard.js"
import { logFailure } from "../outages/storeFailure.js"
import { Alone } from "../readThrough/computations/Alone.js"
import { Computation } from "../readThrough/computations/Computation.js"
import { SingleFlight } from "../readThrough/computations/SingleFlight.js"
import { Flights } from "../readThrough/flights/Flights.js"
import { Invalidation } from "../readThrough/invalidations/Invalidation.js"
import { LeaseEnds } from "../readThrough/leases/LeaseEnds.js"
import { Leases } from "../readThrough/leases/Leases.js"
import { LeaseWrites } from "../readThrough/leases/LeaseWrites.js"
import { ManyReads, uncachedMany } from "../readThrough/many/ManyReads.js"
import { ReadThrough } from "../readThrough/ReadThrough.js"
import { Uncached } from "../readThrough/Uncached.js"
import { WithoutStore } from "../readThrough/WithoutStore.js"
import { withFiber } from "../runtime/fiber.js"
import type { Store } from "../stores/Store.js"
import { LayerCounters } from "../telemetry/counters.js"
import { Events } from "../telemetry/Events.js"
import { Warnings } from "../telemetry/warnings.js"
import { cacheName, namespaceOf } from "./cacheName.js"
import type { BackendOptions } from "./options.js"

const defaultVersion = 1
const fiveMinutes = 300_000

const noSize = { entries: Option.none(), bytes: Option.none(), evictions: Option.none() }

interface Parts {
  /** Of the store, if it has one. */
  readonly breaker?: Breaker | undefined
  /** Whether the store keeps anything; if not, each caller computes by itself. */
  readonly keeps?: boolean
}

/** The service over the store; its computations run in the scope, and end with it. */
export const make = (
  given: Store,
  options: BackendOptions,
  { breaker, keeps = true }: Parts = {}
): Effect.Effect<CacheBackendService, CacheError, Scope.Scope> =>
  Effect.gen(function* () {
    const namespace = yield* namespaceOf(options)
    const version = options.version ?? defaultVersion
    yield* validatePrefix(version, namespace)
    const defaultTtl =
      options.defaultTtl === undefined ? fiveMinutes : yield* durationMillis("layer", "defaultTtl", options.defaultTtl)

    const redacts = options.redactKeys ?? false
    const keyspace = Keyspace.under(namespace, version, redacts)
    const keyspaceOf = (asked: VersionOption | undefined): Keyspace =>
      asked?.version === undefined ? keyspace : Keyspace.under(namespace, asked.version, redacts)
    const name = yield* cacheName
    const { store, close } = guard(given, breaker, name)
    const warnings = new Warnings()
    const events = new Events()
    const counters = new LayerCounters(store.name, warnings, events, name)
    const reader = new EntryReader(store)
    const flights = new Flights()
    const invalidation = new Invalidation(reader, flights, warnings, events)
    const leaseWrites = new LeaseWrites(store)
    const computation = new Computation(
      new Leases(reader, leaseWrites),
      new LeaseEnds(leaseWrites, flights),
      flights,
      invalidation
    )
    const alone = new Alone(flights)
    const singleFlight = new SingleFlight(computation, flights, alone, store.location === "process")
    // The flights give their leases back before the store refuses everything.
    yield* Effect.addFinalizer(() => Effect.zipRight(singleFlight.shutdown, Effect.zipRight(close, events.close)))
    const withoutStore = new WithoutStore(flights, singleFlight)
    const uncached = new Uncached(alone)
    const reading = new ReadThrough(reader, flights, singleFlight, alone, withoutStore, invalidation)
    const readThrough = keeps ? reading : uncached
    const access = new Access(reader, invalidation, counters.direct, warnings, keyspaceOf, defaultTtl)

    const service: CacheBackendService = {
      // The implementation is untyped: `CachedHere` is its type.
      cached: cachedIn(() => service) as never,
      // Untyped as well.
      cachedMany: ((load: never, options: never) =>
        liftMany(load, options, (use) => withFiber((fiber) => use(fiber, service)))) as never,
      ...reads(access),
      ...writes(access),
      ...additions(access),
      ...updates(access),
      ...removals(access),
      getOrSet: getOrSet(access, readThrough),
      clear: invalidation.everything,
      events: events.stream,
      inspect: inspection(access),
      stats: Effect.map(
        Effect.catchAll(store.size ?? Effect.succeed(noSize), (error) =>
          Effect.as(logFailure(warnings, "Cache can't tell its size", "", error), noSize)
        ),
        (size) => ({ ...size, ...counters.counts })
      ),
      [engine]: {
        keyspace,
        reader,
        readThrough,
        many: keeps ? new ManyReads(reader, reading) : uncachedMany(uncached),
        invalidation,
        flights,
        counters,
        warnings,
        definitions: new Definitions(),
        defaultTtl,
        options: { ...options, namespace }
      }
    }
    return service
  })
