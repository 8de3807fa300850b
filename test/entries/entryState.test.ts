import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import type { CachedValue, Entry, GroupVersion, Lease } from "../../src/CacheStore.js"
import {
  isFresh,
  leasedEntry,
  lifespan,
  madeUnder,
  refreshesEarly,
  stateOf,
  tombstone,
  valueEntry,
  withoutValue
} from "../../src/internal/entries/entryState.js"

const value = (freshUntil: number, staleUntil = freshUntil, computeMillis = 0): CachedValue => ({
  payload: "value",
  freshUntil,
  staleUntil,
  computeMillis
})

const lease: Lease = { id: "lease", until: 50 }

const instant = fc.integer({ min: 0, max: 200 })
const moment = fc.oneof(instant, fc.constant(Number.POSITIVE_INFINITY))
const arbitraryLease = fc.record({ id: fc.constantFrom("a", "b"), until: instant })
const arbitraryValue = fc
  .record({ fresh: moment, stale: moment, computeMillis: fc.integer({ min: 0, max: 50 }) })
  .map(({ fresh, stale, computeMillis }) => value(fresh, fresh + stale, computeMillis))
const arbitraryGroups = fc
  .uniqueArray(fc.constantFrom("a", "b", "c"), { maxLength: 3 })
  .chain((keys) =>
    fc.tuple(...keys.sort().map((key) => fc.constantFrom("1", "2").map((version): GroupVersion => ({ key, version }))))
  )
const arbitraryEntry: fc.Arbitrary<Entry> = fc.record({
  value: fc.option(arbitraryValue, { nil: undefined }),
  lease: fc.option(arbitraryLease, { nil: undefined }),
  groups: arbitraryGroups
})

describe("stateOf", () => {
  it("takes no entry for gone", () => {
    expect(stateOf(undefined, [], 0)).toStrictEqual({ _tag: "Gone" })
  })

  it.each([
    [99, "Fresh"],
    [100, "Stale"],
    [149, "Stale"],
    [150, "Gone"]
  ])("at %i a value that is fresh to 100 and stale to 150 is %s", (now, tag) => {
    expect(stateOf(valueEntry(value(100, 150), []), [], now)._tag).toBe(tag)
  })

  it.each([
    [49, "Leased"],
    [50, "Gone"]
  ])("at %i a lease until 50 is %s", (now, tag) => {
    expect(stateOf(leasedEntry(undefined, lease, []), [], now)._tag).toBe(tag)
  })

  it("shows a lease beside a value until it has run out", () => {
    const entry = leasedEntry(value(20, 100), lease, [])
    expect(stateOf(entry, [], 10)).toStrictEqual({ _tag: "Fresh", value: entry.value, lease })
    expect(stateOf(entry, [], 30)).toStrictEqual({ _tag: "Stale", value: entry.value, lease })
    expect(stateOf(entry, [], 60)).toStrictEqual({ _tag: "Stale", value: entry.value, lease: undefined })
  })

  it("takes an expired value with a lease for leased", () => {
    expect(stateOf(leasedEntry(value(10, 20), lease, []), [], 30)).toStrictEqual({ _tag: "Leased", lease })
  })

  it("lets only a lease whose computation runs here outlast its deadline", () => {
    const entry = leasedEntry(undefined, lease, [])
    expect(stateOf(entry, [], 60, (id) => id === "lease")._tag).toBe("Leased")
    expect(stateOf(entry, [], 60, (id) => id === "another")._tag).toBe("Gone")
  })

  it("takes a tombstone for gone from its first moment", () => {
    expect(stateOf(tombstone("lease", 10), [], 10)._tag).toBe("Gone")
    expect(stateOf(tombstone("lease", 10), [], 11)._tag).toBe("Gone")
  })

  it("takes any entry for gone while one of the groups has no version", () => {
    fc.assert(
      fc.property(arbitraryEntry, instant, (entry, now) => {
        expect(stateOf(entry, undefined, now)._tag).toBe("Gone")
      })
    )
  })

  it("serves no value and respects no lease that was made under other versions", () => {
    fc.assert(
      fc.property(arbitraryEntry, arbitraryGroups, instant, (entry, current, now) => {
        fc.pre(JSON.stringify(entry.groups) !== JSON.stringify(current))
        expect(stateOf(entry, current, now, () => true)._tag).toBe("Gone")
      })
    )
  })

  it("serves a value exactly up to its times, with a lease and without", () => {
    fc.assert(
      fc.property(arbitraryEntry, instant, (entry, now) => {
        const verdict = stateOf(entry, entry.groups, now)
        const alive = entry.value !== undefined && now < entry.value.staleUntil
        expect(verdict._tag === "Fresh" || verdict._tag === "Stale").toBe(alive)
        if (verdict._tag === "Fresh") expect(now).toBeLessThan(verdict.value.freshUntil)
        if (verdict._tag === "Stale") expect(now).toBeGreaterThanOrEqual(verdict.value.freshUntil)
      })
    )
  })

  it("shows a lease exactly as long as it runs", () => {
    fc.assert(
      fc.property(arbitraryEntry, instant, (entry, now) => {
        const verdict = stateOf(entry, entry.groups, now)
        const shown = verdict._tag === "Gone" ? undefined : verdict.lease
        expect(shown).toStrictEqual(entry.lease !== undefined && now < entry.lease.until ? entry.lease : undefined)
      })
    )
  })

  it("never goes back: fresh, then stale, then nothing", () => {
    const order = ["Fresh", "Stale", "Leased", "Gone"]
    fc.assert(
      fc.property(arbitraryEntry, instant, instant, (entry, one, other) => {
        const [early, late] = [Math.min(one, other), Math.max(one, other)]
        const rank = (now: number) => order.indexOf(stateOf(entry, entry.groups, now)._tag)
        expect(rank(late)).toBeGreaterThanOrEqual(rank(early))
      })
    )
  })
})

