/**
 * A store of a third party that never answers, throws, dies or never closes: its callers get an error in time, never a hang or a
 * defect.
 */
import { describe, expect, it } from "@effect/vitest"
import { Context, Deferred, Effect, Exit, Fiber, Layer, Logger, LogLevel, Option, Scope } from "effect"
import {
  type CacheBackend,
  CacheError,
  type CacheStore,
  cached,
  clear,
  deleteMany,
  get,
  increment,
  invalidateGroup,
  StoreBackend,
  set,
  stats
} from "effect-cached"
import { blockedFor } from "../support/blocked.js"

const quietly = Logger.withMinimumLogLevel(LogLevel.None)

/** Every operation, `size` too, is what `operation` gives. */
const storeOf = (
  operation: () => Effect.Effect<never, CacheError>,
  location: "network" | "process" = "network"
): CacheStore.CacheStore => ({
  name: "third",
  location,
  payloads: "references",
  read: operation,
  write: operation,
  add: operation,
  replace: operation,
  remove: operation,
  get clear() {
    return operation()
  },
  get size() {
    return Effect.suspend(operation)
  }
})

const layerOf = (store: CacheStore.CacheStore, options: StoreBackend.OutageOptions = {}) =>
  StoreBackend.layer(Effect.succeed(store), options)

const direct: ReadonlyArray<readonly [string, Effect.Effect<unknown, { readonly reason?: string }, CacheBackend>]> = [
  ["get", get("a")],
  ["set", set("a", 1)],
  ["increment", increment("a") as Effect.Effect<unknown, CacheError, CacheBackend>],
  ["deleteMany", deleteMany(["a"])],
  ["invalidateGroup", invalidateGroup("g")],
  ["clear", clear]
]

const never: ReadonlyArray<readonly [string, Effect.Effect<never>]> = [
  ["never answers", Effect.never],
  ["never answers and can't be interrupted", Effect.uninterruptible(Effect.never)],
  ["waits for a promise that never settles", Effect.promise(() => new Promise<never>(() => {}))]
]

