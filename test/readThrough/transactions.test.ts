/**
 * Inside a SQL transaction nothing is stored: a computation may read what is never committed. The fiber's context shows the
 * transaction.
 */
import { assert, describe, it } from "@effect/vitest"
import { Context, Deferred, Effect, Fiber, Option } from "effect"
import { cached, getOrSet } from "effect-cached"
import { memoryRig } from "../support/backend.js"

/** The tag of `@effect/sql`, by its key; its service does not matter here. */
class TransactionConnection extends Context.Tag("@effect/sql/SqlClient/TransactionConnection")<
  TransactionConnection,
  unknown
>() {}

const inTransaction = Effect.provideService(TransactionConnection, {})

const counting = () => {
  const state = { begun: 0 }
  const value = cached(
    Effect.sync(() => ++state.begun),
    { key: "value", ttl: "1 minute" }
  )
  return { state, value }
}

describe("inside a transaction", () => {
  it("the tag is the one that @effect/sql uses", () =>
    Effect.promise(() => import("@effect/sql/SqlClient")).pipe(
      Effect.map(({ TransactionConnection: theirs }) => assert.strictEqual(theirs.key, TransactionConnection.key)),
      Effect.runPromise
    ))

  it.scoped("a cached value is read", () =>
    Effect.gen(function* () {
      const { provide } = yield* memoryRig
      const { value } = counting()
      yield* provide(value)
      assert.strictEqual(yield* provide(inTransaction(value)), 1)
    })
  )

  it.scoped("nothing is stored, neither by cached nor by getOrSet", () =>
    Effect.gen(function* () {
      const { provide, service, store } = yield* memoryRig
      const { state, value } = counting()
      assert.strictEqual(yield* provide(inTransaction(value)), 1)
      assert.strictEqual(yield* provide(inTransaction(value)), 2)
      yield* provide(inTransaction(getOrSet("other", Effect.succeed(1))))
      assert.deepStrictEqual(yield* service.get("value"), Option.none())
      assert.deepStrictEqual(yield* service.get("other"), Option.none())
      assert.deepStrictEqual((yield* store.size ?? Effect.die("no size")).entries, Option.some(0))
      assert.strictEqual(yield* provide(value), 3)
      assert.strictEqual(state.begun, 3)
    })
  )

  it.scoped("no flight is joined, and none can be joined from outside", () =>
    Effect.gen(function* () {
      const { provide, flights } = yield* memoryRig
      const opened = yield* Deferred.make<void>()
      let begun = 0
      const value = cached(
        Effect.suspend(() => Effect.as(Deferred.await(opened), ++begun)),
        { key: "value" }
      )
      const settle = Effect.repeatN(Effect.yieldNow(), 20)
      const inside = yield* Effect.fork(provide(inTransaction(value)))
      yield* settle
      assert.strictEqual(flights(), 0)
      const outside = yield* Effect.fork(provide(value))
      yield* settle
      const insideToo = yield* Effect.fork(provide(inTransaction(value)))
      yield* settle
      assert.strictEqual(begun, 3)
      yield* Deferred.succeed(opened, undefined)
      assert.deepStrictEqual(yield* Fiber.join(Fiber.all([inside, outside, insideToo])), [1, 2, 3])
    })
  )

  it.scoped("forceRecalc computes and removes the old value", () =>
    Effect.gen(function* () {
      const { provide, service } = yield* memoryRig
      const { value } = counting()
      yield* provide(value)
      assert.strictEqual(yield* provide(inTransaction(value.forceRecalc)), 2)
      assert.deepStrictEqual(yield* service.get("value"), Option.none())
    })
  )

  it.scoped("a cycle is a defect all the same", () =>
    Effect.gen(function* () {
      const { provide } = yield* memoryRig
      const value: Effect.Effect<number> = Effect.suspend(() => provide(inTransaction(cached(value, { key: "value" }))))
      assert.include(String(yield* Effect.exit(value)), "needs its own result: value → value")
    })
  )

  it.scoped("a daemon that the computation forks may call the same key", () =>
    Effect.gen(function* () {
      const { provide } = yield* memoryRig
      let daemon: Fiber.RuntimeFiber<number> | undefined
      let begun = 0
      const value: Effect.Effect<number> = Effect.suspend(() => provide(inTransaction(lifted)))
      const lifted = cached(
        Effect.gen(function* () {
          if (++begun === 1)
            daemon = yield* Effect.forkDaemon(Effect.zipRight(Effect.repeatN(Effect.yieldNow(), 50), value))
          return begun
        }),
        { key: "value" }
      )
      assert.strictEqual(yield* value, 1)
      assert.strictEqual(daemon === undefined ? undefined : yield* Fiber.join(daemon), 2)
    })
  )

  it.scoped("an uninterruptible caller stays so", () =>
    Effect.gen(function* () {
      const { provide } = yield* memoryRig
      const interruptible = cached(
        Effect.checkInterruptible((may) => Effect.succeed(may)),
        { key: "interruptible" }
      )
      assert.isFalse(yield* Effect.uninterruptible(provide(inTransaction(interruptible))))
      assert.isTrue(yield* provide(inTransaction(interruptible)))
    })
  )
})
