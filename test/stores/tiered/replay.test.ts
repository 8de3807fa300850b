/** An invalidation that is queued in an outage, and reaches the store later: other processes' tiers must hear of it then. */
import { describe, expect, it } from "@effect/vitest"
import { Context, Deferred, Effect, Fiber, Layer, Logger, LogLevel } from "effect"
import {
  CacheBackend,
  type CacheBusService,
  CacheError,
  type CacheStore,
  cached,
  invalidateGroup,
  MemoryBackend,
  StoreBackend
} from "effect-cached"
import { engine } from "../../../src/internal/memoized/engine.js"
import { plain } from "../../support/stores.js"
import { until } from "../../support/until.js"
import { tierOver, unreliableBus } from "./support.js"

/** What is away from a process: its way to the store, or to the bus. */
interface Faults {
  store: boolean
  bus: boolean
}

const away = (operation: string) => new CacheError({ reason: "Unavailable", operation, description: "switched off" })

const notIf =
  (isAway: () => boolean, operation: string) =>
  <A>(effect: Effect.Effect<A, CacheError>): Effect.Effect<A, CacheError> =>
    Effect.suspend(() => (isAway() ? Effect.fail(away(operation)) : effect))

/**
 * Two processes over one store and one bus; the faults are those of the first.
 *
 * @param failures that open the breaker
 */
const ground = Effect.fn(function* (failures: number) {
  const server = plain(
    Context.get(yield* Layer.build(MemoryBackend.layer({ copy: true })), CacheBackend)[engine].reader.store
  )
  const { bus } = unreliableBus({ delay: () => 0, drops: () => false })
  const process = (faults: Faults) => {
    const reached = notIf(() => faults.store, "store")
    const store: CacheStore.CacheStore = {
      name: "switched",
      location: "network",
      payloads: "bytes",
      read: (keys) => reached(server.read(keys)),
      write: (items) => reached(server.write(items)),
      add: (key, entry) => reached(server.add(key, entry)),
      replace: (key, token, entry) => reached(server.replace(key, token, entry)),
      remove: (keys) => reached(server.remove(keys)),
      clear: reached(server.clear)
    }
    const ownBus: CacheBusService = {
      ...bus,
      publish: (keys) => notIf(() => faults.bus, "publish")(bus.publish(keys))
    }
    const options = { queueInvalidations: true, breaker: { failures, retryAfter: "100 millis" } } as const
    return tierOver(StoreBackend.layer(Effect.succeed(store), options), { maxStaleness: "1 hour" }, ownBus)
  }
  const faults: Faults = { store: false, bus: false }
  const [here, there] = [yield* process(faults), yield* process({ store: false, bus: false })]
  return { faults, here, there }
})

const invalidations = {
  invalidate: (f: { readonly invalidate: (id: number) => Effect.Effect<void, CacheError, CacheBackend> }) =>
    f.invalidate(1),
  invalidateGroup: () => invalidateGroup("cities"),
  clear: () => Effect.flatMap(CacheBackend, (cache) => cache.clear)
} as const

const cities = () => {
  const versions = { now: 1 }
  const f = cached((_id: number) => Effect.sync(() => versions.now), { key: "city", ttl: "1 hour", groups: ["cities"] })
  return { f, versions }
}

describe("an invalidation that was queued in an outage", () => {
  describe.each(Object.entries(invalidations))("%s", (_name, invalidate) => {
    it.scopedLive("is told again once the store has it: another process may have read the old value meanwhile", () =>
      Effect.gen(function* () {
        const { faults, here, there } = yield* ground(1)
        const { f, versions } = cities()
        const thereSees = Effect.provideService(f(1), CacheBackend, there)
        yield* until(thereSees, (seen) => seen === 1)
        faults.store = true
        versions.now = 2
        yield* Effect.provideService(invalidate(f), CacheBackend, here)
        yield* Effect.sleep("50 millis")
        // The store still has it, and the other process reaches the store.
        expect([yield* thereSees, yield* thereSees]).toEqual([1, 1])
        faults.store = false
        expect(yield* until(thereSees, (seen) => seen === 2)).toBe(2)
        expect(yield* Effect.provideService(f(1), CacheBackend, here)).toBe(2)
      }).pipe(Logger.withMinimumLogLevel(LogLevel.None))
    )

    it.scopedLive("is told later where the bus is away then, which keeps nobody from the store", () =>
      Effect.gen(function* () {
        const { faults, here, there } = yield* ground(1)
        const { f, versions } = cities()
        const thereSees = Effect.provideService(f(1), CacheBackend, there)
        yield* until(thereSees, (seen) => seen === 1)
        faults.store = true
        versions.now = 2
        yield* Effect.provideService(invalidate(f), CacheBackend, here)
        yield* Effect.sleep("50 millis")
        expect(yield* thereSees).toBe(1)
        faults.bus = true
        faults.store = false
        const hereIsServed = Effect.provideService(f.requireCache(1), CacheBackend, here)
        const hereSees = Effect.zipRight(Effect.provideService(f(1), CacheBackend, here), hereIsServed)
        expect(yield* until(Effect.option(hereSees), (seen) => seen._tag === "Some")).toMatchObject({ value: 2 })
        expect(yield* thereSees).toBe(1)
        faults.bus = false
        expect(yield* until(thereSees, (seen) => seen === 2)).toBe(2)
      }).pipe(Logger.withMinimumLogLevel(LogLevel.None))
    )
  })

  it.scopedLive("voids the computation that runs since before it, whose lease is still in the store", () =>
    Effect.gen(function* () {
      // The breaker stays closed: only the queue keeps the computation from storing its value.
      const { faults, here } = yield* ground(9)
      const running = yield* Deferred.make<void>()
      const mayEnd = yield* Deferred.make<void>()
      let computations = 0
      const f = cached(
        () =>
          Effect.suspend(() =>
            ++computations === 1
              ? Deferred.succeed(running, undefined).pipe(Effect.zipRight(Deferred.await(mayEnd)), Effect.as("old"))
              : Effect.succeed("new")
          ),
        { key: "slow", ttl: "1 hour" }
      )
      const call = Effect.provideService(f(), CacheBackend, here)
      const first = yield* Effect.fork(call)
      yield* Deferred.await(running)
      faults.store = true
      yield* Effect.provideService(f.invalidate(), CacheBackend, here)
      faults.store = false
      yield* Deferred.succeed(mayEnd, undefined)
      // It began before the invalidation.
      expect(yield* Fiber.join(first)).toBe("old")
      for (let time = 0; time < 30; time++) {
        expect(yield* call).toBe("new")
        yield* Effect.sleep("10 millis")
      }
    }).pipe(Logger.withMinimumLogLevel(LogLevel.None))
  )
})
