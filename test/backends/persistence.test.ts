/** What `@effect/experimental` promises of a persistence holds over every backend. */
import { Persistence as Experimental, RequestResolver as Persisted, PersistedCache } from "@effect/experimental"
import { assert, describe, it } from "@effect/vitest"
import { deepStrictEqual } from "@effect/vitest/utils"
import { Duration, Effect, Exit, Layer, Option, PrimaryKey, Request, RequestResolver, Schema, TestClock } from "effect"
import { CacheBackend, CacheError, MemoryBackend, StoreBackend } from "effect-cached"
import * as Persistence from "effect-cached/Persistence"
import { asyncStore } from "../support/asyncStore.js"
import { memoryStore } from "../support/backend.js"
import { everyBackend } from "../support/everyBackend.js"
import { warned } from "../support/warned.js"

class User extends Schema.Class<User>("User")({
  id: Schema.Number,
  name: Schema.String,
  born: Schema.Date
}) {}

class UserById extends Schema.TaggedRequest<UserById>()("UserById", {
  payload: { id: Schema.Number },
  success: User,
  failure: Schema.Struct({ unknown: Schema.Number })
}) {
  [PrimaryKey.symbol]() {
    return `${this.id}`
  }
}

const user = (id: number) => new User({ id, name: "John", born: new Date(1_700_000_000_000) })

const look = (id: number) => (id < 0 ? Effect.fail({ unknown: id }) : Effect.succeed(user(id)))

const cacheOf = (looked: Array<number>, storeId = "users", ttl: Duration.DurationInput = "1 minute") =>
  PersistedCache.make({
    storeId,
    lookup: ({ id }: UserById) =>
      Effect.suspend(() => {
        looked.push(id)
        return look(id)
      }),
    timeToLive: () => ttl,
    inMemoryCapacity: 1,
    inMemoryTTL: 1
  })

const none = Option.none<Duration.Duration>()
const seconds = (count: number) => Option.some(Duration.seconds(count))

for (const [name, backend] of Object.entries(everyBackend())) {
  describe(`Persistence on ${name}`, () => {
    /** The store under this id, over the same backend as those of other ids. */
    const withStores = <A, E, R>(use: (make: Experimental.BackingPersistence["make"]) => Effect.Effect<A, E, R>) =>
      Effect.gen(function* () {
        const { make } = yield* Experimental.BackingPersistence
        return yield* use(make)
      }).pipe(Effect.provide(Persistence.layer.pipe(Layer.provide(backend()))))

    it.scoped("gives back what was set, with each method", () =>
      withStores((make) =>
        Effect.gen(function* () {
          const store = yield* make("users")
          deepStrictEqual(yield* store.get("a"), Option.none())
          yield* store.set("a", { name: "a" }, none)
          yield* store.setMany([
            ["b", ["b"], seconds(10)],
            ["c", null, none],
            ["d", "first", none],
            ["d", "last", seconds(10)]
          ])
          deepStrictEqual(yield* store.get("a"), Option.some({ name: "a" }))
          deepStrictEqual(yield* store.getMany(["d", "a", "missing", "c", "b", "a"]), [
            Option.some("last"),
            Option.some({ name: "a" }),
            Option.none(),
            Option.some(null),
            Option.some(["b"]),
            Option.some({ name: "a" })
          ])
          deepStrictEqual(yield* store.getMany([]), [])
          yield* store.setMany([])
          yield* store.remove("a")
          yield* store.remove("never there")
          deepStrictEqual(yield* store.get("a"), Option.none())
        })
      )
    )

    it.scoped("values end with their time to live, and those without one not before they are removed", () =>
      withStores((make) =>
        Effect.gen(function* () {
          const store = yield* make("users")
          yield* store.set("short", 1, seconds(10))
          yield* store.set("at once", 1, seconds(0))
          yield* store.set("forever", 1, none)
          yield* store.setMany([
            ["short of many", 1, seconds(10)],
            ["forever of many", 1, none]
          ])
          const keys = ["short", "at once", "forever", "short of many", "forever of many"]
          const there = Effect.map(store.getMany(keys), (found) =>
            keys.filter((_, index) => Option.isSome(found[index] ?? Option.none()))
          )
          deepStrictEqual(yield* there, ["short", "forever", "short of many", "forever of many"])
          yield* TestClock.adjust("10 seconds")
          deepStrictEqual(yield* there, ["forever", "forever of many"])
          // longer than the layer's own default
          yield* TestClock.adjust("10 minutes")
          deepStrictEqual(yield* there, ["forever", "forever of many"])
        })
      )
    )

    it.scoped("clear empties its own store at once, and no other", () =>
      withStores((make) =>
        Effect.gen(function* () {
          const [users, same, others] = yield* Effect.all([make("users"), make("users"), make("user")])
          yield* users.set("a", 1, none)
          yield* others.set("a", 2, none)
          deepStrictEqual(yield* same.get("a"), Option.some(1))
          yield* same.clear
          deepStrictEqual(yield* users.getMany(["a", "b"]), [Option.none(), Option.none()])
          deepStrictEqual(yield* others.get("a"), Option.some(2))
          yield* users.set("a", 3, none)
          deepStrictEqual(yield* users.get("a"), Option.some(3))
        })
      )
    )

    it.scoped("keys and ids are told apart whatever is in them", () =>
      withStores((make) =>
        Effect.gen(function* () {
          const pairs: ReadonlyArray<readonly [string, string]> = [
            ["a", "b:c"],
            ["a:b", "c"],
            ["", "a"],
            ["a", ""],
            ['a"', ',"b'],
            ["x".repeat(400), "y".repeat(400)],
            ["x".repeat(400), "y".repeat(401)],
            ["Ünï", "\u0000\ud800"]
          ]
          for (const [index, [id, key]] of pairs.entries()) yield* (yield* make(id)).set(key, index, none)
          for (const [index, [id, key]] of pairs.entries()) {
            deepStrictEqual(yield* (yield* make(id)).get(key), Option.some(index))
          }
        })
      )
    )

    it.scoped("PersistedCache looks up once, also after its own memory is gone, errors included", () =>
      Effect.gen(function* () {
        const looked: Array<number> = []
        const get = (id: number) =>
          Effect.flatMap(cacheOf(looked), (cache) => Effect.exit(cache.get(new UserById({ id }))))
        for (let round = 0; round < 3; round++) {
          deepStrictEqual(yield* get(1), Exit.succeed(user(1)))
          deepStrictEqual(yield* get(-1), Exit.fail({ unknown: -1 }))
        }
        deepStrictEqual(looked, [1, -1])
        const { make } = yield* Experimental.ResultPersistence
        const store = yield* make({ storeId: "users" })
        deepStrictEqual(yield* store.get(new UserById({ id: 1 })), Option.some(Exit.succeed(user(1))))

        yield* Effect.flatMap(cacheOf(looked), (cache) => cache.invalidate(new UserById({ id: 1 })))
        yield* get(1)
        deepStrictEqual(looked, [1, -1, 1])
        yield* TestClock.adjust("1 minute")
        yield* get(1)
        deepStrictEqual(looked, [1, -1, 1, 1])
        yield* store.clear
        yield* get(1)
        deepStrictEqual(looked, [1, -1, 1, 1, 1])
      }).pipe(Effect.provide(Persistence.layerResult.pipe(Layer.provide(backend()))))
    )

    it.scoped("RequestResolver.persisted asks for what is not stored, in one batch", () =>
      Effect.gen(function* () {
        const batches: Array<ReadonlyArray<number>> = []
        const resolver = RequestResolver.makeBatched((requests: ReadonlyArray<UserById>) =>
          Effect.suspend(() => {
            batches.push(requests.map(({ id }) => id))
            return Effect.forEach(requests, (request) => Request.completeEffect(request, look(request.id)), {
              discard: true
            })
          })
        )
        const persisted = yield* Persisted.persisted(resolver, { storeId: "resolved", timeToLive: () => "1 minute" })
        const ask = (...ids: ReadonlyArray<number>) =>
          Effect.forEach(ids, (id) => Effect.exit(Effect.request(new UserById({ id }), persisted)), { batching: true })
        deepStrictEqual(yield* ask(1, 2, -3), [
          Exit.succeed(user(1)),
          Exit.succeed(user(2)),
          Exit.fail({ unknown: -3 })
        ])
        deepStrictEqual(yield* ask(2, 3, -3), [
          Exit.succeed(user(2)),
          Exit.succeed(user(3)),
          Exit.fail({ unknown: -3 })
        ])
        deepStrictEqual(batches, [[1, 2, -3], [3]])
      }).pipe(Effect.provide(Persistence.layerResult.pipe(Layer.provide(backend()))))
    )
  })
}

