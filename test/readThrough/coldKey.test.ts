/**
 * All callers of a cold key share one computation. No caller owns it, and it ends when the last caller leaves.
 */
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Duration, Effect, Exit, Fiber, Option, Ref, TestClock } from "effect"
import { cached } from "effect-cached"
import { memoryRig } from "../support/backend.js"
import { sized } from "../support/size.js"

const crowd = sized(2_000, 10_000)

const counted = Effect.gen(function* () {
  const begun = yield* Ref.make(0)
  const interrupted = yield* Ref.make(0)
  const opened = yield* Deferred.make<void>()
  const value = cached(
    Ref.update(begun, (n) => n + 1).pipe(
      Effect.zipRight(Deferred.await(opened)),
      Effect.as("value"),
      Effect.onInterrupt(() => Ref.update(interrupted, (n) => n + 1))
    ),
    { key: "value" }
  )
  return { begun, interrupted, opened, value, open: Deferred.succeed(opened, undefined) }
})

/** Lets all fibers run until they wait for the computation. */
const settle = Effect.repeatN(Effect.yieldNow(), 50)

describe(`${crowd} fibers on one cold key`, () => {
  it.scoped("one computation, all get its value", () =>
    Effect.gen(function* () {
      const { provide, service, flights } = yield* memoryRig
      const { begun, value, open } = yield* counted
      const fibers = yield* Effect.all(Array.from({ length: crowd }, () => Effect.fork(provide(value))))
      yield* settle
      assert.strictEqual(flights(), 1)
      yield* open
      const values = yield* Fiber.join(Fiber.all(fibers))
      assert.deepStrictEqual(new Set(values), new Set(["value"]))
      assert.strictEqual(values.length, crowd)
      assert.strictEqual(yield* Ref.get(begun), 1)
      assert.strictEqual((yield* service.stats).joined, crowd - 1)
      assert.strictEqual(flights(), 0)
    })
  )

  it.scoped("half of them leave, the first among them: the others get the value", () =>
    Effect.gen(function* () {
      const { provide } = yield* memoryRig
      const { begun, interrupted, value, open } = yield* counted
      const fibers = yield* Effect.all(Array.from({ length: crowd }, () => Effect.fork(provide(value))))
      yield* settle
      yield* Fiber.interruptAll(fibers.slice(0, crowd / 2))
      yield* open
      const values = yield* Fiber.join(Fiber.all(fibers.slice(crowd / 2)))
      assert.deepStrictEqual(new Set(values), new Set(["value"]))
      assert.strictEqual(yield* Ref.get(begun), 1)
      assert.strictEqual(yield* Ref.get(interrupted), 0)
    })
  )

  it.scoped("all leave: the computation is interrupted once and the key is free at once", () =>
    Effect.gen(function* () {
      const { provide, flights, leased } = yield* memoryRig
      const { begun, interrupted, value, open } = yield* counted
      const fibers = yield* Effect.all(Array.from({ length: crowd }, () => Effect.fork(provide(value))))
      yield* settle
      yield* Fiber.interruptAll(fibers)
      assert.strictEqual(yield* Ref.get(interrupted), 1)
      assert.strictEqual(flights(), 0)
      assert.isFalse(yield* leased("value"))
      yield* open
      // The clock does not move: nothing waits for time.
      assert.strictEqual(yield* provide(value), "value")
      assert.strictEqual(yield* Ref.get(begun), 2)
    })
  )
})

describe("the first caller", () => {
  it.scoped("times out: the others still get the value", () =>
    Effect.gen(function* () {
      const { provide } = yield* memoryRig
      const { begun, interrupted, value, open } = yield* counted
      const first = yield* Effect.fork(Effect.timeoutOption(provide(value), "1 second"))
      yield* settle
      const second = yield* Effect.fork(provide(value))
      yield* settle
      yield* TestClock.adjust("2 seconds")
      assert.deepStrictEqual(yield* Fiber.join(first), Option.none())
      yield* open
      assert.strictEqual(yield* Fiber.join(second), "value")
      assert.strictEqual(yield* Ref.get(begun), 1)
      assert.strictEqual(yield* Ref.get(interrupted), 0)
    })
  )

  it.scoped("times out alone: its computation ends with it", () =>
    Effect.gen(function* () {
      const { provide, flights, leased } = yield* memoryRig
      const { interrupted, value } = yield* counted
      const only = yield* Effect.fork(Effect.exit(Effect.timeout(provide(value), "1 second")))
      yield* settle
      yield* TestClock.adjust("1 second")
      assert.isTrue(Exit.isFailure(yield* Fiber.join(only)))
      assert.strictEqual(yield* Ref.get(interrupted), 1)
      assert.strictEqual(flights(), 0)
      assert.isFalse(yield* leased("value"))
    })
  )
})

it.scoped("a computation longer than many leases stays the only one: its lease is renewed", () =>
  Effect.gen(function* () {
    const { provide } = yield* memoryRig
    let begun = 0
    const slow = cached(
      Effect.suspend(() => Effect.delay(Effect.succeed(++begun), "3 minutes")),
      { key: "slow", lease: "5 seconds" }
    )
    const fibers = []
    for (let minute = 0; minute < 3; minute++) {
      fibers.push(yield* Effect.fork(provide(slow)))
      yield* TestClock.adjust(Duration.minutes(1))
    }
    assert.deepStrictEqual(new Set(yield* Fiber.join(Fiber.all(fibers))), new Set([1]))
    assert.strictEqual(begun, 1)
  })
)
