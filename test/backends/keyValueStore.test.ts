/** What `@effect/platform` promises of a key-value store holds over every backend. */
import { KeyValueStore } from "@effect/platform"
import { assert, describe, it } from "@effect/vitest"
import { deepStrictEqual } from "@effect/vitest/utils"
import { Effect, Layer, Option, Schema, TestClock } from "effect"
import { CacheBackend, CacheError, MemoryBackend, StoreBackend } from "effect-cached"
import * as Cached from "effect-cached/KeyValueStore"
import { asyncStore } from "../support/asyncStore.js"
import { memoryStore } from "../support/backend.js"
import { type AnyBackend, everyBackend } from "../support/everyBackend.js"

class User extends Schema.Class<User>("User")({ name: Schema.String, age: Schema.Number }) {}

const over = (backend: AnyBackend, options?: Cached.KeyValueStoreOptions) =>
  Cached.layer(options).pipe(Layer.provide(backend))

for (const [name, backend] of Object.entries(everyBackend())) {
  describe(`KeyValueStore on ${name}`, () => {
    const counts = name.startsWith("memory")

    const withStore = <A, E>(use: (store: KeyValueStore.KeyValueStore) => Effect.Effect<A, E>) =>
      Effect.flatMap(KeyValueStore.KeyValueStore, use).pipe(Effect.provide(over(backend())))

    const sizeIs = (store: KeyValueStore.KeyValueStore, size: number) =>
      counts ? Effect.map(store.size, (found) => assert.strictEqual(found, size)) : Effect.void

    it.effect("set, get, remove and clear", () =>
      withStore((store) =>
        Effect.gen(function* () {
          deepStrictEqual(yield* store.get("foo"), Option.none())
          yield* store.set("/foo/bar", "bar")
          yield* store.set("foo", "foo")
          yield* store.set("foo", "second")
          deepStrictEqual(yield* store.get("/foo/bar"), Option.some("bar"))
          deepStrictEqual(yield* store.get("foo"), Option.some("second"))
          assert.isTrue(yield* store.has("foo"))
          assert.isFalse(yield* store.has("bar"))
          yield* sizeIs(store, 2)
          yield* store.remove("foo")
          yield* store.remove("never there")
          deepStrictEqual(yield* store.get("foo"), Option.none())
          yield* sizeIs(store, 1)
          yield* store.clear
          deepStrictEqual(yield* store.get("/foo/bar"), Option.none())
          yield* sizeIs(store, 0)
        })
      )
    )

    it.effect("modify, of texts and bytes, where there is a value", () =>
      withStore((store) =>
        Effect.gen(function* () {
          deepStrictEqual(yield* store.modify("foo", (text) => `${text}bar`), Option.none())
          yield* sizeIs(store, 0)
          yield* store.set("foo", "bar")
          deepStrictEqual(yield* store.modify("foo", (text) => `${text}bar`), Option.some("barbar"))
          deepStrictEqual(yield* store.get("foo"), Option.some("barbar"))
          yield* sizeIs(store, 1)
          yield* store.set("bytes", Uint8Array.of(1, 2))
          deepStrictEqual(
            yield* store.modifyUint8Array("bytes", (bytes) => bytes.map((byte) => byte + 1)),
            Option.some(Uint8Array.of(2, 3))
          )
          deepStrictEqual(yield* store.getUint8Array("bytes"), Option.some(Uint8Array.of(2, 3)))
        })
      )
    )

    it.effect("bytes and texts, as the platform's store in memory reads each as the other", () =>
      Effect.gen(function* () {
        const values = ["", "text", "Ünï\u0000", "x".repeat(100_000), Uint8Array.of(), Uint8Array.of(0, 255, 128)]
        const read = (store: KeyValueStore.KeyValueStore) =>
          Effect.forEach(values, (value) =>
            Effect.gen(function* () {
              yield* store.set("key", value)
              return [yield* store.get("key"), yield* store.getUint8Array("key")] as const
            })
          )
        const wanted = yield* Effect.flatMap(KeyValueStore.KeyValueStore, read).pipe(
          Effect.provide(KeyValueStore.layerMemory)
        )
        deepStrictEqual(yield* withStore(read), wanted)
      })
    )

    it.effect("prefix and forSchema", () =>
      withStore((store) =>
        Effect.gen(function* () {
          const prefixed = KeyValueStore.prefix(store, "prefix/")
          yield* prefixed.set("foo", "bar")
          yield* prefixed.modify("foo", (text) => `${text}bar`)
          deepStrictEqual(yield* prefixed.get("foo"), Option.some("barbar"))
          assert.isTrue(yield* prefixed.has("foo"))
          deepStrictEqual(yield* store.get("prefix/foo"), Option.some("barbar"))

          const users = store.forSchema(User)
          yield* users.set("foo", new User({ name: "foo", age: 42 }))
          yield* users.modify("foo", (user) => new User({ ...user, age: 43 }))
          deepStrictEqual(yield* users.get("foo"), Option.some(new User({ name: "foo", age: 43 })))
          deepStrictEqual(yield* KeyValueStore.prefix(users, "prefix/").get("missing"), Option.none())
        })
      )
    )

    it.effect("keys are told apart whatever is in them, the empty one too", () =>
      withStore((store) =>
        Effect.gen(function* () {
          const keys = ["", "/", "a b", "ä", "\u0000", "\ud800", "k".repeat(1_000), `${"k".repeat(1_000)}!`]
          for (const key of keys) yield* store.set(key, `value of ${key.length} ${keys.indexOf(key)}`)
          for (const key of keys) {
            deepStrictEqual(yield* store.get(key), Option.some(`value of ${key.length} ${keys.indexOf(key)}`))
          }
        })
      )
    )

    it.effect("values stay, or end with the ttl of the layer", () =>
      Effect.gen(function* () {
        const outlives = (millis: number, options: Cached.KeyValueStoreOptions) =>
          Effect.flatMap(KeyValueStore.KeyValueStore, (store) =>
            Effect.gen(function* () {
              yield* store.set("foo", "bar")
              yield* TestClock.adjust(millis)
              return yield* store.has("foo")
            })
          ).pipe(Effect.provide(over(backend(), options)))
        assert.isTrue(yield* outlives(600_000, {}))
        assert.isTrue(yield* outlives(10_000, { ttl: "11 seconds" }))
        assert.isFalse(yield* outlives(10_000, { ttl: "10 seconds" }))
      })
    )

    it.effect(counts ? "size and isEmpty" : "size and isEmpty fail, and say why", () =>
      withStore((store) =>
        Effect.gen(function* () {
          if (counts) {
            assert.isTrue(yield* store.isEmpty)
            yield* store.set("foo", "bar")
            assert.isFalse(yield* store.isEmpty)
            return
          }
          for (const counting of [store.size, store.isEmpty]) {
            const error = yield* Effect.flip(counting as Effect.Effect<unknown, { readonly message: string }>)
            assert.include(error.message, "does not count its entries")
            assert.deepInclude(error as object, {
              _tag: "SystemError",
              reason: "Unknown",
              module: "KeyValueStore",
              method: "size"
            })
          }
        })
      )
    )
  })
}

