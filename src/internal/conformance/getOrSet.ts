/**
 * `getOrSet`: computes once for all callers, and stores nothing that was invalidated meanwhile.
 */
import { expect } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Option, TestClock } from "effect"
import type { CacheBackendService } from "../../CacheBackend.js"
import type { CacheError } from "../../CacheError.js"
import { crowd, ground, type It, live, together, waiting } from "./ground.js"

/** An effect that counts its runs. */
const counted = <A>(value: A) => {
  const counter = { runs: 0 }
  const effect = Effect.sync(() => {
    counter.runs++
    return value
  })
  return { counter, effect }
}

/** Computes the value "computed" for the key, and runs an effect meanwhile. */
const whileComputing = <E, R>(
  cache: CacheBackendService,
  key: string,
  meanwhile: Effect.Effect<unknown, E, R>,
  groups: ReadonlyArray<string> = []
) =>
  Effect.gen(function* () {
    const begun = yield* Deferred.make<void>()
    const done = yield* Deferred.make<void>()
    const computation = Effect.as(Effect.zipRight(Deferred.succeed(begun, undefined), Deferred.await(done)), "computed")
    const caller = yield* Effect.fork(cache.getOrSet(key, computation, { groups }))
    yield* Deferred.await(begun)
    yield* meanwhile
    yield* Deferred.succeed(done, undefined)
    return yield* Fiber.join(caller)
  })

