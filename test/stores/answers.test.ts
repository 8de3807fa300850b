import { assert, it } from "@effect/vitest"
import { Effect, Option } from "effect"
import { CacheBackend, type CacheStore, cached, StoreBackend } from "effect-cached"
import { backendLayer } from "../../src/internal/backend/layer.js"
import * as MemoryStore from "../../src/internal/stores/memory/MemoryStore.js"
import type { Store } from "../../src/internal/stores/Store.js"
import { plain } from "../support/stores.js"

/** A store that answers by a callback right after it was asked, before a fiber that gives way is back. */
const prompt = Effect.map(
  MemoryStore.make({ maxEntries: 10, maxBytes: undefined, copy: true }),
  (memory): Store => ({
    ...memory,
    local: undefined,
    read: (_fiber, keys, onFound) =>
      Effect.async((resume) => queueMicrotask(() => resume(onFound(keys.map(() => undefined)))))
  })
)

/** A driver made as a class, which has to be called as one. */
class Driver implements CacheStore.CacheStore {
  readonly name = "driver"
  readonly location = "network"
  readonly payloads = "references"

  constructor(private readonly memory: CacheStore.CacheStore) {}

  read(keys: ReadonlyArray<string>) {
    return this.memory.read(keys)
  }
  write(items: ReadonlyArray<CacheStore.WriteItem>) {
    return this.memory.write(items)
  }
  add(key: string, entry: CacheStore.Entry) {
    return this.memory.add(key, entry)
  }
  replace(key: string, token: CacheStore.Token, entry: CacheStore.Entry) {
    return this.memory.replace(key, token, entry)
  }
  remove(keys: ReadonlyArray<string>) {
    return this.memory.remove(keys)
  }
  get clear() {
    return this.memory.clear
  }
}

/** The same with callbacks. */
class CallingDriver extends Driver {
  unsafeAsk(keys: ReadonlyArray<string>) {
    return this.read(keys)
  }
  unsafeWrite(items: ReadonlyArray<CacheStore.WriteItem>) {
    return this.write(items)
  }
}

for (const driver of [Driver, CallingDriver]) {
  for (const breaker of [false, {}] as const) {
    it.effect(`a ${driver.name} is called as a class, ${breaker === false ? "without" : "behind"} a breaker`, () =>
      Effect.gen(function* () {
        const cache = yield* CacheBackend
        yield* cache.set("key", 1)
        assert.deepStrictEqual(yield* cache.get("key"), Option.some(1))
        assert.isFalse(yield* cache.add("key", 2))
        assert.deepStrictEqual(yield* cache.setMany([["other", 2]]), [])
        assert.isTrue(yield* cache.delete("key"))
        const call = cached(() => Effect.succeed(3), { key: "call", ttl: "1 hour" })
        assert.deepStrictEqual([yield* call(), yield* call()], [3, 3])
        yield* cache.clear
        assert.deepStrictEqual(yield* cache.get("other"), Option.none())
      }).pipe(
        Effect.provide(
          StoreBackend.layer(
            Effect.map(
              MemoryStore.make({ maxEntries: 10, maxBytes: undefined, copy: true }),
              (memory) => new driver(plain(memory))
            ),
            { breaker }
          )
        )
      )
    )
  }
}

it.live("an answer that comes while the fiber gives way to others is not lost", () =>
  Effect.gen(function* () {
    const cache = yield* CacheBackend
    // it does so after some two thousand operations, in the midst of a read for some of these
    for (let before = 1_990; before < 2_060; before++) {
      let left = before
      const busy = Effect.whileLoop({ while: () => left-- > 0, body: () => Effect.void, step: () => undefined })
      const found = yield* Effect.timeout(Effect.zipRight(busy, cache.get("key")), "20 seconds")
      assert.deepStrictEqual(found, Option.none())
      // begins to count anew
      yield* Effect.sleep(0)
    }
  }).pipe(Effect.provide(backendLayer(prompt, {})))
)
