/** `cache.events` tells of each key of `cachedMany` what it tells of a call of `cached`. */
import { expect } from "@effect/vitest"
import { Effect, TestClock } from "effect"
import { cachedMany } from "effect-cached"
import { listening } from "../../support/listening.js"
import { ground, type It, noting } from "./ground.js"

export const eventTests = (it: It): void => {
  it.scoped("events tell of each key", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      const { load } = noting()
      const f = cachedMany(load, { key: key("f"), ttl: "1 minute", stale: "1 hour", missing: "1 hour" })
      const heard = yield* listening(cache)
      const told = (count: number) =>
        Effect.map(heard.about(key("f"), count), (events) => events.map((event) => `${event._tag} ${event.key}`).sort())
      const expected: Array<string> = []
      const expecting = (tags: ReadonlyArray<string>, ids: ReadonlyArray<number>) => {
        for (const tag of tags) for (const id of ids) expected.push(`${tag} ${f.cacheKey(id)}`)
        return Effect.map(told(expected.length), (all) => expect(all).toStrictEqual([...expected].sort()))
      }
      yield* f([1, 2, 1_000])
      yield* expecting(["Miss", "Computed", "Stored"], [1, 2, 1_000])
      const before = yield* cache.stats
      for (const _ of ["first hit", "remembered hit"]) {
        yield* f([1, 1, 2, 1_000])
        yield* expecting(["Hit"], [1, 2, 1_000])
      }
      yield* f.requireCache([2])
      yield* expecting(["Hit"], [2])
      expect((yield* cache.stats).hits - before.hits).toBe(7)
      yield* f.one(1)
      yield* expecting(["Hit"], [1])
      yield* TestClock.adjust("61 seconds")
      yield* f.requireCache([1, 2])
      yield* expecting(["StaleHit"], [1, 2])
      yield* f.requireCache([3])
      yield* expecting(["Miss"], [3])
      yield* f.invalidate([1, 2])
      yield* expecting(["Invalidated"], [1, 2])
      yield* f([3])
      yield* expecting(["Miss", "Computed", "Stored"], [3])
    })
  )
}
