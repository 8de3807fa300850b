import { describe, expect, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, FiberId, Option, Scope, TestClock } from "effect"
import * as Batcher from "../../../src/internal/stores/sql/batcher.js"
import * as StatementFibers from "../../../src/internal/stores/sql/StatementFibers.js"

interface Sent {
  readonly requests: ReadonlyArray<number>
  readonly sender: FiberId.FiberId
  readonly answer: Deferred.Deferred<Batcher.Answers<number, string>, string>
}

const defective = 666

const fibers = (timeout: number) =>
  StatementFibers.make({
    timeout,
    timedOut: () => "timed out",
    noConnection: Effect.succeed("no connection"),
    closed: () => "closed"
  })

/** A batcher whose batches are answered by hand. */
const manual = (
  options: { readonly concurrency?: number; readonly maxSize?: number; readonly interruptible?: boolean } = {}
) =>
  Effect.gen(function* () {
    const sent: Array<Sent> = []
    let interrupted = 0
    const batcher = yield* Batcher.make<number, string, string>({
      maxSize: options.maxSize ?? 3,
      concurrency: options.concurrency ?? 1,
      sizeOf: () => 1,
      fibers: yield* fibers(1_000),
      run: (requests) =>
        Effect.gen(function* () {
          const answer = yield* Deferred.make<Batcher.Answers<number, string>, string>()
          sent.push({ requests, answer, sender: yield* Effect.fiberId })
          const answered = Effect.onInterrupt(Deferred.await(answer), () => Effect.sync(() => interrupted++))
          return yield* options.interruptible === false ? Effect.uninterruptible(answered) : answered
        })
    })
    const answer = (index: number) => {
      const batch = sent[index]
      if (batch === undefined) return Effect.dieMessage(`batch ${index} was not sent`)
      return Deferred.succeed(batch.answer, (request) => {
        if (request === defective) throw new Error("defective")
        return `${request}`
      })
    }
    return {
      ask: batcher.request,
      match: batcher.match,
      answer,
      sent,
      interrupted: () => interrupted,
      senders: () => sent.map(({ sender }) => FiberId.threadName(sender)),
      batches: () => sent.map((one) => one.requests)
    }
  })

const settle = Effect.forEach([1, 2, 3, 4, 5], () => Effect.yieldNow())

