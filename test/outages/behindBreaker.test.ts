import { assert, describe, it } from "@effect/vitest"
import { Context, Deferred, Effect, Either, Exit, Fiber, Layer, Metric, Option, Runtime, TestClock } from "effect"
import { CacheBackend, CacheError, type CacheStore, cached, type StoreBackend } from "effect-cached"
import { backendLayer } from "../../src/internal/backend/layer.js"
import { CircuitOpen, NoFreeConnection, PartialOutage } from "../../src/internal/outages/outage.js"
import { fused } from "../../src/internal/stores/fused.js"
import * as MemoryStore from "../../src/internal/stores/memory/MemoryStore.js"
import type { FusedRead } from "../../src/internal/stores/Store.js"
import { type AnyStore, engineStore, plain } from "../support/stores.js"

/** A store that can be switched off, and counts its calls. */
class Server {
  up = true
  /** Answers each write with an error of its own. */
  readOnly = false
  /** Fails to store, but can be read and removes. */
  full: "StoreFailed" | "Timeout" | undefined
  asked = 0
  mode: "Unavailable" | "Timeout" | "StoreFailed" = "Unavailable"
  cause: unknown

  constructor(private readonly answersBy: "effects" | "callbacks") {}

  readonly store = Effect.zipWith(
    MemoryStore.make({ maxEntries: 1_000, maxBytes: undefined, copy: true }),
    Effect.runtime<never>(),
    (inner, runtime): AnyStore => {
      const memory = plain(inner)
      const reached = <A>(operation: string, effect: Effect.Effect<A, CacheError>): Effect.Effect<A, CacheError> =>
        Effect.suspend(() => {
          this.asked++
          const isRefused = this.readOnly && operation !== "read"
          if (isRefused) {
            return Effect.fail(new CacheError({ reason: "StoreFailed", operation, description: "read-only" }))
          }
          if (this.full !== undefined && ["write", "add", "replace"].includes(operation)) {
            return Effect.fail(new CacheError({ reason: this.full, operation, description: "full" }))
          }
          return this.up
            ? effect
            : Effect.fail(
                new CacheError({ reason: this.mode, operation, description: "switched off", cause: this.cause })
              )
        })
      const read: CacheStore.CacheStore["read"] = (keys) => reached("read", memory.read(keys))
      const fusedRead: FusedRead<CacheStore.StoredEntry> = (_fiber, keys, onFound, onFailure) =>
        Effect.async((resume) => {
          Runtime.runCallback(runtime)(Effect.either(read(keys)), {
            onExit: (exit) => resume(Effect.flatMap(exit, Either.match({ onLeft: onFailure, onRight: onFound })))
          })
        })
      const store: CacheStore.CacheStore = {
        ...memory,
        name: "switched",
        location: "network",
        read,
        write: (items) => reached("write", memory.write(items)),
        add: (key, entry) => reached("add", memory.add(key, entry)),
        replace: (key, token, entry) => reached("replace", memory.replace(key, token, entry)),
        remove: (keys) => reached("remove", memory.remove(keys)),
        clear: reached("clear", memory.clear)
      }
      return this.answersBy === "callbacks"
        ? { ...store, local: undefined, joinsTransaction: undefined, read: fusedRead, write: fused(store.write) }
        : store
    }
  )
}

const layerOver = <E, R>(store: Effect.Effect<AnyStore, E, R>, options: StoreBackend.OutageOptions = {}) =>
  backendLayer(Effect.map(store, engineStore), options)

let computations = 0
const counted = cached((n: number) => Effect.sync(() => n * 100 + ++computations), {
  key: "counted",
  ttl: "1 hour",
  groups: ["all"]
})

const isOpen = Effect.map(Metric.snapshot, (pairs) =>
  pairs.some(
    ({ metricKey, metricState }) =>
      metricKey.name === "effect_cached_breaker_open" &&
      metricKey.tags.some((tag) => tag.value === "switched") &&
      "value" in metricState &&
      metricState.value === 1
  )
)

