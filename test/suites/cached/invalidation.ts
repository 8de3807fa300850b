/** A value computed before an invalidation is never served after it. */
import { expect } from "@effect/vitest"
import { Effect, Fiber, Option, TestClock } from "effect"
import {
  type CacheBackend,
  type CacheBackendService,
  type CachedFunction,
  type CacheError,
  cached
} from "effect-cached"
import { ground, held, type It, promptly } from "./ground.js"

interface Subject {
  readonly cache: CacheBackendService
  readonly f: CachedFunction<[], string, never, never>
  readonly group: string
}

type Way = (subject: Subject) => Effect.Effect<unknown, CacheError, CacheBackend>

/** Every way to invalidate an entry, and what a caller gets after it. */
const ways: ReadonlyArray<readonly [string, Way, "recomputed" | "set"]> = [
  ["invalidate", ({ f }) => f.invalidate(), "recomputed"],
  ["invalidateGroup", ({ cache, group }) => cache.invalidateGroup(group), "recomputed"],
  ["delete", ({ cache, f }) => cache.delete(f.cacheKey()), "recomputed"],
  ["deleteMany", ({ cache, f }) => cache.deleteMany(["other", f.cacheKey()]), "recomputed"],
  ["clear", ({ cache }) => cache.clear, "recomputed"],
  ["forceRecalc", ({ f }) => f.forceRecalc(), "recomputed"],
  ["set", ({ cache, f, group }) => cache.set(f.cacheKey(), "set", { groups: [group] }), "set"],
  ["setMany", ({ cache, f, group }) => cache.setMany([[f.cacheKey(), "set"]], { groups: [group] }), "set"]
]

const times = { ttl: "10 seconds", stale: "1 minute" } as const

/** A memoized function whose computations the test sets one by one. */
const subject = Effect.gen(function* () {
  const { cache, key } = yield* ground
  const source = { next: Effect.succeed("old") as Effect.Effect<string>, runs: 0 }
  const f = cached(
    () =>
      Effect.suspend(() => {
        source.runs++
        return source.next
      }),
    { key: key("f"), groups: [key("group")], ...times }
  )
  return { source, cache, f, group: key("group") }
})

export const invalidationTests = (it: It): void => {
  for (const [name, act, after] of ways) {
    it.effect(`${name} invalidates a cached value`, () =>
      Effect.gen(function* () {
        const { source, ...rest } = yield* subject
        expect(yield* rest.f()).toBe("old")
        source.next = Effect.succeed("recomputed")
        yield* act(rest)
        expect(yield* rest.f()).toBe(after)
        expect(yield* rest.f.requireCache()).toBe(after)
      })
    )

    it.effect(`${name} invalidates a stale value`, () =>
      Effect.gen(function* () {
        const { source, ...rest } = yield* subject
        yield* rest.f()
        yield* TestClock.adjust("20 seconds")
        source.next = Effect.succeed("recomputed")
        yield* act(rest)
        expect(yield* promptly(rest.f())).toBe(after)
      })
    )

    for (const state of ["a first computation", "a recomputation"] as const) {
      it.effect(`${name} during ${state}: its value is not stored, and later callers do not wait for it`, () =>
        Effect.gen(function* () {
          const { source, ...rest } = yield* subject
          const { f } = rest
          if (state === "a recomputation") {
            yield* f()
            yield* TestClock.adjust("20 seconds")
          }
          const slow = yield* held("old")
          source.next = slow.effect
          const early = yield* Effect.fork(f())
          yield* slow.begun
          source.next = Effect.succeed("recomputed")
          yield* promptly(act(rest))
          expect(yield* promptly(f())).toBe(after)
          yield* slow.letGo
          expect(yield* promptly(Fiber.join(early))).toBe("old")
          expect(yield* f()).toBe(after)
          expect(yield* f.requireCache()).toBe(after)
        })
      )
    }

    it.effect(`${name} during a computation that ends before the next call`, () =>
      Effect.gen(function* () {
        const { source, ...rest } = yield* subject
        const { f } = rest
        const slow = yield* held("old")
        source.next = slow.effect
        const early = yield* Effect.fork(f())
        yield* slow.begun
        source.next = Effect.succeed("recomputed")
        yield* promptly(act(rest))
        yield* slow.letGo
        expect(yield* promptly(Fiber.join(early))).toBe("old")
        expect(yield* promptly(f())).toBe(after)
      })
    )
  }

  it.effect("add during a computation wins over it", () =>
    Effect.gen(function* () {
      const { source, cache, f, group } = yield* subject
      const slow = yield* held("old")
      source.next = slow.effect
      const early = yield* Effect.fork(f())
      yield* slow.begun
      expect(yield* cache.add(f.cacheKey(), "added", { groups: [group] })).toBe(true)
      expect(yield* promptly(f())).toBe("added")
      yield* slow.letGo
      expect(yield* Fiber.join(early)).toBe("old")
      expect(yield* f()).toBe("added")
    })
  )

  it.effect("invalidating one entry, or another group, leaves the others' computations alone", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      const slow = yield* held("value")
      let runs = 0
      const f = cached(
        (_: number) =>
          Effect.suspend(() => {
            runs++
            return slow.effect
          }),
        { key: key("f"), groups: (id) => [key(`group ${id}`)] }
      )
      const caller = yield* Effect.fork(f(1))
      yield* slow.begun
      yield* f.invalidate(2)
      yield* cache.invalidateGroup(key("group 2"))
      const second = yield* Effect.fork(f(1))
      yield* slow.letGo
      expect(yield* Fiber.join(caller)).toBe("value")
      expect(yield* promptly(Fiber.join(second))).toBe("value")
      expect(yield* cache.get(f.cacheKey(1))).toStrictEqual(Option.some("value"))
      expect(runs).toBe(1)
    })
  )

  it.effect("a forced recalculation that is invalidated does not store its value", () =>
    Effect.gen(function* () {
      const { source, f } = yield* subject
      yield* f()
      const slow = yield* held("forced")
      source.next = slow.effect
      const forced = yield* Effect.fork(f.forceRecalc())
      yield* slow.begun
      yield* f.invalidate()
      yield* slow.letGo
      expect(yield* Fiber.join(forced)).toBe("forced")
      source.next = Effect.succeed("recomputed")
      expect(yield* promptly(f())).toBe("recomputed")
    })
  )
}
