import { assert, it } from "@effect/vitest"
import { Effect, Option } from "effect"
import { CacheBackend, type CacheStore, StoreBackend } from "effect-cached"
import * as MemoryStore from "../../src/memory/MemoryStore.js"

/** A store that answers by a callback right after it was asked, before a fiber that gives way is back. */
const prompt = Effect.map(
  MemoryStore.make({ maxEntries: 10, maxBytes: undefined, copy: true }),
  ({ unsafeRead: _, ...memory }): CacheStore.CacheStore => ({
    ...memory,
    unsafeAsk: (keys, asker) => {
      queueMicrotask(() => asker.answered(keys.map(() => undefined)))
      return undefined
    }
  })
)

it.live("an answer that comes while the fiber gives way to others is not lost", () =>
  Effect.gen(function* () {
    const cache = yield* CacheBackend
    // it does so after some two thousand operations, in the midst of a read for some of these
    for (let before = 1_990; before < 2_060; before++) {
      let left = before
      const busy = Effect.whileLoop({ while: () => left-- > 0, body: () => Effect.void, step: () => undefined })
      const found = yield* Effect.timeout(Effect.zipRight(busy, cache.get("key")), "2 seconds")
      assert.deepStrictEqual(found, Option.none())
      // begins to count anew
      yield* Effect.sleep(0)
    }
  }).pipe(Effect.provide(StoreBackend.layer(prompt)))
)