describe("madeUnder", () => {
  it("is true only for the same versions of the same groups", () => {
    fc.assert(
      fc.property(arbitraryGroups, arbitraryGroups, (own, current) => {
        const entry = valueEntry(value(1), own)
        expect(madeUnder(entry, current)).toBe(JSON.stringify(own) === JSON.stringify(current))
      })
    )
  })

  it.each<[string, ReadonlyArray<GroupVersion>, ReadonlyArray<GroupVersion>]>([
    ["a group more today", [], [{ key: "a", version: "1" }]],
    ["a group less today", [{ key: "a", version: "1" }], []],
    ["another group of the same version", [{ key: "a", version: "1" }], [{ key: "b", version: "1" }]],
    ["another version", [{ key: "a", version: "1" }], [{ key: "a", version: "2" }]]
  ])("fails for %s", (_, own, current) => {
    expect(madeUnder(valueEntry(value(1), own), current)).toBe(false)
  })
})

describe("lifespan", () => {
  it.each<[number, number, number, number, number, number, number]>([
    [1_000, 100, 50, 0, 0, 1_100, 1_150],
    [1_000, 100, 50, 0.5, 0, 1_100, 1_150],
    [1_000, 100, 50, 0.5, 0.5, 1_075, 1_125],
    [1_000, 100, 50, 1, 0.5, 1_050, 1_100],
    [1_000, 100, 0, 0, 0.9, 1_100, 1_100]
  ])("from %i with ttl %i, stale %i, jitter %d and random %d: fresh to %d, stale to %d", (...numbers) => {
    const [now, ttl, stale, jitter, random, freshUntil, staleUntil] = numbers
    expect(lifespan(now, ttl, stale, jitter, random)).toStrictEqual({ freshUntil, staleUntil })
  })

  it("takes no jitter off an infinite ttl, and keeps an infinite stale time", () => {
    const forEver = { freshUntil: Number.POSITIVE_INFINITY, staleUntil: Number.POSITIVE_INFINITY }
    expect(lifespan(5, Number.POSITIVE_INFINITY, 0, 0.9, 0.9)).toStrictEqual(forEver)
    expect(lifespan(5, Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY)).toStrictEqual(forEver)
    expect(lifespan(5, 10, Number.POSITIVE_INFINITY)).toStrictEqual({
      freshUntil: 15,
      staleUntil: Number.POSITIVE_INFINITY
    })
  })

  it("stays between the ttl less its jitter and the ttl", () => {
    const share = fc.double({ min: 0, max: 1, noNaN: true })
    const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
    const millis = fc.integer({ min: 1, max: 10 ** 10 })
    fc.assert(
      fc.property(millis, millis, share, random, (ttl, stale, jitter, chance) => {
        const { freshUntil, staleUntil } = lifespan(0, ttl, stale, jitter, chance)
        expect(freshUntil).toBeLessThanOrEqual(ttl)
        expect(freshUntil).toBeGreaterThanOrEqual(ttl * (1 - jitter) - 1)
        expect(staleUntil).toBe(freshUntil + stale)
      })
    )
  })
})

