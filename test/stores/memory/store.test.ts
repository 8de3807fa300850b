/** The memory store by its internal contract. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Option, TestClock } from "effect"
import type { Entry } from "../../../src/CacheStore.js"
import { unfused } from "../../../src/internal/stores/fused.js"
import * as MemoryStore from "../../../src/internal/stores/memory/MemoryStore.js"
import { type LocalPart, noHit, type Store } from "../../../src/internal/stores/Store.js"

const valueUntil = (until: number, payload: unknown = "value"): Entry => ({
  value: { payload, freshUntil: until, staleUntil: until, computeMillis: 1 },
  lease: undefined,
  groups: []
})
const leaseUntil = (until: number): Entry => ({ value: undefined, lease: { id: "lease", until }, groups: [] })

const hour = 3_600_000
const fresh = valueUntil(hour)

const make = (options: Partial<MemoryStore.MemoryStoreOptions> = {}) =>
  Effect.map(
    MemoryStore.make({ maxEntries: 1_000_000, maxBytes: undefined, copy: false, ...options }),
    (store): readonly [Store, LocalPart] => {
      if (store.local === undefined) throw new Error("the memory store has no local part")
      return [store, store.local]
    }
  )

const entriesOf = (store: Store) =>
  Effect.map(store.size ?? Effect.die("no size"), ({ entries }) => Option.getOrThrow(entries))

const turn = Effect.async<void>((resume) => {
  setImmediate(() => resume(Effect.void))
})

describe("an entry that was returned", () => {
  for (const [how, end] of [
    ["replaced", (store: Store) => unfused(store.write)([{ key: "key", entry: valueUntil(hour, "later") }])],
    ["leased", (store: Store) => unfused(store.write)([{ key: "key", entry: leaseUntil(hour) }])],
    ["removed", (store: Store) => store.remove(["key"])],
    ["evicted", (store: Store) => unfused(store.write)(["a", "b", "c"].map((key) => ({ key, entry: fresh })))],
    ["cleared", (store: Store) => store.clear],
    ["swept", () => TestClock.adjust("2 hours")]
  ] as const) {
    it.scoped(`is empty once it was ${how}, and its token does not count any more`, () =>
      Effect.gen(function* () {
        const [store, local] = yield* make({ maxEntries: 3 })
        yield* unfused(store.write)([{ key: "key", entry: fresh }])
        const found = local.find("key")
        const read = local.read("key", 0)
        assert.deepStrictEqual([found?.payload, found?.hitUntil], [fresh.value?.payload, fresh.value?.freshUntil])
        assert.strictEqual(found?.token, read?.token)
        yield* end(store)
        assert.deepStrictEqual([found?.payload, found?.hitUntil], [undefined, noHit])
        assert.isUndefined(found?.entry)
        // what an earlier read returned stays as it was
        assert.strictEqual(read?.entry, fresh)
        assert.deepStrictEqual(yield* store.replace("key", found?.token, fresh), Option.none())
      })
    )
  }

  it.scoped("is found only if it has a value", () =>
    Effect.gen(function* () {
      const [store, local] = yield* make()
      yield* store.add("key", leaseUntil(hour))
      assert.isUndefined(local.find("key"))
      assert.deepStrictEqual(local.read("key", 0)?.entry, leaseUntil(hour))
      // the computation may still run here
      assert.isDefined(local.read("key", 2 * hour))
    })
  )
})

describe("the sweep", () => {
  const entries = 20_000

  it.scoped("gives the event loop its turn between slices", () =>
    Effect.gen(function* () {
      const [store] = yield* make()
      yield* unfused(store.write)(
        Array.from({ length: entries }, (_, n) => ({ key: `key ${n}`, entry: valueUntil(1) }))
      )
      const seen: Array<number> = []
      const watched = yield* Effect.fork(
        Effect.repeat(
          Effect.zipRight(
            turn,
            Effect.map(entriesOf(store), (left) => seen.push(left))
          ),
          { until: () => seen.at(-1) === 0 }
        )
      )
      yield* TestClock.adjust("30 seconds")
      yield* Fiber.join(watched)
      const drops = seen.map((left, index) => (seen[index - 1] ?? entries) - left)
      // one slice a turn; two, where the first one runs in between
      assert.isAtMost(Math.max(...drops), 2_000)
    })
  )

  it.scoped("drops all expired entries and no others, whatever is added and removed meanwhile", () =>
    Effect.gen(function* () {
      const [store, local] = yield* make()
      const keys = Array.from({ length: entries }, (_, n) => `key ${n}`)
      const isFresh = (n: number) => n % 3 === 0
      yield* unfused(store.write)(
        keys.map((key, n) => ({ key, entry: isFresh(n) ? fresh : n % 3 === 1 ? valueUntil(1) : leaseUntil(1) }))
      )
      yield* TestClock.adjust("30 seconds")
      for (let round = 0; round < 100; round++) {
        yield* store.remove([`key ${round * 3}`, `key ${entries - round}`])
        yield* unfused(store.write)([
          { key: `new ${round}`, entry: fresh },
          { key: `key ${round * 30 + 1}`, entry: fresh }
        ])
        yield* turn
      }
      for (const [n, key] of keys.entries()) {
        const removed = (n < 300 && isFresh(n)) || n > entries - 100
        const renewed = n < 3_000 && n % 30 === 1
        const stands = renewed || (isFresh(n) && !removed)
        assert.strictEqual(local.read(key, 0) !== undefined, stands, key)
      }
      for (let round = 0; round < 100; round++) assert.isDefined(local.find(`new ${round}`))
    })
  )
})

describe("a bound of bytes", () => {
  const throwing = {
    get size(): number {
      throw new Error("not to be asked")
    }
  }

  it.scoped("fails, and does not die, on a value whose size can't be estimated", () =>
    Effect.gen(function* () {
      const [store, local] = yield* make({ maxBytes: 10_000 })
      const entry = valueUntil(hour, throwing)
      const rejected = yield* unfused(store.write)([
        { key: "bad", entry },
        { key: "good", entry: fresh }
      ])
      assert.deepStrictEqual(
        rejected.map(({ error, key }) => [key, error.reason]),
        [["bad", "Encode"]]
      )
      assert.isDefined(local.find("good"))
      assert.strictEqual((yield* Effect.flip(store.add("bad", entry))).reason, "Encode")
      const good = local.read("good", 0)
      assert.strictEqual((yield* Effect.flip(store.replace("good", good?.token, entry))).reason, "Encode")
    })
  )

  it.scoped("counts the groups of an entry", () =>
    Effect.gen(function* () {
      const [store] = yield* make({ maxBytes: 10_000 })
      const entryOf = (count: number) => {
        const groups = Array.from({ length: count }, (_, index) => ({ key: `v3:test:group ${index}`, version: "one" }))
        return { ...fresh, groups }
      }
      for (let n = 0; n < 100; n++) yield* unfused(store.write)([{ key: `key ${n}`, entry: entryOf(20) }])
      assert.isAtMost(yield* entriesOf(store), 8)
      const [refused] = yield* unfused(store.write)([{ key: "key", entry: entryOf(200) }])
      assert.strictEqual(refused?.error.reason, "TooLarge")
    })
  )

  it.scoped("refuses a value that alone is over it, and removes the old value", () =>
    Effect.gen(function* () {
      const [store, local] = yield* make({ maxBytes: 10_000 })
      yield* unfused(store.write)([{ key: "key", entry: fresh }])
      const rejected = yield* unfused(store.write)([{ key: "key", entry: valueUntil(hour, "x".repeat(10_000)) }])
      assert.deepStrictEqual(
        rejected.map(({ error }) => error.reason),
        ["TooLarge"]
      )
      assert.isUndefined(local.read("key", 0))
    })
  )
})