describe("the gauge of open breakers", () => {
  const closing = Effect.gen(function* () {
    const end = yield* Deferred.make<never, CacheError>()
    const description = "the connection is closed"
    yield* Effect.addFinalizer(() =>
      Deferred.fail(end, new CacheError({ reason: "Unavailable", operation: "close", description }))
    )
    const memory = plain(yield* MemoryStore.make({ maxEntries: 10, maxBytes: undefined, copy: true }))
    return { ...memory, name: "switched", location: "network" as const, read: () => Deferred.await(end) }
  })

  it.effect("does not count failures while a layer closes", () =>
    Effect.gen(function* () {
      const calls = yield* Effect.flatMap(CacheBackend, (cache) =>
        Effect.zipLeft(
          Effect.all(Array.from({ length: 10 }, () => Effect.forkDaemon(cache.get("key")))),
          Effect.yieldNow()
        )
      ).pipe(Effect.provide(layerOver(closing)))
      for (const call of calls) assert.isTrue(Exit.isFailure(yield* Fiber.await(call)))
      assert.isFalse(yield* isOpen)
    })
  )

  it.effect("counts the open breakers of all layers", () =>
    Effect.gen(function* () {
      const broken = Effect.gen(function* () {
        const server = new Server("effects")
        const layer = layerOver(server.store, { breaker: { failures: 1, retryAfter: "1 hour" } })
        const cache = Context.get(yield* Layer.build(layer), CacheBackend)
        server.up = false
        yield* Effect.flip(cache.get("key"))
      })
      yield* Effect.scoped(
        Effect.zipRight(
          broken,
          Effect.gen(function* () {
            yield* Effect.scoped(broken)
            assert.isTrue(yield* isOpen)
          })
        )
      )
      assert.isFalse(yield* isOpen)
    })
  )
})