describe("Persistence", () => {
  it.scoped("each CacheError is a PersistenceBackingError of that method, with that cause", () =>
    Effect.gen(function* () {
      const away = StoreBackend.layer(
        Effect.map(memoryStore, (store) => asyncStore(store, () => ({ there: 0, back: 0, fault: "refused" }))),
        { breaker: false }
      )
      const { make } = yield* Effect.provide(
        Experimental.BackingPersistence,
        Persistence.layer.pipe(Layer.provide(away))
      )
      const store = yield* make("users")
      for (const [method, operation] of [
        ["get", store.get("a")],
        ["getMany", store.getMany(["a"])],
        ["set", store.set("a", 1, none)],
        ["setMany", store.setMany([["a", 1, none]])],
        ["remove", store.remove("a")],
        ["clear", store.clear]
      ] as const) {
        const error = yield* Effect.flip(operation as Effect.Effect<unknown, Experimental.PersistenceError>)
        assert.strictEqual(error.reason, "BackingError")
        assert.strictEqual(error.method, method)
        assert.instanceOf(error.reason === "BackingError" ? error.cause : undefined, CacheError)
      }
    })
  )

  it.scoped("what can't be stored fails; setMany stores the rest", () =>
    Effect.gen(function* () {
      const { make } = yield* Experimental.BackingPersistence
      const store = yield* make("users")
      const unstorable = () => {}
      assert.strictEqual((yield* Effect.flip(store.set("a", unstorable, none))).method, "set")
      const error = yield* Effect.flip(
        store.setMany([
          ["a", unstorable, none],
          ["b", 1, none],
          ["c", 2, seconds(1)]
        ])
      )
      assert.include(`${(error as { readonly cause?: unknown }).cause}`, "1 of 3")
      deepStrictEqual(yield* store.getMany(["a", "b", "c"]), [Option.none(), Option.some(1), Option.some(2)])
    }).pipe(
      Effect.provide(Persistence.layer.pipe(Layer.provide(MemoryBackend.layer({ copy: true })))),
      Effect.provide(warned().layer)
    )
  )

  it.scoped("what a program stores in the cache itself is not in its way", () =>
    Effect.gen(function* () {
      const { make } = yield* Experimental.BackingPersistence
      const store = yield* make("users")
      const cache = yield* CacheBackend
      yield* cache.set("a", "own")
      yield* store.set("a", "theirs", none)
      yield* store.clear
      deepStrictEqual(yield* cache.get("a"), Option.some("own"))
    }).pipe(Effect.provide(Persistence.layer.pipe(Layer.provideMerge(MemoryBackend.layer()))))
  )
})