describe.concurrent("a store of a third party", () => {
  for (const [what, effect] of never) {
    it.live(`that ${what}: every operation fails with Timeout`, () =>
      Effect.gen(function* () {
        const layer = layerOf(
          storeOf(() => effect),
          { timeout: 100, breaker: false }
        )
        yield* Effect.gen(function* () {
          for (const [name, operation] of direct) {
            const error = yield* Effect.flip(operation)
            expect([name, error.reason]).toEqual([name, "Timeout"])
          }
          expect((yield* stats).entries).toEqual(Option.none())
        }).pipe(Effect.provide(layer))
      }).pipe(quietly)
    )

    it.live(`that ${what}: cached computes, and soon without asking it`, () =>
      Effect.gen(function* () {
        let asked = 0
        const store = storeOf(() => {
          asked += 1
          return effect
        })
        const layer = layerOf(store, { timeout: 100, breaker: { failures: 3, retryAfter: "1 hour" } })
        yield* Effect.gen(function* () {
          const double = cached((value: number) => Effect.succeed(2 * value), { key: "double" })
          for (let value = 0; value < 20; value++) expect(yield* double(value)).toBe(2 * value)
          expect(asked).toBe(3)
          expect(yield* Effect.flip(get("a"))).toMatchObject({ reason: "Unavailable" })
        }).pipe(Effect.provide(layer))
      }).pipe(quietly)
    )

    it.live(`that ${what}: a caller who is interrupted leaves at once`, () =>
      Effect.gen(function* () {
        const layer = layerOf(
          storeOf(() => effect),
          { timeout: "1 hour" }
        )
        const scope = yield* Scope.make()
        const context = yield* Scope.extend(Layer.build(layer), scope)
        const double = cached((value: number) => Effect.succeed(2 * value), { key: "double" })
        for (const call of [get("a"), set("a", 1), invalidateGroup("g"), double(1), double.invalidate(1)]) {
          const caller = yield* Effect.fork(
            Effect.provide(call as Effect.Effect<unknown, unknown, CacheBackend>, context)
          )
          yield* Effect.sleep(20)
          expect(Exit.isInterrupted(yield* Fiber.interrupt(caller))).toBe(true)
        }
      }).pipe(quietly)
    )
  }

  it.live("has 5 seconds unless given", () =>
    Effect.gen(function* () {
      const started = performance.now()
      const error = yield* Effect.flip(get("a")).pipe(Effect.provide(layerOf(storeOf(() => Effect.never))))
      expect(error).toMatchObject({ reason: "Timeout", description: "the store did not answer within 5000 ms" })
      expect(performance.now() - started).toBeGreaterThan(4_900)
    }).pipe(quietly)
  )

  it.live("a limit of zero is refused", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(
        Layer.build(
          layerOf(
            storeOf(() => Effect.never),
            { timeout: 0 }
          )
        )
      )
      expect(error).toMatchObject({ reason: "InvalidOption" })
    }).pipe(Effect.scoped)
  )

  for (const location of ["network", "process"] as const) {
    const wrong: ReadonlyArray<readonly [string, () => Effect.Effect<never, CacheError>]> = [
      ["dies", () => Effect.die(new TypeError("socket hang up"))],
      [
        "throws",
        () => {
          throw new TypeError("socket hang up")
        }
      ],
      // A driver in JavaScript fails with whatever it likes.
      [
        "fails with an error of its own",
        () => Effect.fail(new TypeError("socket hang up")) as Effect.Effect<never, never>
      ]
    ]
    for (const [what, operation] of wrong) {
      it.live(`on a ${location}, that ${what}: StoreFailed with what it threw, and cached computes`, () =>
        Effect.gen(function* () {
          for (const [name, call] of direct) {
            const error = yield* Effect.flip(call)
            expect([name, error]).toMatchObject([
              name,
              {
                reason: "StoreFailed",
                description: expect.stringMatching(/store threw/),
                cause: new TypeError("socket hang up")
              }
            ])
          }
          expect((yield* stats).entries).toEqual(Option.none())
          const double = cached((value: number) => Effect.succeed(2 * value), { key: "double" })
          expect(yield* double(1)).toBe(2)
          expect(yield* double.forceRecalc(1)).toBe(2)
        }).pipe(Effect.provide(layerOf(storeOf(operation, location))), quietly)
      )
    }
  }

  it.live("that never closes: the layer closes all the same", () =>
    Effect.gen(function* () {
      for (const end of [Effect.never, Effect.uninterruptible(Effect.never)]) {
        const store = Effect.as(
          Effect.addFinalizer(() => end),
          storeOf(() => Effect.never)
        )
        const scope = yield* Scope.make()
        yield* Scope.extend(Layer.build(StoreBackend.layer(store, { timeout: 100 })), scope)
        yield* Scope.close(scope, Exit.void)
      }
    }).pipe(quietly)
  )

  it.live("runs with the services and references of its caller", () =>
    Effect.gen(function* () {
      class Tenant extends Context.Tag("Tenant")<Tenant, string>() {}
      const seen: Array<string> = []
      const store = storeOf(() =>
        Effect.flatMap(Effect.context<never>(), (context) => {
          seen.push(Option.getOrElse(Context.getOption(Context.merge(context, Context.empty()), Tenant), () => "none"))
          return Effect.die("seen")
        })
      )
      yield* Effect.flip(get("a")).pipe(Effect.provideService(Tenant, "acme"), Effect.provide(layerOf(store)))
      expect(seen).toEqual(["acme"])
    }).pipe(quietly)
  )

  it.live("whose answer came while this process was busy has answered", () =>
    Effect.gen(function* () {
      const answering: CacheStore.CacheStore = {
        ...storeOf(() => Effect.never),
        read: (keys) => Effect.delay(Effect.succeed(keys.map(() => undefined)), 50)
      }
      yield* Effect.gen(function* () {
        const read = yield* Effect.fork(get("a"))
        yield* Effect.sleep(1)
        blockedFor(1_000)
        expect(yield* Fiber.join(read)).toEqual(Option.none())
      }).pipe(Effect.provide(layerOf(answering, { timeout: 300 })))
    })
  )
})

it.live("a read that fails because the layer closes is no outage: one warning says that the layer is closed", () =>
  Effect.gen(function* () {
    const [asked, ended] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
    const disconnected = new CacheError({ reason: "Unavailable", operation: "read", description: "disconnected" })
    const store = storeOf(() =>
      Effect.zipRight(Deferred.succeed(asked, undefined), Effect.zipRight(Deferred.await(ended), disconnected))
    )
    const scope = yield* Scope.make()
    const context = yield* Layer.buildWithScope(
      StoreBackend.layer(Effect.acquireRelease(Effect.succeed(store), () => Deferred.succeed(ended, undefined))),
      scope
    )
    const lines: Array<string> = []
    const logger = Logger.replace(
      Logger.defaultLogger,
      Logger.make(({ message }) => void lines.push(String(message)))
    )
    const value = cached(() => Effect.succeed("value"), { key: "closing" })
    const calls = Effect.zip(value(), Effect.flip(get("closing")), { concurrent: true })
    const fiber = yield* Effect.fork(calls.pipe(Effect.provide(context), Effect.provide(logger)))
    yield* Deferred.await(asked)
    yield* Scope.close(scope, Exit.void)
    const [computed, error] = yield* Fiber.join(fiber)
    expect(computed).toBe("value")
    expect(error).toMatchObject({ reason: "Unavailable", description: "the layer of the cache is closed" })
    expect(lines).toEqual(["The layer of the cache is closed, computing without it closing()"])
  })
)