describe("batcher", () => {
  it.scoped("a lone caller is sent at once, without a timer", () =>
    Effect.gen(function* () {
      const { answer, ask, batches } = yield* manual()
      const fiber = yield* Effect.fork(ask(1))
      yield* settle
      expect(batches()).toEqual([[1]])
      yield* answer(0)
      expect(yield* Fiber.join(fiber)).toBe("1")
    })
  )

  it.scoped("who goes on where the batch is answered goes with the others, and hears of a close", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const { answer, ask, batches, match } = yield* Scope.extend(manual(), scope)
      const heard = (request: number) =>
        match(
          request,
          (text) => Effect.succeed(`answered ${text}`),
          (error) => Effect.succeed(`failed ${error}`)
        )
      const asked = yield* Effect.fork(ask(1))
      const answered = yield* Effect.fork(heard(2))
      yield* settle
      expect(batches()).toEqual([[1, 2]])
      yield* answer(0)
      expect(yield* Fiber.join(asked)).toBe("1")
      expect(yield* Fiber.join(answered)).toBe("answered 2")
      const sent = yield* Effect.fork(heard(3))
      yield* settle
      const queued = yield* Effect.fork(heard(4))
      yield* settle
      const closing = yield* Effect.fork(Scope.close(scope, Exit.void))
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(closing)
      expect(yield* Fiber.join(sent)).toBe("failed closed")
      expect(yield* Fiber.join(queued)).toBe("failed closed")
      expect(yield* heard(5)).toBe("failed closed")
    })
  )

  it.scoped("concurrent callers go together, up to the size of a batch", () =>
    Effect.gen(function* () {
      const { answer, ask, batches } = yield* manual({ concurrency: 2 })
      const fibers = yield* Effect.forEach([1, 2, 3, 4, 5, 6, 7], (one) => Effect.fork(ask(one)))
      yield* settle
      expect(batches()).toEqual([
        [1, 2, 3],
        [4, 5, 6]
      ])
      yield* answer(1)
      yield* settle
      expect(batches()[2]).toEqual([7])
      yield* answer(0)
      yield* answer(2)
      expect(yield* Effect.forEach(fibers, Fiber.join)).toEqual(["1", "2", "3", "4", "5", "6", "7"])
    })
  )

  it.scoped("no batch answers what was asked after it was sent", () =>
    Effect.gen(function* () {
      const { answer, ask, batches } = yield* manual()
      const first = yield* Effect.fork(ask(1))
      yield* settle
      const second = yield* Effect.fork(ask(1))
      yield* settle
      yield* answer(0)
      yield* Fiber.join(first)
      yield* settle
      expect(yield* Fiber.poll(second)).toMatchObject({ _tag: "None" })
      expect(batches()).toEqual([[1], [1]])
      yield* answer(1)
      yield* Fiber.join(second)
    })
  )

  it.scoped("who is interrupted takes nobody along", () =>
    Effect.gen(function* () {
      const { answer, ask, batches, interrupted } = yield* manual()
      const other = yield* Effect.fork(ask(1))
      const gone = yield* Effect.fork(ask(2))
      yield* settle
      yield* Fiber.interrupt(gone)
      yield* answer(0)
      expect(yield* Fiber.join(other)).toBe("1")
      expect(interrupted()).toBe(0)
      expect(batches()).toEqual([[1, 2]])
    })
  )

  it.scoped("a defect in telling one caller is that one's alone", () =>
    Effect.gen(function* () {
      const { answer, ask } = yield* manual()
      const bad = yield* Effect.fork(ask(defective))
      const good = yield* Effect.fork(ask(2))
      yield* settle
      yield* answer(0)
      expect(yield* Fiber.await(bad)).toEqual(Exit.die(new Error("defective")))
      expect(yield* Fiber.join(good)).toBe("2")
    })
  )

  it.scoped("one fiber sends batch after batch, and another only where both are under way", () =>
    Effect.gen(function* () {
      const { answer, ask, senders } = yield* manual({ concurrency: 2 })
      for (const index of [0, 1, 2]) {
        const asking = yield* Effect.fork(ask(index))
        yield* settle
        yield* answer(index)
        yield* Fiber.join(asking)
      }
      expect(new Set(senders()).size).toBe(1)
      const asking = [yield* Effect.fork(ask(3))]
      yield* settle
      asking.push(yield* Effect.fork(ask(4)))
      yield* settle
      expect(new Set(senders()).size).toBe(2)
      yield* answer(4)
      yield* answer(3)
      expect(yield* Effect.forEach(asking, Fiber.join)).toEqual(["3", "4"])
    })
  )

  it.scoped("who is interrupted before the batch is sent is not in it", () =>
    Effect.gen(function* () {
      const { answer, ask, batches } = yield* manual()
      const first = yield* Effect.fork(ask(1))
      yield* settle
      const gone = yield* Effect.fork(ask(2))
      const last = yield* Effect.fork(ask(3))
      yield* settle
      yield* Fiber.interrupt(gone)
      yield* answer(0)
      yield* Fiber.join(first)
      yield* settle
      expect(batches()).toEqual([[1], [3]])
      yield* answer(1)
      yield* Fiber.join(last)
    })
  )

  it.scoped("who can't be interrupted is sent and answered all the same", () =>
    Effect.gen(function* () {
      const { answer, ask, batches } = yield* manual()
      const first = yield* Effect.fork(ask(1))
      yield* settle
      const heard = yield* Deferred.make<string, string>()
      const staying = yield* Effect.fork(Effect.uninterruptible(Effect.intoDeferred(ask(2), heard)))
      yield* settle
      const interrupting = yield* Effect.fork(Fiber.interrupt(staying))
      yield* settle
      yield* answer(0)
      yield* Fiber.join(first)
      yield* settle
      expect(batches()).toEqual([[1], [2]])
      yield* answer(1)
      yield* Fiber.join(interrupting)
      expect(yield* Deferred.poll(heard)).toMatchObject({ _tag: "Some" })
      expect(yield* Deferred.await(heard)).toBe("2")
    })
  )

  it.scoped("a batch without an answer is left after the timeout, and makes room for the next", () =>
    Effect.gen(function* () {
      const { answer, ask, batches, interrupted } = yield* manual()
      const stuck = yield* Effect.fork(ask(1))
      yield* settle
      yield* TestClock.adjust("600 millis")
      const next = yield* Effect.fork(ask(2))
      yield* settle
      expect(batches()).toEqual([[1]])
      yield* TestClock.adjust("400 millis")
      expect(yield* Fiber.await(stuck)).toEqual(Exit.fail("timed out"))
      yield* settle
      expect(interrupted()).toBe(1)
      expect(batches()).toEqual([[1], [2]])
      yield* TestClock.adjust("999 millis")
      yield* answer(1)
      expect(yield* Fiber.join(next)).toBe("2")
    })
  )

  it.scoped("what answers a batch only after it was left harms none of the next", () =>
    Effect.gen(function* () {
      const { answer, ask, batches } = yield* manual({ interruptible: false })
      const stuck = yield* Effect.fork(ask(1))
      yield* settle
      yield* TestClock.adjust("1 seconds")
      expect(yield* Fiber.await(stuck)).toEqual(Exit.fail("timed out"))
      const second = yield* Effect.fork(ask(2))
      yield* settle
      // its sender is to be interrupted as soon as it can be: it must not take another batch on
      yield* answer(0)
      const third = yield* Effect.fork(ask(3))
      yield* settle
      yield* answer(1)
      yield* settle
      yield* answer(2)
      expect(yield* Fiber.join(second)).toBe("2")
      expect(yield* Fiber.join(third)).toBe("3")
      expect(batches()).toEqual([[1], [2], [3]])
    })
  )

  it.scoped("an answer in the very moment in which a batch is left harms none of the next", () =>
    Effect.gen(function* () {
      const { answer, ask, match, sent } = yield* manual({ concurrency: 2 })
      const left = yield* Effect.fork(
        match(1, Effect.succeed, (error) => {
          const [first] = sent
          if (first !== undefined)
            Deferred.unsafeDone(
              first.answer,
              Exit.succeed(() => "late")
            )
          return Effect.fail(error)
        })
      )
      yield* settle
      yield* TestClock.adjust("500 millis")
      const other = yield* Effect.fork(ask(2))
      yield* settle
      yield* TestClock.adjust("500 millis")
      expect(yield* Fiber.await(left)).toEqual(Exit.fail("timed out"))
      const third = yield* Effect.fork(ask(3))
      yield* settle
      yield* answer(1)
      yield* answer(2)
      expect(yield* Fiber.join(other)).toBe("2")
      expect(yield* Fiber.join(third)).toBe("3")
    })
  )

  it.effect("when the scope closes, what was sent has a moment to be answered, and nobody waits for ever", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const { answer, ask, interrupted } = yield* Scope.extend(manual({ concurrency: 2 }), scope)
      const answered = yield* Effect.fork(ask(0))
      yield* settle
      const sent = yield* Effect.fork(ask(1))
      yield* settle
      const queued = yield* Effect.fork(ask(2))
      yield* settle
      const closing = yield* Effect.fork(Scope.close(scope, Exit.void))
      yield* settle
      expect(yield* Fiber.await(queued)).toEqual(Exit.fail("closed"))
      yield* answer(0)
      expect(yield* Fiber.await(answered)).toEqual(Exit.succeed("0"))
      yield* TestClock.adjust("499 millis")
      expect(interrupted()).toBe(0)
      yield* TestClock.adjust("1 millis")
      yield* Fiber.join(closing)
      expect(interrupted()).toBe(1)
      expect(yield* Fiber.await(sent)).toEqual(Exit.fail("closed"))
      expect(yield* Effect.exit(ask(3))).toEqual(Exit.fail("closed"))
    })
  )

  it.effect("a batch that can't be interrupted holds up neither its callers nor the close for ever", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const { request } = yield* Effect.gen(function* () {
        return yield* Batcher.make<number, string, string>({
          maxSize: 1,
          concurrency: 1,
          sizeOf: () => 1,
          fibers: yield* fibers(2_000),
          run: () => Effect.uninterruptible(Effect.never)
        })
      }).pipe(Scope.extend(scope))
      const sent = yield* Effect.fork(request(1))
      yield* settle
      const closing = yield* Effect.fork(Scope.close(scope, Exit.void))
      yield* TestClock.adjust("2 seconds")
      expect(yield* Fiber.await(sent)).toEqual(Exit.fail("timed out"))
      expect(yield* Fiber.poll(closing)).toEqual(Option.none())
      yield* TestClock.adjust("5 seconds")
      yield* Fiber.join(closing)
    })
  )
})
