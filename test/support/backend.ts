/**
 * Backends taken apart: the service, its registry of flights and its store at hand, in a simulation or a scope of the test.
 */
import { Effect, Exit, type Fiber, Option, Scope } from "effect"
import { CacheBackend, type CacheBackendService } from "../../src/CacheBackend.js"
import { make } from "../../src/internal/backend/make.js"
import type { BackendOptions } from "../../src/internal/backend/options.js"
import { engine } from "../../src/internal/memoized/engine.js"
import * as MemoryStore from "../../src/internal/stores/memory/MemoryStore.js"
import type { Process, Simulation } from "./simulation.js"
import { type AnyStore, engineStore, plain } from "./stores.js"

export const memoryStore = MemoryStore.make({ maxEntries: 300, maxBytes: undefined, copy: false })

export interface Rig {
  readonly service: CacheBackendService
  readonly store: AnyStore
  readonly scope: Scope.CloseableScope
  /** How many flights the registry knows. */
  readonly flights: () => number
  /** Whether a flight of the key as users print it runs, also one that nobody may join. */
  readonly runs: (printed: string) => boolean
  readonly provide: <A, E>(effect: Effect.Effect<A, E, CacheBackend>) => Effect.Effect<A, E>
  /** Whether a lease that still runs stands under the key as users print it. */
  readonly leased: (printed: string) => Effect.Effect<boolean>
}

export const rig = (store: AnyStore, scope: Scope.CloseableScope, options: BackendOptions = {}): Effect.Effect<Rig> =>
  Effect.map(Scope.extend(Effect.orDie(make(engineStore(store), options)), scope), (service) => {
    const { flights, keyspace } = service[engine]
    return {
      service,
      store,
      scope,
      flights: () => flights.size,
      runs: (printed) => flights.isRunning(keyspace.finish(printed)),
      provide: Effect.provideService(CacheBackend, service),
      leased: (printed) =>
        Effect.zipWith(
          Effect.orDie(plain(store).read([keyspace.finish(printed)])),
          Effect.clockWith((clock) => clock.currentTimeMillis),
          (records, now) => (records[0]?.entry?.lease?.until ?? 0) > now
        )
    }
  })

/** A backend over its own memory store, which ends with the test's scope. */
export const memoryRig = Effect.gen(function* () {
  const scope = yield* Effect.acquireRelease(Scope.make(), (scope, exit) => Scope.close(scope, exit))
  const store = yield* Scope.extend(memoryStore, scope)
  return yield* rig(store, scope)
})

/** What the effect gives, run to its end in the simulation. */
export const runIn = <A, E>(
  simulation: Simulation,
  process: Process,
  effect: Effect.Effect<A, E>,
  what = "it ends"
): A => {
  const exit = exitIn(simulation, process, effect, what)
  if (Exit.isFailure(exit)) throw new Error(`${what}: ${exit.cause}`)
  return exit.value
}

export const exitIn = <A, E>(
  simulation: Simulation,
  process: Process,
  effect: Effect.Effect<A, E>,
  what = "it ends"
): Exit.Exit<A, E> => endOf(simulation, process.fork(effect), what)

export const endOf = <A, E>(simulation: Simulation, fiber: Fiber.RuntimeFiber<A, E>, what: string): Exit.Exit<A, E> => {
  simulation.until(() => fiber.unsafePoll() !== null, what)
  return fiber.unsafePoll() ?? Exit.die(what)
}

/** A backend inside a simulation. */
export const rigIn = (simulation: Simulation, process: Process, store?: AnyStore, options?: BackendOptions): Rig =>
  runIn(
    simulation,
    process,
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      return yield* rig(store ?? (yield* Scope.extend(memoryStore, scope)), scope, options)
    }),
    "the backend is built"
  )

export const valueOf = <A, E>(exit: Exit.Exit<A, E>): A | undefined =>
  Option.getOrUndefined(Exit.getOrElse(Exit.map(exit, Option.some), () => Option.none()))