for (const answersBy of ["effects", "callbacks"] as const) {
  const withServer = <A, E>(
    options: StoreBackend.OutageOptions,
    use: (server: Server, cache: CacheBackend["Type"]) => Effect.Effect<A, E, CacheBackend>
  ) => {
    const server = new Server(answersBy)
    return Effect.flatMap(CacheBackend, (cache) => use(server, cache)).pipe(
      Effect.provide(layerOver(server.store, options))
    )
  }

  describe(`the circuit breaker, over a store that answers by ${answersBy}`, () => {
    it.effect(
      "opens after five failures in a row, skips the store, and closes by a probe that no caller waits for",
      () =>
        withServer({ breaker: { failures: 5, retryAfter: "1 second" } }, (server, cache) =>
          Effect.gen(function* () {
            const first = yield* counted(1)
            server.up = false
            for (let call = 0; call < 4; call++) yield* counted(1)
            assert.isFalse(yield* isOpen)
            yield* counted(1)
            assert.isTrue(yield* isOpen)

            const asked = server.asked
            for (let call = 0; call < 100; call++) assert.notStrictEqual(yield* counted(1), first)
            const failure = yield* Effect.flip(cache.get("other"))
            assert.strictEqual(failure.reason, "Unavailable")
            assert.strictEqual(server.asked, asked)

            yield* TestClock.adjust("3500 millis")
            assert.strictEqual(server.asked, asked + 3)
            server.up = true
            yield* counted(1)
            assert.strictEqual(server.asked, asked + 3)
            yield* TestClock.adjust("1 second")
            assert.isFalse(yield* isOpen)
            assert.strictEqual(yield* counted(1), first)
          })
        )
    )

    it.effect("counts failing sets, and skips sets too", () =>
      withServer({ breaker: { failures: 3, retryAfter: "1 hour" } }, (server, cache) =>
        Effect.gen(function* () {
          server.up = false
          yield* Effect.flip(cache.set("key", 1))
          yield* Effect.flip(cache.set("key", 1))
          server.up = true
          yield* cache.set("key", 1)
          server.up = false
          for (let failure = 0; failure < 3; failure++) {
            assert.isFalse(yield* isOpen)
            yield* Effect.flip(cache.set("key", 2))
          }
          assert.isTrue(yield* isOpen)
          const asked = server.asked
          assert.strictEqual((yield* Effect.flip(cache.set("key", 2))).reason, "Unavailable")
          assert.strictEqual(server.asked, asked)
        })
      ).pipe(
        // once the layer is closed, its breaker does not count as open any more
        Effect.zipRight(isOpen),
        Effect.map((afterTheLayer) => assert.isFalse(afterTheLayer))
      )
    )

    it.effect("opens where the store refuses every read, and closes once it answers", () =>
      withServer({ breaker: { failures: 3, retryAfter: "1 second" } }, (server, cache) =>
        Effect.gen(function* () {
          yield* cache.set("key", 1)
          server.up = false
          server.mode = "StoreFailed"
          for (let round = 0; round < 3; round++) {
            assert.isFalse(yield* isOpen)
            assert.strictEqual((yield* Effect.flip(cache.get("key"))).reason, "StoreFailed")
          }
          assert.isTrue(yield* isOpen)
          yield* TestClock.adjust("1 second")
          assert.isTrue(yield* isOpen)
          server.up = true
          yield* TestClock.adjust("1 second")
          assert.deepStrictEqual(yield* cache.get("key"), Option.some(1))
        })
      )
    )

    it.effect("opens where the store refuses every write, though it can be read, until it takes one", () =>
      withServer({ breaker: { failures: 3, retryAfter: "1 second" } }, (server, cache) =>
        Effect.gen(function* () {
          yield* cache.set("key", 1)
          server.readOnly = true
          for (const key of ["a", "b", "c"]) {
            assert.isFalse(yield* isOpen)
            assert.deepStrictEqual(yield* cache.get("key"), Option.some(1))
            yield* Effect.flip(cache.set(key, 1))
          }
          assert.isTrue(yield* isOpen)
          yield* TestClock.adjust("3 seconds")
          assert.isTrue(yield* isOpen)
          server.readOnly = false
          yield* TestClock.adjust("1 second")
          assert.isFalse(yield* isOpen)
          assert.deepStrictEqual(yield* cache.get("key"), Option.some(1))
        })
      )
    )

    for (const full of ["StoreFailed", "Timeout"] as const) {
      it.effect(`serves and removes what the store has, where all that it is to store ends with ${full}`, () =>
        withServer({ breaker: { failures: 3, retryAfter: "1 second" } }, (server, cache) =>
          Effect.gen(function* () {
            const [first, second] = [yield* counted(1), yield* counted(2)]
            server.full = full
            // A hit or a removal between two writes is no sign that writes work.
            for (const n of [11, 12, 13]) {
              assert.isFalse(yield* isOpen)
              yield* counted(n)
              yield* counted.invalidate(n)
              assert.strictEqual(yield* counted(1), first)
            }
            assert.isTrue(yield* isOpen)
            const hits = (yield* cache.stats).hits
            for (let minute = 0; minute < 3; minute++) {
              yield* TestClock.adjust("1 minute")
              assert.isTrue(yield* isOpen)
              for (let call = 0; call < 100; call++) assert.strictEqual(yield* counted(1), first)
            }
            assert.strictEqual((yield* cache.stats).hits, hits + 300)

            const asked = server.asked
            yield* counted(14)
            assert.strictEqual(server.asked, asked + 1)
            assert.strictEqual((yield* Effect.flip(cache.set("key", 1))).reason, "Unavailable")
            assert.strictEqual(server.asked, asked + 1)

            yield* counted.invalidate(1)
            assert.notStrictEqual(yield* counted(1), first)
            assert.strictEqual(yield* counted(2), second)
            yield* cache.invalidateGroup("all")
            assert.notStrictEqual(yield* counted(2), second)

            server.full = undefined
            yield* TestClock.adjust("1 second")
            assert.isFalse(yield* isOpen)
            const stored = yield* counted(1)
            assert.strictEqual(yield* counted(1), stored)
          })
        )
      )
    }

    for (const breaker of [{ failures: 3 }, false] as const) {
      it.effect(`computes a key once at a time where nothing can be stored, breaker: ${JSON.stringify(breaker)}`, () =>
        withServer({ breaker }, (server) =>
          Effect.gen(function* () {
            let [running, most, begun] = [0, 0, 0]
            const slow = cached(
              (_key: string) =>
                Effect.acquireUseRelease(
                  Effect.sync(() => {
                    begun++
                    most = Math.max(most, ++running)
                  }),
                  () => Effect.sleep("1 second"),
                  () => Effect.sync(() => running--)
                ),
              { key: "slow", ttl: "1 minute", stale: "1 hour" }
            )
            const first = yield* Effect.fork(slow("stale"))
            yield* TestClock.adjust("1 second")
            yield* Fiber.join(first)
            yield* TestClock.adjust("2 minutes")
            server.full = "StoreFailed"
            begun = 0
            most = 0
            for (const key of ["stale", "gone"]) {
              const calls = yield* Effect.forEach(Array.from({ length: 100 }), () =>
                Effect.zipLeft(Effect.fork(slow(key)), TestClock.adjust("30 millis"))
              )
              yield* TestClock.adjust("1 minute")
              for (const call of calls) yield* Fiber.join(call)
            }
            assert.strictEqual(most, 1)
            assert.isAtMost(begun, 8)
          })
        )
      )
    }

    it.effect("removes what the store has of a group, where it refuses to store a new version", () =>
      withServer({ breaker: false }, (server, cache) =>
        Effect.gen(function* () {
          const first = yield* counted(1)
          server.full = "StoreFailed"
          yield* cache.invalidateGroup("all")
          server.full = undefined
          assert.notStrictEqual(yield* counted(1), first)
        })
      )
    )

    it.effect("serves what a store has that may only be read, and queues invalidations until it takes them", () =>
      withServer({ breaker: { failures: 3, retryAfter: "1 second" }, queueInvalidations: true }, (server) =>
        Effect.gen(function* () {
          const [first, second] = [yield* counted(1), yield* counted(2)]
          server.readOnly = true
          for (const n of [11, 12, 13]) yield* counted(n)
          assert.isTrue(yield* isOpen)
          assert.strictEqual(yield* counted(1), first)
          yield* counted.invalidate(1)
          assert.notStrictEqual(yield* counted(1), first)
          yield* TestClock.adjust("3 seconds")
          assert.strictEqual(yield* counted(2), second)
          server.readOnly = false
          yield* TestClock.adjust("3 seconds")
          assert.isFalse(yield* isOpen)
          const stored = yield* counted(1)
          assert.notStrictEqual(stored, first)
          assert.strictEqual(yield* counted(1), stored)
        })
      )
    )

    it.effect("goes on storing where only removals are refused, which fail", () =>
      withServer({ breaker: { failures: 3, retryAfter: "1 second" } }, (server) =>
        Effect.gen(function* () {
          yield* counted(1)
          server.readOnly = true
          for (let n = 0; n < 10; n++) {
            assert.strictEqual((yield* Effect.flip(counted.invalidate(n))).reason, "StoreFailed")
          }
          assert.isFalse(yield* isOpen)
        })
      )
    )

    it.effect("stays closed where one record is refused again and again, or others are written in between", () =>
      withServer({ breaker: { failures: 3, retryAfter: "1 second" } }, (server, cache) =>
        Effect.gen(function* () {
          for (let round = 0; round < 10; round++) {
            server.readOnly = true
            yield* Effect.flip(cache.set("refused", 1))
          }
          assert.isFalse(yield* isOpen)
          for (let round = 0; round < 10; round++) {
            server.readOnly = true
            yield* Effect.flip(cache.set(`refused ${round}`, 1))
            server.readOnly = false
            yield* cache.set("written", 1)
          }
          assert.isFalse(yield* isOpen)
        })
      )
    )

    it.effect("a success in between does not count", () =>
      withServer({ breaker: { failures: 2 } }, (server, cache) =>
        Effect.gen(function* () {
          for (let round = 0; round < 5; round++) {
            server.up = false
            yield* Effect.flip(cache.get("key"))
            server.up = true
            yield* cache.get("key")
          }
          server.up = false
          server.mode = "Timeout"
          yield* Effect.flip(cache.get("key"))
          yield* Effect.flip(cache.get("key"))
          assert.isTrue(yield* isOpen)
        })
      )
    )

    for (const [what, cause] of [
      ["what the store refuses by itself", new CircuitOpen({ store: "switched" })],
      ["what fails on one of its servers", new PartialOutage({ store: "switched" })],
      ["what gets no connection of the program's pool", new NoFreeConnection({ store: "switched" })]
    ] as const) {
      it.effect(`${what} does not open it, nor keeps it open`, () =>
        withServer({ breaker: { failures: 2, retryAfter: "1 second" }, queueInvalidations: true }, (server, cache) =>
          Effect.gen(function* () {
            const before = yield* counted(1)
            server.up = false
            server.cause = cause
            const asked = server.asked
            for (let round = 0; round < 10; round++) yield* Effect.flip(cache.get("key"))
            assert.strictEqual(server.asked, asked + 10)
            yield* counted.invalidate(1)

            server.cause = undefined
            for (let round = 0; round < 2; round++) yield* Effect.flip(cache.get("key"))
            assert.isTrue(yield* isOpen)
            server.cause = cause
            yield* TestClock.adjust("1 second")
            assert.isFalse(yield* isOpen)
            yield* Effect.flip(cache.get("key"))

            // Keys that were invalidated meanwhile are still replayed before they are read.
            server.up = true
            assert.notStrictEqual(yield* counted(1), before)
            yield* TestClock.adjust("1 second")
            const after = yield* counted(1)
            assert.notStrictEqual(after, before)
            assert.strictEqual(yield* counted(1), after)
          })
        )
      )
    }

    it.effect("breaker: false asks the store each time", () =>
      withServer({ breaker: false }, (server, cache) =>
        Effect.gen(function* () {
          server.up = false
          for (let call = 0; call < 20; call++) yield* Effect.flip(cache.get("key"))
          assert.strictEqual(server.asked, 20)
        })
      )
    )

    for (const [what, options] of [
      ["settings out of range", { breaker: { failures: 0 } }],
      ["invalidations in a queue that nobody would replay", { breaker: false, queueInvalidations: true }]
    ] as const) {
      it.effect(`refuses ${what} when the layer is built`, () =>
        Effect.gen(function* () {
          const built = yield* Effect.flip(withServer(options, () => Effect.void))
          assert.strictEqual(built.reason, "InvalidOption")
        })
      )
    }
  })

  describe(`an invalidation during an outage of a store that answers by ${answersBy}`, () => {
    it.effect("fails loudly", () =>
      withServer({}, (server, cache) =>
        Effect.gen(function* () {
          server.up = false
          for (const operation of [counted.invalidate(1), cache.invalidateGroup("all"), cache.clear]) {
            const failed = yield* Effect.either(operation)
            assert.isTrue(Either.isLeft(failed) && failed.left.reason === "Unavailable")
          }
        })
      )
    )

    const kept = [
      ["invalidate", (_cache: CacheBackend["Type"]) => counted.invalidate(1)],
      ["invalidateGroup", (cache: CacheBackend["Type"]) => cache.invalidateGroup("all")],
      ["clear", (cache: CacheBackend["Type"]) => cache.clear]
    ] as const

    for (const [name, invalidate] of kept) {
      it.effect(`queueInvalidations: ${name} is replayed before its keys are read again`, () =>
        withServer({ queueInvalidations: true, breaker: { failures: 3, retryAfter: "1 second" } }, (server, cache) =>
          Effect.gen(function* () {
            const before = yield* counted(1)
            server.up = false
            yield* invalidate(cache)
            server.up = true
            // The store is back before any probe: the old value is in it, and must not be read.
            const unprobed = yield* counted(1)
            assert.notStrictEqual(unprobed, before)
            yield* TestClock.adjust("1 second")
            const after = yield* counted(1)
            assert.notStrictEqual(after, before)
            assert.strictEqual(yield* counted(1), after)
          })
        )
      )
    }

    it.effect("queueInvalidations: an invalidation that is repeated while it is replayed is replayed again", () =>
      withServer({ queueInvalidations: true, breaker: { failures: 1, retryAfter: "1 second" } }, (server) =>
        Effect.gen(function* () {
          yield* counted(1)
          for (let outage = 0; outage < 3; outage++) {
            server.up = false
            yield* counted.invalidate(1)
            yield* counted.invalidate(1)
            server.up = true
            yield* TestClock.adjust("2 seconds")
          }
          const value = yield* counted(1)
          assert.strictEqual(yield* counted(1), value)
        })
      )
    )

    it.effect("queueInvalidations: a value set after the invalidation is newer than it", () =>
      withServer({ queueInvalidations: true, breaker: { failures: 9, retryAfter: "1 hour" } }, (server, cache) =>
        Effect.gen(function* () {
          yield* counted(1)
          server.up = false
          yield* counted.invalidate(1)
          server.up = true
          yield* cache.set("counted(1)", "set later")
          assert.deepStrictEqual(yield* cache.get("counted(1)"), Option.some("set later"))
        })
      )
    )
  })
}
