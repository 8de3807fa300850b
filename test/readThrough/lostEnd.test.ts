/**
 * A computation has ended, but the write of its end to the store was lost: the lease is still there, and nobody computes under it.
 */
import { assert, it } from "@effect/vitest"
import { Effect, type Scope } from "effect"
import { CacheError, cached } from "effect-cached"
import { memoryStore, rig } from "../support/backend.js"

it.scoped("a key whose computation has ended in this process is leased anew at once, not when the old lease ends", () =>
  Effect.gen(function* () {
    const scope = yield* Effect.scope
    const store = yield* memoryStore
    let lost = 1
    const { leased, provide } = yield* rig(
      {
        ...store,
        replace: (key, token, entry) =>
          entry.lease === undefined && lost-- > 0
            ? Effect.fail(new CacheError({ reason: "Unavailable", operation: "replace", description: "lost" }))
            : store.replace(key, token, entry)
      },
      // The rig closes none.
      scope as Scope.CloseableScope
    )
    let computations = 0
    const f = cached(() => Effect.sync(() => ++computations), { key: "f", ttl: "1 hour", lease: "10 seconds" })
    assert.strictEqual(yield* provide(f()), 1)
    assert.isTrue(yield* leased("f()"))
    // The clock does not move: a caller that waited for the lease would wait for ever.
    assert.strictEqual(yield* provide(f()), 2)
    assert.strictEqual(yield* provide(f()), 2)
    assert.strictEqual(computations, 2)
  })
)
