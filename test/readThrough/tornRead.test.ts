/**
 * A read of several servers is not one moment: it may miss a group's version that another process creates, and then see the entry
 * that was made under it.
 */
import { assert, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, type Scope, TestClock } from "effect"
import { type CacheStore, cached } from "effect-cached"
import { memoryStore, rig } from "../support/backend.js"
import { plain } from "../support/stores.js"

for (const [what, computes] of [
  ["the lease of another process", true],
  ["a value of another process", false]
] as const) {
  it.scoped(`${what} is seen without the version of its group: it counts`, () =>
    Effect.gen(function* () {
      // The rig closes none.
      const scope = (yield* Effect.scope) as Scope.CloseableScope
      const store = plain(yield* memoryStore)
      let torn = 1
      const tornStore: CacheStore.CacheStore = {
        ...store,
        read: (keys) =>
          Effect.map(store.read(keys), (found) =>
            keys.length > 1 && torn-- > 0 ? found.map((each, index) => (index === 0 ? each : undefined)) : found
          )
      }
      const first = yield* rig(store, scope)
      const second = yield* rig(tornStore, scope)
      const end = yield* Deferred.make<void>()
      let computations = 0
      const f = cached(
        () => Effect.suspend(() => Effect.as(computes ? Deferred.await(end) : Effect.void, ++computations)),
        { key: "f", ttl: "1 hour", groups: ["g"] }
      )
      const computing = yield* Effect.fork(first.provide(f()))
      for (let turn = 0; turn < 20; turn++) yield* Effect.yieldNow()
      const other = yield* Effect.fork(second.provide(f()))
      for (let turn = 0; turn < 20; turn++) yield* Effect.yieldNow()
      yield* Deferred.succeed(end, undefined)
      assert.strictEqual(yield* Fiber.join(computing), 1)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* Fiber.join(other), 1)
      assert.strictEqual(computations, 1)
      assert.isBelow(torn, 1)
    })
  )
}
