/** With an old value at hand, the caller who recomputes it waits for `softTimeout` and no longer. */
import { expect } from "@effect/vitest"
import { Deferred, Effect, Fiber, TestClock } from "effect"
import { cached, getOrSet } from "effect-cached"
import { crowd, eventually, ground, held, type It, promptly, together } from "./ground.js"

const times = { ttl: "10 seconds", stale: "1 hour", lease: "5 seconds", softTimeout: "1 second" } as const

export const softTimeoutTests = (it: It): void => {
  it.effect("then it is served the old value, and the computation goes on behind", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      const slow = yield* held("new")
      let next: Effect.Effect<string> = Effect.succeed("old")
      let runs = 0
      const f = cached(
        () =>
          Effect.suspend(() => {
            runs++
            return next
          }),
        { key: key("f"), ...times }
      )
      yield* f()
      yield* TestClock.adjust("10 seconds")
      next = slow.effect
      const before = yield* cache.stats
      const caller = yield* Effect.fork(f())
      yield* promptly(slow.begun)
      expect(yield* promptly(together(() => f()))).toStrictEqual(Array.from({ length: crowd }, () => "old"))
      yield* TestClock.adjust(999)
      expect(yield* Fiber.poll(caller)).toMatchObject({ _tag: "None" })
      yield* TestClock.adjust(1)
      expect(yield* promptly(Fiber.join(caller))).toBe("old")
      const after = yield* cache.stats
      expect([after.staleHits - before.staleHits, after.misses - before.misses]).toStrictEqual([crowd + 1, 0])
      yield* slow.letGo
      expect(yield* eventually(f(), (value) => value !== "old")).toBe("new")
      expect(runs).toBe(2)
    })
  )

  it.effect("a recomputation within the time is the answer, and so is its error where staleOnError is off", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      let next: Effect.Effect<string, "down"> = Effect.succeed("old")
      const f = cached(() => Effect.suspend(() => next), { key: key("f"), ...times, staleOnError: false })
      yield* f()
      yield* TestClock.adjust("10 seconds")
      next = Effect.succeed("new")
      const before = (yield* cache.stats).misses
      expect(yield* promptly(f())).toBe("new")
      expect((yield* cache.stats).misses - before).toBe(1)
      yield* TestClock.adjust("10 seconds")
      next = Effect.fail("down")
      expect(yield* promptly(Effect.flip(f()))).toBe("down")
      expect(yield* promptly(f())).toBe("new")
    })
  )

  it.effect("the caller leaves: the computation goes on", () =>
    Effect.gen(function* () {
      const { key } = yield* ground
      const slow = yield* held("new")
      let next: Effect.Effect<string> = Effect.succeed("old")
      const f = cached(() => Effect.suspend(() => next), { key: key("f"), ...times })
      yield* f()
      yield* TestClock.adjust("10 seconds")
      next = slow.effect
      const caller = yield* Effect.fork(f())
      yield* promptly(slow.begun)
      yield* promptly(Fiber.interrupt(caller))
      next = Effect.die("computed again")
      yield* slow.letGo
      expect(yield* eventually(f(), (value) => value !== "old")).toBe("new")
    })
  )

  it.effect("without an old value it does nothing, nor for forceRecalc", () =>
    Effect.gen(function* () {
      const { key } = yield* ground
      const [first, second] = [yield* held("first"), yield* held("second")]
      let next = first
      const f = cached(() => Effect.suspend(() => next.effect), { key: key("f"), ...times })
      const caller = yield* Effect.fork(f())
      yield* promptly(first.begun)
      yield* TestClock.adjust("2 seconds")
      expect(yield* Fiber.poll(caller)).toMatchObject({ _tag: "None" })
      yield* first.letGo
      expect(yield* promptly(Fiber.join(caller))).toBe("first")
      yield* TestClock.adjust("10 seconds")
      next = second
      const forced = yield* Effect.fork(f.forceRecalc())
      yield* promptly(second.begun)
      yield* TestClock.adjust("2 seconds")
      expect(yield* Fiber.poll(forced)).toMatchObject({ _tag: "None" })
      yield* second.letGo
      expect(yield* promptly(Fiber.join(forced))).toBe("second")
    })
  )

  it.effect("zero is as in the background, and it holds for getOrSet", () =>
    Effect.gen(function* () {
      const { key } = yield* ground
      const begun = yield* Deferred.make<void>()
      let next: Effect.Effect<string> = Effect.succeed("old")
      const get = getOrSet(
        key("k"),
        Effect.suspend(() => next),
        { ...times, softTimeout: 0 }
      )
      yield* get
      yield* TestClock.adjust("10 seconds")
      next = Effect.zipRight(Deferred.succeed(begun, undefined), Effect.never)
      expect(yield* promptly(get)).toBe("old")
      yield* promptly(Deferred.await(begun))
    })
  )

  it.effect("what is no duration is refused by name", () =>
    Effect.gen(function* () {
      const { key } = yield* ground
      const error = yield* Effect.flip(getOrSet(key("k"), Effect.succeed(1), { softTimeout: Number.NaN }))
      expect(error).toMatchObject({ reason: "InvalidOption", description: "softTimeout is NaN, not a duration" })
    })
  )
}
