/** Who listens to the events of a cache, for how long, and at what price. */
import { assert, describe, it } from "@effect/vitest"
import {
  Chunk,
  Context,
  Deferred,
  Effect,
  Exit,
  Fiber,
  Layer,
  Logger,
  LogLevel,
  Option,
  Schema,
  Scope,
  Stream
} from "effect"
import {
  CacheBackend,
  type CacheEvent,
  cached,
  events,
  inspect,
  MemoryBackend,
  NoopBackend,
  StoreBackend,
  TieredBackend
} from "effect-cached"
import * as MemoryStore from "../../src/internal/stores/memory/MemoryStore.js"
import { mostWaiting } from "../../src/internal/telemetry/Events.js"
import { eventually } from "../suites/cached/ground.js"
import { asyncStore } from "../support/asyncStore.js"
import { memoryStore } from "../support/backend.js"
import { isListened, listening } from "../support/listening.js"
import { plain } from "../support/stores.js"

const whenListened = (wanted: boolean) =>
  Effect.flatMap(CacheBackend, (cache) =>
    eventually(
      Effect.sync(() => isListened(cache)),
      (listened) => listened === wanted
    )
  )

const memoryCopies = MemoryStore.make({ maxEntries: 1_000, maxBytes: undefined, copy: true })

const memory = Effect.provide(MemoryBackend.layer())

describe("a stream of events", () => {
  it.effect("exists while somebody listens: two listeners hear the same, and none is left behind", () =>
    Effect.gen(function* () {
      const cache = yield* CacheBackend
      assert.isFalse(isListened(cache))
      const first = yield* Effect.fork(Stream.runCollect(Stream.take(cache.events, 2)))
      yield* whenListened(true)
      const second = yield* Effect.fork(Stream.runCollect(Stream.take(events, 3)))
      yield* eventually(cache.get("wait"), () => first.unsafePoll() !== null)
      yield* eventually(cache.get("wait"), () => second.unsafePoll() !== null)
      const heard = (yield* Fiber.join(first)).pipe(
        Chunk.map(({ _tag, key }) => [_tag, key]),
        Chunk.toReadonlyArray
      )
      assert.deepStrictEqual(heard, [
        ["Miss", "wait"],
        ["Miss", "wait"]
      ])
      yield* Fiber.join(second)
      yield* whenListened(false)
    }).pipe(memory)
  )

  it.effect("is left by an interruption, at whichever step", () =>
    Effect.gen(function* () {
      const cache = yield* CacheBackend
      for (let steps = 0; steps < 30; steps++) {
        const listener = yield* Effect.fork(Stream.runDrain(cache.events))
        for (let step = 0; step < steps; step++) yield* Effect.yieldNow()
        yield* cache.get("a")
        yield* Fiber.interrupt(listener)
        assert.isFalse(isListened(cache))
      }
    }).pipe(memory)
  )

  it.effect("drops the oldest events of a listener that is slow, and slows nobody down", () =>
    Effect.gen(function* () {
      const cache = yield* CacheBackend
      const gate = yield* Deferred.make<void>()
      const heard: Array<CacheEvent> = []
      const slow = yield* Effect.fork(
        Stream.runForEach(cache.events, (event) =>
          Effect.zipRight(
            Deferred.await(gate),
            Effect.sync(() => heard.push(event))
          )
        )
      )
      yield* whenListened(true)
      yield* cache.get("first")
      yield* eventually(Effect.yieldNow(), () => true)
      const calls = 3 * mostWaiting
      for (let call = 0; call < calls; call++) yield* cache.get(`${call}`)
      yield* Deferred.succeed(gate, undefined)
      yield* eventually(
        Effect.sync(() => heard.at(-1)?.key),
        (key) => key === `${calls - 1}`
      )
      assert.isAtMost(heard.length, 2 * mostWaiting + 1)
      const last = heard.slice(-mostWaiting).map(({ key }) => key)
      assert.deepStrictEqual(
        last,
        Array.from({ length: mostWaiting }, (_, index) => `${calls - mostWaiting + index}`)
      )
      yield* Fiber.interrupt(slow)
    }).pipe(memory)
  )

  it.effect("ends with the layer, and is empty after it", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const context = yield* Layer.buildWithScope(MemoryBackend.layer(), scope)
      const cache = yield* Effect.provide(CacheBackend, context)
      const listener = yield* Effect.fork(Stream.runCollect(cache.events))
      yield* Effect.provide(whenListened(true), context)
      yield* cache.set("a", 1)
      yield* Scope.close(scope, Exit.void)
      assert.deepStrictEqual(
        Chunk.toReadonlyArray(yield* Fiber.join(listener)).map(({ _tag }) => _tag),
        ["Stored"]
      )
      assert.deepStrictEqual(Chunk.toReadonlyArray(yield* Stream.runCollect(cache.events)), [])
      assert.isFalse(isListened(cache))
    })
  )
})

