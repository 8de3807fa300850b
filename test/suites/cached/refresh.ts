/** `refresh` runs in place of the computation where there is an old value. */
import { expect } from "@effect/vitest"
import { Effect, Fiber, Option, TestClock } from "effect"
import { cached, getOrSet, invalidateGroup } from "effect-cached"
import { eventually, ground, held, type It, promptly } from "./ground.js"

interface Page {
  readonly etag: string
  readonly body: string
}

const times = { ttl: "10 seconds", stale: "1 minute", lease: "5 seconds" } as const

/** A source that counts how it was asked. */
const source = () => {
  const state = {
    page: { etag: "1", body: "one" } as Page,
    full: 0,
    conditional: [] as Array<readonly [Page, number]>
  }
  return {
    state,
    full: (_id: number) =>
      Effect.sync(() => {
        state.full++
        return state.page
      }),
    conditional: (previous: Page, id: number) =>
      Effect.sync(() => {
        state.conditional.push([previous, id])
        return previous.etag === state.page.etag ? Option.none<Page>() : Option.some(state.page)
      })
  }
}

export const refreshTests = (it: It): void => {
  it.effect("None: the old value is fresh again for its ttl; Some: the new value", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      const { conditional, full, state } = source()
      const f = cached(full, { key: key("f"), ...times, groups: [key("g")], refresh: conditional })
      const one = yield* f(7)
      expect(state.conditional).toHaveLength(0)
      for (let round = 1; round <= 3; round++) {
        yield* TestClock.adjust("10 seconds")
        expect(yield* f(7)).toStrictEqual(one)
        expect(state.conditional).toHaveLength(round)
        expect(state.conditional.at(-1)).toStrictEqual([one, 7])
        yield* TestClock.adjust(9_999)
        const { hits } = yield* cache.stats
        expect(yield* f(7)).toStrictEqual(one)
        expect((yield* cache.stats).hits - hits).toBe(1)
        yield* TestClock.adjust(1)
        // Stale, and refreshed by the next round.
        yield* TestClock.adjust(1)
      }
      state.page = { etag: "2", body: "two" }
      expect(yield* f(7)).toStrictEqual(state.page)
      expect(yield* f.requireCache(7)).toStrictEqual(state.page)
      expect(state.full).toBe(1)
    })
  )

  it.effect("the ttl is asked with the old value, and its stale time begins anew", () =>
    Effect.gen(function* () {
      const { key } = yield* ground
      const { conditional, full } = source()
      const asked: Array<string> = []
      const f = cached(full, {
        key: key("f"),
        ...times,
        ttl: (page) => {
          asked.push(page.etag)
          return "10 seconds"
        },
        refresh: conditional
      })
      yield* f(1)
      yield* TestClock.adjust("60 seconds")
      yield* f(1)
      expect(asked).toStrictEqual(["1", "1"])
      yield* TestClock.adjust(69_999)
      expect(yield* f.requireCache(1)).toMatchObject({ etag: "1" })
      yield* TestClock.adjust(1)
      expect(yield* Effect.flip(f.requireCache(1))).toMatchObject({ _tag: "NoCachedValue" })
    })
  )

  it.effect("without an old value, and for forceRecalc, the function runs", () =>
    Effect.gen(function* () {
      const { key } = yield* ground
      const { conditional, full, state } = source()
      const f = cached(full, { key: key("f"), ...times, refresh: conditional })
      yield* f(1)
      yield* TestClock.adjust("10 seconds")
      yield* f.forceRecalc(1)
      yield* f.invalidate(1)
      yield* f(1)
      yield* TestClock.adjust("70 seconds")
      yield* f(1)
      expect([state.full, state.conditional.length]).toStrictEqual([4, 0])
    })
  )

  it.effect("invalidated while it runs: nothing is prolonged", () =>
    Effect.gen(function* () {
      const { key } = yield* ground
      const { full, state } = source()
      const slow = yield* held(Option.none<Page>())
      const f = cached(full, { key: key("f"), ...times, groups: [key("g")], refresh: () => slow.effect })
      yield* f(1)
      yield* TestClock.adjust("10 seconds")
      const caller = yield* Effect.fork(f(1))
      yield* promptly(slow.begun)
      yield* invalidateGroup(key("g"))
      state.page = { etag: "2", body: "two" }
      yield* slow.letGo
      yield* promptly(Fiber.join(caller))
      expect(yield* f(1)).toStrictEqual({ etag: "2", body: "two" })
    })
  )

  it.effect("a failure is one of the recomputation: the stale value, or the error", () =>
    Effect.gen(function* () {
      const { key } = yield* ground
      const { full } = source()
      const failing = (): Effect.Effect<Option.Option<Page>, "down"> => Effect.fail("down")
      const orDown = (id: number): Effect.Effect<Page, "down"> => full(id)
      const f = cached(orDown, { key: key("f"), ...times, refresh: failing })
      const g = cached(orDown, { key: key("g"), ...times, staleOnError: false, refresh: failing })
      yield* f(1)
      yield* g(1)
      yield* TestClock.adjust("10 seconds")
      expect(yield* f(1)).toMatchObject({ etag: "1" })
      expect(yield* Effect.flip(g(1))).toBe("down")
    })
  )

  it.effect("in the background, and behind a softTimeout", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      const { full } = source()
      for (const option of [{ revalidate: "background" }, { softTimeout: 0 }] as const) {
        const slow = yield* held(Option.none<Page>())
        const f = cached(full, { key: key(JSON.stringify(option)), ...times, ...option, refresh: () => slow.effect })
        yield* f(1)
        yield* TestClock.adjust("10 seconds")
        expect(yield* promptly(f(1))).toMatchObject({ etag: "1" })
        yield* promptly(slow.begun)
        yield* slow.letGo
        const fresh = Effect.zipWith(f(1), cache.get(f.cacheKey(1)), (_, found) => found)
        yield* eventually(fresh, Option.isSome)
      }
    })
  )

  it.effect("of getOrSet", () =>
    Effect.gen(function* () {
      const { key } = yield* ground
      const { conditional, full, state } = source()
      const get = getOrSet(key("k"), full(1), { ...times, refresh: (previous) => conditional(previous, 1) })
      yield* get
      yield* TestClock.adjust("10 seconds")
      yield* get
      expect([state.full, state.conditional.length]).toStrictEqual([1, 1])
    })
  )
}
