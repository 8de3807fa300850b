import { stat } from "node:fs"
import { describe, expect, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, FiberId, Scope, TestClock } from "effect"
import * as StatementFibers from "../../../src/internal/stores/sql/StatementFibers.js"
import { blockedFor } from "../../support/blocked.js"

const make = StatementFibers.make({
  timeout: 2_000,
  timedOut: () => "timed out",
  noConnection: Effect.succeed("no connection"),
  closed: () => "closed"
})

/** A statement that ends by hand, and notes the fiber it runs in and whether it was interrupted. */
const statement = Effect.map(Deferred.make<string>(), (answer) => {
  const seen = { fiber: "", interrupted: false }
  const run = Effect.flatMap(Effect.fiberId, (id) => {
    seen.fiber = FiberId.threadName(id)
    return Effect.onInterrupt(Deferred.await(answer), () =>
      Effect.sync(() => {
        seen.interrupted = true
      })
    )
  })
  return { answer, seen, run }
})

const settle = Effect.forEach([1, 2, 3, 4, 5], () => Effect.yieldNow())

describe("the fibers of statements", () => {
  it.scoped("one runs statement after statement, and another only where both are under way", () =>
    Effect.gen(function* () {
      const fibers = yield* make
      const [first, second, third] = [yield* statement, yield* statement, yield* statement]
      const one = yield* Effect.fork(fibers.run(first.run))
      yield* settle
      yield* Deferred.succeed(first.answer, "first")
      expect(yield* Fiber.join(one)).toBe("first")
      const both = yield* Effect.fork(
        Effect.all([fibers.run(second.run), fibers.run(third.run)], { concurrency: "unbounded" })
      )
      yield* settle
      yield* Deferred.succeed(second.answer, "second")
      yield* Deferred.succeed(third.answer, "third")
      expect(yield* Fiber.join(both)).toEqual(["second", "third"])
      expect(second.seen.fiber).toBe(first.seen.fiber)
      expect(third.seen.fiber).not.toBe(first.seen.fiber)
    })
  )

  it.scoped(
    "a caller who is interrupted leaves at once; the statement may end, and its fiber's next one is left alone",
    () =>
      Effect.gen(function* () {
        const fibers = yield* make
        const [left, next] = [yield* statement, yield* statement]
        const leaving = yield* Effect.fork(fibers.run(left.run))
        yield* settle
        yield* Fiber.interrupt(leaving)
        yield* TestClock.adjust("400 millis")
        expect(left.seen.interrupted).toBe(false)
        yield* Deferred.succeed(left.answer, "late")
        yield* settle
        const staying = yield* Effect.fork(fibers.run(next.run))
        yield* settle
        expect(next.seen.fiber).toBe(left.seen.fiber)
        yield* TestClock.adjust("1 second")
        yield* Deferred.succeed(next.answer, "next")
        expect(yield* Fiber.join(staying)).toBe("next")
        expect([left.seen.interrupted, next.seen.interrupted]).toEqual([false, false])
      })
  )

  it.scoped("a statement whose caller has left is cancelled after a moment", () =>
    Effect.gen(function* () {
      const fibers = yield* make
      const { run, seen } = yield* statement
      const leaving = yield* Effect.fork(fibers.run(run))
      yield* settle
      yield* Fiber.interrupt(leaving)
      yield* TestClock.adjust("500 millis")
      yield* settle
      expect(seen.interrupted).toBe(true)
    })
  )

  it.scoped("a caller who can't be interrupted is told when the time is over", () =>
    Effect.gen(function* () {
      const fibers = yield* make
      const { run } = yield* statement
      const waiting = yield* Effect.fork(Effect.uninterruptible(Effect.exit(fibers.run(run))))
      yield* settle
      yield* TestClock.adjust("2 seconds")
      expect(yield* Fiber.join(waiting)).toEqual(Exit.fail("timed out"))
    })
  )

  it.scopedLive("a statement whose answer came while this process was busy is not overdue", () =>
    Effect.gen(function* () {
      const fibers = yield* StatementFibers.make({
        timeout: 3_000,
        timedOut: () => "timed out",
        noConnection: Effect.succeed("no connection"),
        closed: () => "closed"
      })
      // The answer lies in the process, unread, when the time is over: as with a socket, timers have their turn first.
      const answered = Effect.async<string, string>((resume) => stat(".", () => resume(Effect.succeed("answered"))))
      const four = [1, 2, 3, 4].map(() => fibers.run(answered))
      const statements = yield* Effect.fork(Effect.all(four, { concurrency: "unbounded" }))
      yield* settle
      blockedFor(4_000)
      expect(yield* Fiber.join(statements)).toEqual(four.map(() => "answered"))
    })
  )

  it.effect("when the layer closes, idle fibers end at once, and nothing begins any more", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const fibers = yield* Scope.extend(make, scope)
      expect(yield* fibers.run(Effect.succeed("done"))).toBe("done")
      // the clock stands still: a close that waited for the idle fiber would never end
      yield* Scope.close(scope, Exit.void)
      expect(yield* Effect.exit(fibers.run(Effect.succeed("late")))).toEqual(Exit.fail("closed"))
      const heard: Array<Exit.Exit<string, string>> = []
      fibers.start(Effect.succeed("late"), (exit) => heard.push(exit))
      expect(heard).toEqual([Exit.fail("closed")])
    })
  )
})