describe("a hit", () => {
  const hits = (tags: ReadonlyArray<CacheEvent>) =>
    tags.flatMap((event) => (event._tag === "Hit" ? [`${event.key} ${event.tier}`] : []))

  const over = { memory: MemoryBackend.layer(), copies: MemoryBackend.layer({ copy: true }) }
  for (const [name, layer] of Object.entries(over)) {
    it.scoped(`is told each time, in a generator and outside, out of memory: ${name}`, () =>
      Effect.gen(function* () {
        const f = cached((n: number) => Effect.succeed(n), { key: "f", groups: ["group"] })
        const byGroup = cached((n: number) => Effect.succeed(n), { key: "g", groups: (n) => [`${n}`] })
        const picked = cached((n: { readonly id: number }) => Effect.succeed(n), { key: "h", keyArgs: ({ id }) => id })
        const call = Effect.gen(function* () {
          yield* f(1)
          yield* byGroup(1)
          yield* picked({ id: 1 })
        })
        yield* call
        yield* call
        const heard = yield* listening(yield* CacheBackend)
        yield* call
        yield* Effect.all([f(1), byGroup(1), picked({ id: 1 })])
        const told = hits(yield* heard.about("", 6))
        assert.deepStrictEqual(told, [
          "f(1) false",
          "g(1) false",
          "h(1) false",
          "f(1) false",
          "g(1) false",
          "h(1) false"
        ])
        yield* f.requireCache(1)
        assert.strictEqual(hits(yield* heard.about("", 7)).length, 7)
      }).pipe(Effect.provide(layer))
    )
  }

  for (const level of [LogLevel.Info, LogLevel.Debug]) {
    it.scoped(`in a tier is told apart from one of the store, at log level ${level.label}`, () =>
      Effect.gen(function* () {
        const store = { ...plain(yield* memoryCopies), location: "network" as const }
        const below = StoreBackend.layer(Effect.succeed(store))
        const other = Context.get(yield* Layer.build(Layer.fresh(below)), CacheBackend)
        const tier = Layer.provide(TieredBackend.layer({ maxStaleness: "1 hour" }), Layer.fresh(below))
        const cache = Context.get(yield* Layer.build(tier), CacheBackend)
        const slow = Schema.transformOrFail(Schema.Number, Schema.Number, {
          decode: (n) => Effect.as(Effect.yieldNow(), n),
          encode: (n) => Effect.as(Effect.yieldNow(), n)
        })
        const functions = {
          plain: cached((n: number) => Effect.succeed(n), { key: "plain" }),
          grouped: cached((n: number) => Effect.succeed(n), { key: "grouped", groups: (n) => [`${n}`] }),
          async: cached((n: number) => Effect.succeed(n), { key: "async", schema: slow }),
          early: cached((n: number) => Effect.succeed(n), { key: "early", earlyRefresh: 0.001, ttl: "1 day" })
        }
        const heard = yield* listening(cache)
        for (const [name, f] of Object.entries(functions)) {
          yield* Effect.provideService(f(1), CacheBackend, other) // computes in another process
          const here = Effect.provideService(CacheBackend, cache)
          yield* here(f(1)) // from below
          yield* here(f(1)) // near
          yield* here(f.requireCache(1))
          yield* cache.get(f.cacheKey(1))
          yield* cache.getMany([f.cacheKey(1)])
          assert.deepStrictEqual(
            hits(yield* heard.about(name, 5)),
            [false, true, true, true, true].map((tier) => `${name}(1) ${tier}`)
          )
        }
      }).pipe(Logger.withMinimumLogLevel(level), Effect.provide(Logger.remove(Logger.defaultLogger)))
    )
  }
})

it.scoped("of a store that is away, and of a cache that is switched off", () =>
  Effect.gen(function* () {
    const f = cached(() => Effect.succeed(1), { key: "f" })
    const tags = (layer: Layer.Layer<CacheBackend, unknown>, count: number) =>
      Effect.gen(function* () {
        const heard = yield* listening(yield* CacheBackend)
        yield* f()
        return (yield* heard.about("f", count)).map(({ _tag }) => _tag)
      }).pipe(Effect.provide(layer), Logger.withMinimumLogLevel(LogLevel.None))
    const away = Effect.map(memoryStore, (store) =>
      plain(asyncStore(store, () => ({ there: 0, back: 0, fault: "refused" })))
    )
    assert.deepStrictEqual(yield* tags(StoreBackend.layer(away), 3), ["StoreError", "Miss", "Computed"])
    assert.deepStrictEqual(yield* tags(NoopBackend.layer, 2), ["Miss", "Computed"])
  })
)

it.scoped("with redactKeys no event holds an argument, a key or the name of a group", () =>
  Effect.gen(function* () {
    const cache = yield* CacheBackend
    const heard = yield* listening(cache)
    const f = cached((user: string) => Effect.succeed(user), { key: "profile", groups: (user) => [user] })
    const secret = "ann@example.com"
    yield* f(secret)
    yield* f(secret)
    yield* f.forceRecalc(secret)
    yield* f.invalidate(secret)
    yield* cache.set(secret, secret)
    yield* cache.get(secret)
    yield* cache.add(secret, secret)
    yield* cache.setMany([[secret, 1]])
    yield* cache.increment(secret)
    yield* cache.delete(secret)
    yield* cache.getOrSet(["user", secret], Effect.succeed(secret))
    yield* cache.invalidateGroup(secret)
    const found = yield* heard.about("#", 15)
    assert.strictEqual(found.length, heard.events.length)
    assert.notInclude(JSON.stringify(heard.events), secret)
    assert.match(`${heard.events[0]?.key}`, /^profile\(#[0-9a-f]{12}\)$/)
    // What the program asks about its own keys is no log.
    yield* f(secret)
    assert.deepStrictEqual(
      Option.map(yield* inspect(f.cacheKey(secret)), ({ groups }) => groups),
      Option.some([secret])
    )
  }).pipe(Effect.provide(MemoryBackend.layer({ redactKeys: true })))
)
