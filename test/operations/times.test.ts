import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { CacheBackend, type CacheStore, StoreBackend } from "effect-cached"
import * as MemoryStore from "../../src/internal/stores/memory/MemoryStore.js"
import { plain } from "../support/stores.js"

const hour = 3_600_000

/** How long each value that was written is fresh, and how long stale after that. */
const recorded = (times: Array<readonly [fresh: number, stale: number]>) =>
  StoreBackend.layer(
    Effect.map(
      MemoryStore.make({ maxEntries: 10, maxBytes: undefined, copy: true }),
      (memory): CacheStore.CacheStore => ({
        ...plain(memory),
        write: (items) => {
          for (const { value } of items.map(({ entry }) => entry)) {
            if (value !== undefined) times.push([value.freshUntil, value.staleUntil - value.freshUntil])
          }
          return plain(memory).write(items)
        }
      })
    )
  )

it.effect("each set has its own times", () => {
  const times: Array<readonly [number, number]> = []
  return Effect.gen(function* () {
    const cache = yield* CacheBackend
    yield* cache.set("key", 1, { ttl: "1 hour" })
    yield* cache.set("key", 1, { ttl: "1 hour", stale: "2 hours" })
    yield* cache.set("key", 1, { ttl: "1 hour" })
    yield* cache.set("key", 1, { ttl: "2 hours" })
    yield* cache.set("key", 1, { ttl: "1 hour", stale: "1 hour" })
    assert.deepStrictEqual(times, [
      [hour, 0],
      [hour, 2 * hour],
      [hour, 0],
      [2 * hour, 0],
      [hour, hour]
    ])
  }).pipe(Effect.provide(recorded(times)))
})

it.effect("options whose getters change between reads do not affect other callers", () => {
  const times: Array<readonly [number, number]> = []
  return Effect.gen(function* () {
    const cache = yield* CacheBackend
    const said = ["1 hour", "1 millis"] as const
    let asked = 0
    const fickle = {
      get ttl() {
        return said[asked++ % 2] ?? "1 hour"
      }
    }
    yield* cache.set("key", 1, fickle)
    yield* cache.set("key", 1, { ttl: "1 hour" })
    assert.deepStrictEqual(times[1], [hour, 0])
  }).pipe(Effect.provide(recorded(times)))
})
