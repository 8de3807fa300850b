/**
 * A computation whose end the store never heard of: its lease stands, and nobody computes under it any more.
 */
import { assert, it } from "@effect/vitest"
import { Effect, type Scope } from "effect"
import { CacheError, cached } from "effect-cached"
import { memoryStore, rig } from "../support/backend.js"

it.scoped("what this process knows to have ended is leased anew at once, not when its lease does", () =>
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
    // The clock stands still: whoever waited for the lease would wait for ever.
    assert.strictEqual(yield* provide(f()), 2)
    assert.strictEqual(yield* provide(f()), 2)
    assert.strictEqual(computations, 2)
  })
)
