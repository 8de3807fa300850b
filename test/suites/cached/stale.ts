/** Between ttl and ttl + stale: one caller recomputes, nobody else waits. */
import { expect } from "@effect/vitest"
import { Effect, Fiber, TestClock } from "effect"
import { cached } from "effect-cached"
import { crowd, eventually, ground, held, type It, promptly, together } from "./ground.js"

const times = { ttl: "10 seconds", stale: "20 seconds", lease: "5 seconds" } as const

export const staleTests = (it: It): void => {
  it.effect("one caller recomputes, the others are served the stale value at once", () =>
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
      expect(yield* f()).toBe("old")
      yield* TestClock.adjust("10 seconds")
      next = slow.effect
      const first = yield* Effect.fork(f())
      yield* slow.begun
      const before = (yield* cache.stats).staleHits
      const others = yield* promptly(together(() => f()))
      expect(others).toStrictEqual(Array.from({ length: crowd }, () => "old"))
      expect((yield* cache.stats).staleHits - before).toBe(crowd)
      expect(yield* promptly(f.requireCache())).toBe("old")
      yield* slow.letGo
      expect(yield* Fiber.join(first)).toBe("new")
      expect(yield* f()).toBe("new")
      expect(runs).toBe(2)
    })
  )

  it.effect("of many callers at once one recomputes", () =>
    Effect.gen(function* () {
      const { key } = yield* ground
      let runs = 0
      const f = cached(() => Effect.sync(() => ++runs), { key: key("f"), ...times })
      yield* f()
      yield* TestClock.adjust("10 seconds")
      const values = yield* promptly(together(() => f()))
      expect(new Set(values)).toStrictEqual(new Set([1, 2]))
      expect(runs).toBe(2)
      expect(yield* f()).toBe(2)
    })
  )

  it.effect("past ttl and stale it is a miss", () =>
    Effect.gen(function* () {
      const { key } = yield* ground
      let runs = 0
      const f = cached(() => Effect.sync(() => ++runs), { key: key("f"), ...times })
      yield* f()
      yield* TestClock.adjust(29_999)
      expect(yield* f.requireCache()).toBe(1)
      yield* TestClock.adjust(1)
      expect(yield* Effect.flip(f.requireCache())).toMatchObject({ _tag: "NoCachedValue" })
      expect(yield* f()).toBe(2)
    })
  )

  it.effect("stale is 30 seconds where none is given, and off at zero", () =>
    Effect.gen(function* () {
      const { key } = yield* ground
      const usual = cached(() => Effect.succeed(1), { key: key("usual"), ttl: "10 seconds" })
      const off = cached(() => Effect.succeed(1), { key: key("off"), ttl: "10 seconds", stale: 0 })
      yield* usual()
      yield* off()
      yield* TestClock.adjust("10 seconds")
      expect(yield* Effect.flip(off.requireCache())).toMatchObject({ _tag: "NoCachedValue" })
      yield* TestClock.adjust(29_999)
      expect(yield* usual.requireCache()).toBe(1)
      yield* TestClock.adjust(1)
      expect(yield* Effect.flip(usual.requireCache())).toMatchObject({ _tag: "NoCachedValue" })
    })
  )

  it.effect("the lease of a caller that is interrupted is given back long before it would end", () =>
    Effect.gen(function* () {
      const { key } = yield* ground
      const slow = yield* held("never")
      let next: Effect.Effect<string> = Effect.succeed("old")
      const f = cached(() => Effect.suspend(() => next), { key: key("f"), ...times })
      yield* f()
      yield* TestClock.adjust("10 seconds")
      next = slow.effect
      const first = yield* Effect.fork(f())
      yield* slow.begun
      yield* Fiber.interrupt(first)
      next = Effect.succeed("new")
      // The caller does not wait for the store; the clock does not move meanwhile.
      expect(yield* eventually(f(), (value) => value !== "old")).toBe("new")
    })
  )

  it.effect("revalidate in the background: nobody waits, and the value comes", () =>
    Effect.gen(function* () {
      const { key } = yield* ground
      const slow = yield* held("new")
      let next: Effect.Effect<string> = Effect.succeed("old")
      let runs = 0
      const f = cached(
        () =>
          Effect.suspend(() => {
            runs++
            return next
          }),
        { key: key("f"), ...times, revalidate: "background" }
      )
      yield* f()
      yield* TestClock.adjust("10 seconds")
      next = slow.effect
      expect(yield* promptly(f())).toBe("old")
      yield* promptly(slow.begun)
      expect(yield* promptly(together(() => f()))).toStrictEqual(Array.from({ length: crowd }, () => "old"))
      yield* slow.letGo
      expect(yield* eventually(f(), (value) => value !== "old")).toBe("new")
      expect(runs).toBe(2)
    })
  )

  it.effect("a recomputation that fails: the stale value, and no second try before the lease ends", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      let runs = 0
      let fails = false
      const f = cached(
        () =>
          Effect.suspend(
            (): Effect.Effect<number, "down"> => (++runs > 1 && fails ? Effect.fail("down") : Effect.succeed(runs))
          ),
        { key: key("f"), ...times }
      )
      yield* f()
      fails = true
      yield* TestClock.adjust("10 seconds")
      const before = yield* cache.stats
      expect(yield* promptly(f())).toBe(1)
      expect((yield* cache.stats).failed - before.failed).toBe(1)
      expect(yield* promptly(f())).toBe(1)
      expect(runs).toBe(2)
      yield* TestClock.adjust("5 seconds")
      expect(yield* promptly(f())).toBe(1)
      expect(runs).toBe(3)
      yield* TestClock.adjust("5 seconds")
      fails = false
      expect(yield* promptly(f())).toBe(4)
      expect(yield* promptly(f())).toBe(4)
      yield* TestClock.adjust("30 seconds")
      fails = true
      expect(yield* Effect.flip(f())).toBe("down")
    })
  )

  it.effect("a recomputation that dies is answered by the stale value too", () =>
    Effect.gen(function* () {
      const { key } = yield* ground
      let dies = false
      const f = cached(() => Effect.suspend(() => (dies ? Effect.die("defect") : Effect.succeed("old"))), {
        key: key("f"),
        ...times
      })
      yield* f()
      dies = true
      yield* TestClock.adjust("10 seconds")
      expect(yield* f()).toBe("old")
    })
  )

  it.effect("staleOnError false: the error goes to the caller that recomputed, the others are served", () =>
    Effect.gen(function* () {
      const { key } = yield* ground
      let fails = false
      const f = cached(
        () =>
          Effect.suspend((): Effect.Effect<string, "down"> => (fails ? Effect.fail("down") : Effect.succeed("old"))),
        { key: key("f"), ...times, staleOnError: false }
      )
      yield* f()
      fails = true
      yield* TestClock.adjust("10 seconds")
      expect(yield* Effect.flip(f())).toBe("down")
      expect(yield* promptly(f())).toBe("old")
    })
  )

  it.effect("a computation longer than its lease keeps its lease", () =>
    Effect.gen(function* () {
      const { key } = yield* ground
      const slow = yield* held("value")
      let runs = 0
      const f = cached(
        () =>
          Effect.suspend(() => {
            runs++
            return slow.effect
          }),
        { key: key("f"), ...times, ttl: "1 hour" }
      )
      const first = yield* Effect.fork(f())
      yield* slow.begun
      for (let second = 0; second < 12; second++) yield* TestClock.adjust("1 second")
      const second = yield* Effect.fork(f())
      yield* slow.letGo
      expect(yield* Fiber.join(first)).toBe("value")
      expect(yield* promptly(Fiber.join(second))).toBe("value")
      expect(yield* f.requireCache()).toBe("value")
      expect(runs).toBe(1)
    })
  )
}
