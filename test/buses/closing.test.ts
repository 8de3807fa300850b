import { expect, it } from "@effect/vitest"
import { Effect, Exit, Scope } from "effect"
import { closedWithin } from "../../src/internal/buses/closing.js"
import { until } from "../support/until.js"

/** Of two connections, of which the one that is closed first waits for something that it can be interrupted in. */
const subscription = (closed: Array<string>) =>
  Effect.gen(function* () {
    yield* Effect.addFinalizer(() => Effect.sync(() => closed.push("first opened")))
    yield* Effect.addFinalizer(() =>
      Effect.timeoutOption(Effect.interruptible(Effect.never), "200 millis").pipe(
        Effect.zipRight(Effect.sync(() => closed.push("last opened")))
      )
    )
  }).pipe(closedWithin("20 millis"))

it.live("what takes longer to close is not waited for, and is closed to its end", () =>
  Effect.gen(function* () {
    const closed: Array<string> = []
    const scope = yield* Scope.make()
    yield* Scope.extend(subscription(closed), scope)
    yield* Scope.close(scope, Exit.void)
    expect(closed).toEqual([])
    yield* until(
      Effect.sync(() => closed.length),
      (count) => count === 2
    )
    expect(closed).toEqual(["last opened", "first opened"])
  })
)
