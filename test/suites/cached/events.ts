/** What a cache tells of its keys. */
import { expect } from "@effect/vitest"
import { Effect, Fiber, TestClock } from "effect"
import { CacheEvent, cached } from "effect-cached"
import { listening } from "../../support/listening.js"
import { ground, held, type It, promptly, waiting } from "./ground.js"

const tagsOf = (events: ReadonlyArray<CacheEvent>) => events.map(({ _tag }) => _tag)

export const eventTests = (it: It): void => {
  it.scoped("of a memoized call: the miss, the computation, the stored value, the hits", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      const f = cached((n: number) => Effect.succeed(n), { key: key("f") })
      const heard = yield* listening(cache)
      for (let call = 0; call < 4; call++) yield* f(1)
      const events = yield* heard.about(key("f"), 6)
      expect(tagsOf(events)).toEqual(["Miss", "Computed", "Stored", "Hit", "Hit", "Hit"])
      for (const event of events) expect(event.key).toBe(f.cacheKey(1))
      expect(events[1]).toMatchObject({ millis: expect.any(Number) })
      expect(JSON.stringify(CacheEvent.Miss({ key: f.cacheKey(1) }))).toBe(JSON.stringify(events[0]))
    })
  )

  it.scoped("of a stale value: who recomputes it has missed, the others have not", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      const slow = yield* held("new")
      let isSlow = false
      const f = cached(() => Effect.suspend(() => (isSlow ? slow.effect : Effect.succeed("old"))), {
        key: key("f"),
        ttl: "1 minute",
        stale: "1 hour"
      })
      yield* f()
      yield* TestClock.adjust("2 minutes")
      isSlow = true
      const heard = yield* listening(cache)
      const caller = yield* Effect.fork(f())
      yield* slow.begun
      expect(yield* f()).toBe("old")
      expect(tagsOf(yield* heard.about(key("f"), 1))).toEqual(["StaleHit"])
      yield* slow.letGo
      yield* Fiber.join(caller)
      expect(tagsOf(yield* heard.about(key("f"), 4))).toEqual(["StaleHit", "Computed", "Stored", "Miss"])
    })
  )

  it.scoped("of failures, of those who joined, and of what is computed and not kept", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      const heard = yield* listening(cache)
      const failing = cached(() => Effect.fail("no"), { key: key("failing") })
      yield* Effect.flip(failing())
      expect(tagsOf(yield* heard.about(key("failing"), 2))).toEqual(["Miss", "Failed"])

      const slow = yield* held("value")
      const f = cached(() => slow.effect, { key: key("joined") })
      const waited = yield* waiting(cache)
      const callers = yield* Effect.fork(Effect.all([f(), f()], { concurrency: "unbounded" }))
      yield* slow.begun
      yield* waited(2)
      yield* f.invalidate()
      yield* slow.letGo
      yield* Fiber.join(callers)
      const events = yield* heard.about(key("joined"), 6)
      expect(tagsOf(events).slice(0, 5)).toEqual(["Miss", "Miss", "Invalidated", "Computed", "Discarded"])
      expect(tagsOf(events).slice(5)).toEqual(["Joined"])

      const bad = cached(() => Effect.succeed("secret"), { key: key("bad"), ttl: (value) => value as "1 day" })
      yield* bad()
      expect(tagsOf(yield* heard.about(key("bad"), 3))).toEqual(["Miss", "Computed", "Refused"])
      expect(JSON.stringify(heard.events)).not.toContain("secret")
    })
  )

  it.scoped("of what is invalidated: a key, a group, everything", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      const f = cached((n: number) => Effect.succeed(n), { key: key("f"), groups: [key("f group")] })
      yield* f(1)
      const heard = yield* listening(cache)
      yield* f.invalidate(1)
      yield* cache.delete(key("f key"))
      yield* cache.deleteMany([key("f one"), key("f two")])
      yield* cache.invalidateGroup(key("f group"))
      const events = yield* heard.about(key("f"), 5)
      expect(events.map(({ _tag, ...event }) => [_tag, event])).toEqual([
        ["Invalidated", { key: f.cacheKey(1) }],
        ["Invalidated", { key: key("f key") }],
        ["Invalidated", { key: key("f one") }],
        ["Invalidated", { key: key("f two") }],
        ["Invalidated", { group: key("f group") }]
      ])
      yield* cache.clear
      yield* promptly(
        Effect.repeat(Effect.yieldNow(), {
          until: () => heard.events.some((event) => event._tag === "Invalidated" && Object.keys(event).length === 1)
        })
      )
    })
  )

  it.scoped("of getOrSet and the direct operations", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      const heard = yield* listening(cache)
      const told = (name: string, count: number) => Effect.map(heard.about(key(name), count), tagsOf)
      yield* cache.getOrSet(key("a"), Effect.succeed(1))
      yield* cache.getOrSet(key("a"), Effect.succeed(1))
      expect(yield* told("a", 4)).toEqual(["Miss", "Computed", "Stored", "Hit"])
      yield* cache.get(key("b"))
      yield* cache.set(key("b"), 1, { groups: [key("group")] })
      yield* cache.get(key("b"))
      yield* cache.getMany([key("b"), key("b2")])
      expect(yield* told("b", 5)).toEqual(["Miss", "Stored", "Hit", "Hit", "Miss"])
      yield* cache.add(key("c"), 1)
      yield* cache.increment(key("c"))
      yield* cache.touch(key("c"))
      yield* cache.touch(key("c"), 0)
      expect(yield* told("c", 4)).toEqual(["Stored", "Stored", "Stored", "Invalidated"])
      yield* cache.setMany([
        [key("d"), 1],
        [key("d"), 2]
      ])
      yield* cache.has(key("d"))
      yield* cache.inspect(key("d"))
      yield* cache.set(key("d"), 3, { ttl: 0 })
      expect(yield* told("d", 3)).toEqual(["Stored", "Stored", "Invalidated"])
    })
  )
}
