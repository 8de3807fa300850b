/** requireCache, forceRecalc, errors, and callers that come and go. */
import { expect } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber, Option, TestClock } from "effect"
import { CacheBackend, cached, NoCachedValue } from "effect-cached"
import { crowd, ground, held, type It, live, promptly, together, waiting } from "./ground.js"

export const operationTests = (it: It): void => {
  it.effect("requireCache serves 0, an empty text and false", () =>
    Effect.gen(function* () {
      const { key } = yield* ground
      for (const value of [0, "", false, Number.NaN]) {
        const f = cached(() => Effect.succeed(value), { key: key(`${value}`) })
        yield* f()
        expect(yield* f.requireCache()).toBe(value)
        const effect = cached(Effect.succeed(value), { key: key(`effect ${value}`) })
        yield* effect
        expect(yield* effect.requireCache).toBe(value)
      }
    })
  )

  it.effect("requireCache on a missing key fails with NoCachedValue and computes nothing", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      let runs = 0
      const f = cached((_: number) => Effect.sync(() => ++runs), { key: key("f"), groups: [key("group")] })
      const missing = new NoCachedValue({ key: f.cacheKey(1) })
      expect(yield* Effect.flip(f.requireCache(1))).toStrictEqual(missing)
      yield* f(1)
      expect(yield* f.requireCache(1)).toBe(1)
      yield* f.invalidate(1)
      expect(yield* Effect.flip(f.requireCache(1))).toStrictEqual(missing)
      yield* f(1)
      yield* cache.invalidateGroup(key("group"))
      expect(yield* Effect.flip(f.requireCache(1))).toStrictEqual(missing)
      expect(runs).toBe(2)
    })
  )

  it.effect("requireCache does not wait for a running computation", () =>
    Effect.gen(function* () {
      const { key } = yield* ground
      const slow = yield* held("value")
      const f = cached(() => slow.effect, { key: key("f") })
      const caller = yield* Effect.fork(f())
      yield* slow.begun
      expect(yield* promptly(Effect.flip(f.requireCache()))).toMatchObject({ _tag: "NoCachedValue" })
      yield* slow.letGo
      yield* Fiber.join(caller)
      expect(yield* f.requireCache()).toBe("value")
    })
  )

  it.effect("cacheKey names the entry for the direct operations", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      let runs = 0
      const f = cached((_: string, __: object) => Effect.sync(() => ++runs), { key: key("f: 100% (new)") })
      const name = f.cacheKey("a b", { page: 2 })
      yield* f("a b", { page: 2 })
      expect(yield* cache.get(name)).toStrictEqual(Option.some(1))
      yield* cache.set(name, 42)
      expect(yield* f("a b", { page: 2 })).toBe(42)
      expect(yield* cache.increment(name)).toBe(43)
      expect(yield* f.requireCache("a b", { page: 2 })).toBe(43)
      expect(yield* cache.delete(name)).toBe(true)
      expect(yield* f("a b", { page: 2 })).toBe(2)
    })
  )

  it.effect("forceRecalc computes although there is a value, and stores it with the options", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      let runs = 0
      const f = cached((_: number) => Effect.sync(() => ++runs), {
        key: key("f"),
        ttl: "10 seconds",
        groups: [key("group")]
      })
      expect(yield* f.forceRecalc(1)).toBe(1)
      expect(yield* f(1)).toBe(1)
      yield* TestClock.adjust("9 seconds")
      expect(yield* f.forceRecalc(1)).toBe(2)
      yield* TestClock.adjust("9 seconds")
      expect(yield* f(1)).toBe(2)
      yield* cache.invalidateGroup(key("group"))
      expect(yield* f(1)).toBe(3)
    })
  )

  it.effect("other callers get the old value until forceRecalc has computed", () =>
    Effect.gen(function* () {
      const { key } = yield* ground
      const slow = yield* held("new")
      let next: Effect.Effect<string> = Effect.succeed("old")
      const f = cached(() => Effect.suspend(() => next), { key: key("f") })
      yield* f()
      next = slow.effect
      const forced = yield* Effect.fork(f.forceRecalc())
      yield* slow.begun
      expect(yield* promptly(f())).toBe("old")
      yield* slow.letGo
      expect(yield* Fiber.join(forced)).toBe("new")
      expect(yield* f()).toBe("new")
    })
  )

  it.effect("forceRecalc that fails passes its error on and leaves the old value", () =>
    Effect.gen(function* () {
      const { key } = yield* ground
      let next: Effect.Effect<string, "down"> = Effect.succeed("old")
      const f = cached(() => Effect.suspend(() => next), { key: key("f") })
      yield* f()
      next = Effect.fail("down")
      expect(yield* Effect.flip(f.forceRecalc())).toBe("down")
      expect(yield* promptly(f())).toBe("old")
      next = Effect.succeed("new")
      expect(yield* promptly(f.forceRecalc())).toBe("new")
    })
  )

  it.effect("a typed error reaches all waiting callers, and is not stored", () =>
    live(
      Effect.gen(function* () {
        const { cache, key } = yield* ground
        const waited = yield* waiting(cache)
        let runs = 0
        const f = cached(
          () =>
            Effect.zipRight(
              Effect.ignore(waited(crowd)),
              Effect.suspend(() => Effect.fail({ run: ++runs }))
            ),
          { key: key("f") }
        )
        const errors = yield* promptly(together(() => Effect.flip(f())))
        expect(errors).toStrictEqual(Array.from({ length: crowd }, () => ({ run: 1 })))
        expect(yield* Effect.flip(f())).toStrictEqual({ run: 2 })
      })
    )
  )

  it.effect("a defect reaches the caller, thrown or not, and is not stored", () =>
    Effect.gen(function* () {
      const { key } = yield* ground
      let runs = 0
      const f = cached(
        (): Effect.Effect<string> => {
          if (++runs === 1) throw new Error("thrown")
          return runs === 2 ? Effect.die("defect") : Effect.succeed("value")
        },
        { key: key("f") }
      )
      const thrown = yield* Effect.exit(f())
      expect(Exit.isFailure(thrown) && Cause.isDie(thrown.cause)).toBe(true)
      expect(yield* Effect.exit(f())).toStrictEqual(Exit.die("defect"))
      expect(yield* f()).toBe("value")
    })
  )

  it.effect("a computation that interrupts itself interrupts its callers and frees the key", () =>
    Effect.gen(function* () {
      const { key } = yield* ground
      let next: Effect.Effect<string> = Effect.interrupt
      const f = cached(() => Effect.suspend(() => next), { key: key("f") })
      const exit = yield* Effect.exit(promptly(f()))
      expect(Exit.isInterrupted(exit)).toBe(true)
      next = Effect.succeed("value")
      expect(yield* promptly(f())).toBe("value")
    })
  )

  it.effect("many callers of a cold key share one computation, and its value", () =>
    live(
      Effect.gen(function* () {
        const { cache, key } = yield* ground
        let runs = 0
        const waited = yield* waiting(cache)
        const f = cached(() => Effect.map(Effect.ignore(waited(crowd)), () => ({ run: ++runs })), { key: key("f") })
        const before = yield* cache.stats
        const values = yield* promptly(together(() => f()))
        const after = yield* cache.stats
        expect(values).toStrictEqual(Array.from({ length: crowd }, () => ({ run: 1 })))
        expect(runs).toBe(1)
        expect(after.computed - before.computed).toBe(1)
        expect(after.joined - before.joined).toBe(crowd - 1)
        expect(after.misses - before.misses).toBe(crowd)
      })
    )
  )

  it.effect("a caller that is interrupted or times out harms no other", () =>
    live(
      Effect.gen(function* () {
        const { cache, key } = yield* ground
        const slow = yield* held("value")
        let runs = 0
        const f = cached(
          () =>
            Effect.suspend(() => {
              runs++
              return slow.effect
            }),
          { key: key("f") }
        )
        const first = yield* Effect.fork(f())
        yield* slow.begun
        const secondWaits = yield* waiting(cache)
        const second = yield* Effect.fork(f())
        yield* secondWaits(1)
        expect(yield* Effect.timeoutOption(f(), "20 millis")).toStrictEqual(Option.none())
        yield* Fiber.interrupt(first)
        const thirdWaits = yield* waiting(cache)
        const third = yield* Effect.fork(f())
        yield* thirdWaits(1)
        yield* slow.letGo
        expect(yield* promptly(Fiber.join(second))).toBe("value")
        expect(yield* promptly(Fiber.join(third))).toBe("value")
        expect(runs).toBe(1)
      })
    )
  )

  it.effect("when the last caller leaves the computation is interrupted and the key is free at once", () =>
    live(
      Effect.gen(function* () {
        const { key } = yield* ground
        const slow = yield* held("old")
        let interrupted = false
        let next = Effect.onInterrupt(slow.effect, () =>
          Effect.sync(() => {
            interrupted = true
          })
        )
        const f = cached(() => Effect.suspend(() => next), { key: key("f") })
        const callers = yield* Effect.all([Effect.fork(f()), Effect.fork(f())])
        yield* slow.begun
        yield* Effect.sleep("10 millis")
        yield* Fiber.interruptAll(callers)
        expect(interrupted).toBe(true)
        next = Effect.succeed("new")
        expect(yield* promptly(f())).toBe("new")
        expect(yield* f.requireCache()).toBe("new")
      })
    )
  )

  it.effect("two memoized functions of one key share the entry", () =>
    Effect.gen(function* () {
      const { key } = yield* ground
      const one = cached((_: number) => Effect.succeed("one"), { key: key("f") })
      const other = cached((_: number) => Effect.succeed("other"), { key: key("f") })
      expect(yield* one(1)).toBe("one")
      expect(yield* other(1)).toBe("one")
      yield* other.invalidate(1)
      expect(yield* one.requireCache(1).pipe(Effect.option)).toStrictEqual(Option.none())
    })
  )

  it.effect("needs a backend only when it runs", () =>
    Effect.gen(function* () {
      const { key } = yield* ground
      const f = cached(() => Effect.succeed(1), { key: key("f") })
      const call = f()
      expect(yield* Effect.provideService(call, CacheBackend, yield* CacheBackend)).toBe(1)
    })
  )
}