export const getOrSetTests = (it: It): void => {
  it.effect("computes what is missing, stores it and does not compute it again", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      const { counter, effect } = counted("value")
      expect(yield* cache.getOrSet(key("a"), effect)).toBe("value")
      expect(yield* cache.get(key("a"))).toStrictEqual(Option.some("value"))
      expect(yield* cache.getOrSet(key("a"), effect)).toBe("value")
      expect(counter.runs).toBe(1)
    })
  )

  it.effect("serves what was set, were it 0, an empty text, false or null", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      for (const value of [0, "", false, null, undefined]) {
        yield* cache.set(key("a"), value)
        expect(yield* cache.getOrSet<unknown, never, never>(key("a"), Effect.dieMessage("computed"))).toBe(value)
      }
    })
  )

  it.effect("does not store undefined, null and Option.none()", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      for (const value of [undefined, null, Option.none()]) {
        expect(yield* cache.getOrSet(key("a"), Effect.succeed(value))).toBe(value)
        expect(yield* cache.has(key("a"))).toBe(false)
      }
    })
  )

  it.effect("computes again past ttl and stale", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      const options = { ttl: "10 seconds", stale: "10 seconds" } as const
      yield* cache.getOrSet(key("a"), Effect.succeed("old"), options)
      yield* TestClock.adjust("20 seconds")
      expect(yield* cache.getOrSet(key("a"), Effect.succeed("new"), options)).toBe("new")
    })
  )

  it.effect("serves a stale value when computing fails, and does not try again before the lease ends", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      const options = { ttl: "10 seconds", stale: "1 minute", lease: "10 seconds" } as const
      yield* cache.getOrSet(key("a"), Effect.succeed("old"), options)
      yield* TestClock.adjust("10 seconds")
      const failing: Effect.Effect<string, string> = Effect.fail("down")
      expect(yield* cache.getOrSet(key("a"), failing, options)).toBe("old")
      const { counter, effect } = counted("new")
      expect(yield* cache.getOrSet(key("a"), effect, options)).toBe("old")
      expect(counter.runs).toBe(0)
      yield* TestClock.adjust("10 seconds")
      expect(yield* cache.getOrSet(key("a"), effect, options)).toBe("new")
      expect(yield* cache.get(key("a"))).toStrictEqual(Option.some("new"))
    })
  )

  it.effect("passes a typed error and a defect on and stores nothing", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      const failing: Effect.Effect<string, "broken"> = Effect.fail("broken")
      expect(yield* Effect.flip(cache.getOrSet(key("a"), failing))).toBe("broken")
      expect(yield* cache.has(key("a"))).toBe(false)
      const dying = yield* Effect.exit(cache.getOrSet(key("a"), Effect.die("defect")))
      expect(dying).toStrictEqual(Exit.die("defect"))
      expect(yield* cache.getOrSet(key("a"), Effect.succeed("value"))).toBe("value")
      expect(yield* cache.get(key("a"))).toStrictEqual(Option.some("value"))
    })
  )

  it.effect("stores the value with its groups", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      const options = { groups: [key("group"), key("other")] }
      yield* cache.getOrSet(key("a"), Effect.succeed(1), options)
      expect(yield* cache.getOrSet(key("a"), Effect.succeed(2), options)).toBe(1)
      yield* cache.invalidateGroup(key("other"))
      expect(yield* cache.getOrSet(key("a"), Effect.succeed(3), options)).toBe(3)
      expect(yield* cache.get(key("a"))).toStrictEqual(Option.some(3))
    })
  )

  it.effect("computes once for many callers, and gives the value to all", () =>
    live(
      Effect.gen(function* () {
        const { cache, key } = yield* ground
        const { counter, effect } = counted({ the: "value" })
        const waited = yield* waiting(cache)
        const slow = Effect.zipRight(Effect.ignore(waited(crowd)), effect)
        const values = yield* together(() => cache.getOrSet(key("a"), slow, { groups: [key("group")] }))
        expect(values).toStrictEqual(Array.from({ length: crowd }, () => ({ the: "value" })))
        expect(counter.runs).toBe(1)
      })
    )
  )

  it.effect("shares one typed error among many callers", () =>
    live(
      Effect.gen(function* () {
        const { cache, key } = yield* ground
        const { counter, effect } = counted("broken")
        const waited = yield* waiting(cache)
        const failing = Effect.flatMap(Effect.zipRight(Effect.ignore(waited(crowd)), effect), Effect.fail)
        const errors = yield* together(() => Effect.flip(cache.getOrSet(key("a"), failing)))
        expect(new Set(errors)).toStrictEqual(new Set(["broken"]))
        expect(counter.runs).toBe(1)
      })
    )
  )

  it.effect("survives the caller that began", () =>
    live(
      Effect.gen(function* () {
        const { cache, key } = yield* ground
        const { counter, effect } = counted("value")
        const begun = yield* Deferred.make<void>()
        const left = yield* Deferred.make<void>()
        const waited = yield* waiting(cache)
        const slow = Effect.zipRight(Effect.zipRight(Deferred.succeed(begun, undefined), Deferred.await(left)), effect)
        const first = yield* Effect.fork(cache.getOrSet(key("a"), slow))
        yield* Deferred.await(begun)
        const second = yield* Effect.fork(cache.getOrSet(key("a"), slow))
        yield* waited(2)
        yield* Fiber.interrupt(first)
        yield* Deferred.succeed(left, undefined)
        expect(yield* Fiber.join(second)).toBe("value")
        expect(counter.runs).toBe(1)
        expect(yield* cache.get(key("a"))).toStrictEqual(Option.some("value"))
      })
    )
  )

  it.effect("frees the key at once when the last caller leaves", () =>
    live(
      Effect.gen(function* () {
        const { cache, key } = yield* ground
        const begun = yield* Deferred.make<void>()
        const caller = yield* Effect.fork(
          cache.getOrSet(key("a"), Effect.zipRight(Deferred.succeed(begun, undefined), Effect.never))
        )
        yield* Deferred.await(begun)
        yield* Fiber.interrupt(caller)
        const value = cache.getOrSet(key("a"), Effect.succeed("value"))
        expect(yield* Effect.timeout(value, "5 seconds")).toBe("value")
      })
    )
  )

  it.effect("does not store what was deleted while it was computed", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      for (const meanwhile of [
        cache.delete(key("a")),
        cache.deleteMany([key("a")]),
        cache.set(key("a"), 1, { ttl: 0 })
      ]) {
        expect(yield* whileComputing(cache, key("a"), meanwhile)).toBe("computed")
        expect(yield* cache.has(key("a"))).toBe(false)
      }
    })
  )

  it.effect("does not store what was invalidated by its group while it was computed", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      const groups = [key("group"), key("other")]
      expect(yield* whileComputing(cache, key("a"), cache.invalidateGroup(key("other")), groups)).toBe("computed")
      expect(yield* cache.has(key("a"))).toBe(false)
      expect(yield* cache.getOrSet(key("a"), Effect.succeed("new"), { groups })).toBe("new")
      expect(yield* cache.get(key("a"))).toStrictEqual(Option.some("new"))
    })
  )

  it.effect("does not overwrite what was set while it was computed", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      for (const [name, meanwhile] of [
        ["set", cache.set(key("set"), "newer")],
        ["setMany", cache.setMany([[key("setMany"), "newer"]])],
        ["add", cache.add(key("add"), "newer")]
      ] as const) {
        expect(yield* whileComputing(cache, key(name), meanwhile)).toBe("computed")
        expect(yield* cache.get(key(name))).toStrictEqual(Option.some("newer"))
      }
    })
  )

  it.effect("shows nothing to the direct operations before it has computed", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      const looking = Effect.gen(function* () {
        expect(yield* cache.get(key("a"))).toStrictEqual(Option.none())
        expect(yield* cache.has(key("a"))).toBe(false)
        expect(yield* cache.touch(key("a"))).toBe(false)
        expect(yield* Effect.flip(cache.increment(key("a")))).toMatchObject({ _tag: "NoCachedValue" })
        expect(yield* cache.getMany([key("a")])).toStrictEqual(new Map())
      })
      expect(yield* whileComputing(cache, key("a"), looking)).toBe("computed")
      expect(yield* cache.get(key("a"))).toStrictEqual(Option.some("computed"))
    })
  )

  it.effect("prolongs a large stale value that refresh says is still right, and gives back a lease on it", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      const value = Array.from({ length: 4_000 }, (_, index) => ({ index, text: `${index} ü` }))
      let refresh: Effect.Effect<Option.Option<typeof value>> = Effect.succeedNone
      let runs = 0
      const get = cache.getOrSet(
        key("a"),
        Effect.sync(() => {
          runs++
          return value
        }),
        { ttl: "10 seconds", stale: "1 hour", groups: [key("g")], refresh: () => refresh }
      )
      yield* get
      yield* TestClock.adjust("10 seconds")
      expect(yield* get).toStrictEqual(value)
      yield* TestClock.adjust(9_999)
      expect(yield* cache.get(key("a"))).toStrictEqual(Option.some(value))
      yield* TestClock.adjust(1)
      const begun = yield* Deferred.make<void>()
      refresh = Effect.zipRight(Deferred.succeed(begun, undefined), Effect.never)
      const caller = yield* Effect.fork(get)
      yield* Deferred.await(begun)
      yield* Fiber.interrupt(caller)
      refresh = Effect.succeedNone
      // The caller does not wait until the store has its lease back.
      const prolonged: Effect.Effect<unknown, CacheError> = Effect.flatMap(
        Effect.zipRight(get, cache.get(key("a"))),
        (found) =>
          Option.isSome(found)
            ? Effect.succeed(found.value)
            : live(Effect.sleep("5 millis")).pipe(Effect.zipRight(prolonged))
      )
      expect(yield* prolonged).toStrictEqual(value)
      expect(runs).toBe(1)
      yield* cache.invalidateGroup(key("g"))
      yield* get
      expect(runs).toBe(2)
    })
  )

  it.effect("answers although its value can't be stored", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      const value = { f: () => 1 }
      expect(yield* cache.getOrSet(key("a"), Effect.succeed(value))).toBe(value)
      expect(yield* cache.getOrSet(key("a"), Effect.succeed(value))).toBe(value)
    })
  )
}
