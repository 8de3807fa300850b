/**
 * A backend whose every operation fails: for tests of what a program does without its cache. Exported by `effect-cached/testing`.
 *
 * @since 0.1.0
 */
import { Effect, Layer } from "effect"
import type { CacheBackend } from "./CacheBackend.js"
import { CacheError, type CacheErrorReason } from "./CacheError.js"
import type { CacheStore } from "./CacheStore.js"
import { backendLayer } from "./internal/backend/layer.js"
import { fromPlain } from "./internal/stores/fromPlain.js"

const storeFailingWith = (reason: CacheErrorReason): CacheStore => {
  const fail = (operation: string) =>
    Effect.fail(new CacheError({ reason, operation, description: "FailingBackend fails every operation" }))
  return {
    name: "failing",
    // Without a circuit breaker, which would give other reasons once it is open.
    location: "process",
    payloads: "references",
    read: () => fail("read"),
    write: () => fail("write"),
    add: () => fail("add"),
    replace: () => fail("replace"),
    remove: () => fail("remove"),
    clear: fail("clear"),
    size: fail("stats")
  }
}

/**
 * Direct operations and invalidations fail with a `CacheError` of this reason, every time; `cached` and `getOrSet` compute. No
 * round trips. The layer itself does not fail.
 *
 * @param reason default `Unavailable`, as when the cache server is down
 *
 * @example
 * import { Effect } from "effect"
 * import { get } from "effect-cached"
 * import { FailingBackend } from "effect-cached/testing"
 *
 * const reason = Effect.flip(get("key")).pipe(
 *   Effect.map((error) => error.reason),
 *   Effect.provide(FailingBackend.layer("Timeout"))
 * ) // "Timeout"
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (reason: CacheErrorReason = "Unavailable"): Layer.Layer<CacheBackend> =>
  // It has no options that could be out of their range.
  Layer.orDie(
    backendLayer(
      Effect.sync(() => fromPlain(storeFailingWith(reason))),
      {}
    )
  )