describe("KeyValueStore", () => {
  it.effect("each CacheError is a SystemError with that cause", () =>
    Effect.gen(function* () {
      for (const [fault, reason] of [
        ["refused", "BadResource"],
        ["lost", "TimedOut"]
      ] as const) {
        const away = StoreBackend.layer(
          Effect.map(memoryStore, (store) => asyncStore(store, () => ({ there: 0, back: 0, fault }))),
          { breaker: false }
        )
        yield* Effect.gen(function* () {
          const store = yield* KeyValueStore.KeyValueStore
          for (const [method, operation] of [
            ["get", store.get("a")],
            ["getUint8Array", store.getUint8Array("a")],
            ["set", store.set("a", "b")],
            ["remove", store.remove("a")],
            ["has", store.has("a")],
            ["clear", store.clear]
          ] as const) {
            const error = yield* Effect.flip(operation as Effect.Effect<unknown, unknown>)
            assert.deepInclude(error, { _tag: "SystemError", reason, module: "KeyValueStore", method })
            assert.instanceOf((error as { readonly cause?: unknown }).cause, CacheError)
          }
        }).pipe(Effect.provide(over(away)))
      }
    })
  )

  it.effect("does not show keys where the layer has redactKeys", () =>
    Effect.gen(function* () {
      const store = yield* KeyValueStore.KeyValueStore
      const error = yield* Effect.flip(store.set("personal", "x".repeat(10_000)))
      assert.notInclude(error.message, "personal")
    }).pipe(Effect.provide(over(MemoryBackend.layer({ redactKeys: true, maxBytes: 1_000 }))))
  )

  it.effect("what is no text and no bytes is no value of it", () =>
    Effect.gen(function* () {
      const store = yield* KeyValueStore.KeyValueStore
      yield* (yield* CacheBackend).set(["keyValueStore", "foo"], { other: 1 })
      deepStrictEqual(yield* store.get("foo"), Option.none())
    }).pipe(Effect.provide(Cached.layer().pipe(Layer.provideMerge(MemoryBackend.layer()))))
  )
})