describe("refreshesEarly", () => {
  it("never happens at β = 0", () => {
    fc.assert(
      fc.property(
        arbitraryValue,
        instant,
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        (cachedValue, now, random) => {
          expect(refreshesEarly(cachedValue, now, 0, random)).toBe(false)
        }
      )
    )
  })

  it("never happens to a value with an infinite ttl, or one that took no time to compute", () => {
    expect(refreshesEarly(value(Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, 1_000), 10, 1, 0.99)).toBe(false)
    expect(refreshesEarly(value(100, 200, 0), 99, 1, 0.99)).toBe(false)
  })

  it("happens at the end, and never at random 0 before it", () => {
    expect(refreshesEarly(value(100, 200, 10), 100, 1, 0)).toBe(true)
    expect(refreshesEarly(value(100, 200, 10), 99, 1, 0)).toBe(false)
  })

  it("happens as often as XFetch says: e^(−remaining / (β · cost))", () => {
    const rate = (remaining: number, cost: number, beta: number) => {
      const draws = 10_000
      let hits = 0
      for (let draw = 0; draw < draws; draw++) {
        if (refreshesEarly(value(1_000, 2_000, cost), 1_000 - remaining, beta, draw / draws)) hits++
      }
      return hits / draws
    }
    for (const [remaining, cost, beta] of [
      [10, 10, 1],
      [20, 10, 1],
      [20, 10, 2],
      [5, 50, 1]
    ] as const) {
      expect(rate(remaining, cost, beta)).toBeCloseTo(Math.exp(-remaining / (beta * cost)), 3)
    }
  })

  it("is more likely later, for a slower computation and with a higher β", () => {
    const random = fc.double({ min: 0, max: 0.999, noNaN: true })
    const more = fc.integer({ min: 0, max: 50 })
    fc.assert(
      fc.property(instant, instant, random, more, more, more, (freshUntil, now, chance, later, slower, higher) => {
        if (!refreshesEarly(value(freshUntil, freshUntil, 5), now, 1, chance)) return
        expect(refreshesEarly(value(freshUntil, freshUntil, 5 + slower), now + later, 1 + higher, chance)).toBe(true)
      })
    )
  })
})

describe("the makers of entries", () => {
  const groups: ReadonlyArray<GroupVersion> = [{ key: "a", version: "1" }]

  it("leased keeps the value and the groups, valueEntry ends the lease, tombstone keeps nothing", () => {
    const kept = value(10, 20)
    expect(leasedEntry(kept, lease, groups)).toStrictEqual({ value: kept, lease, groups })
    expect(valueEntry(kept, groups)).toStrictEqual({ value: kept, lease: undefined, groups })
    expect(tombstone("id", 7)).toStrictEqual({ value: undefined, lease: { id: "id", until: 7 }, groups: [] })
  })

  it("withoutValue is leased while a lease runs", () => {
    expect(withoutValue(lease)).toStrictEqual({ _tag: "Leased", lease })
    expect(withoutValue(undefined)).toStrictEqual({ _tag: "Gone" })
  })

  it("isFresh ends at the very millisecond", () => {
    expect(isFresh(value(10), 9)).toBe(true)
    expect(isFresh(value(10), 10)).toBe(false)
  })
})
