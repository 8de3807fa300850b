/** A read or a write that is under way while its key changes: what it brings must not be kept. */
import { describe, expect, it } from "@effect/vitest"
import { Context, Effect, Fiber, Layer } from "effect"
import { CacheBackend, type CacheStore, cached, MemoryBackend, StoreBackend } from "effect-cached"
import { engine } from "../../../src/internal/memoized/engine.js"
import { plain } from "../../support/stores.js"
import { tierOver, unreliableBus } from "./support.js"

/** A store whose reads and replaces do their work at once, and answer when their gate is open. */
const gated = Effect.gen(function* () {
  const context = yield* Layer.build(MemoryBackend.layer({ copy: true }))
  const below = plain(Context.get(context, CacheBackend)[engine].reader.store)
  const gate = yield* Effect.makeLatch(true)
  const replaceGate = yield* Effect.makeLatch(true)
  let reads = 0
  let replaces = 0
  const store: CacheStore.CacheStore = {
    name: "gated",
    location: "network",
    payloads: "bytes",
    read: (keys) =>
      Effect.suspend(() => {
        reads++
        return Effect.zipLeft(below.read(keys), gate.await)
      }),
    write: (items) => below.write(items),
    add: (key, entry) => below.add(key, entry),
    replace: (key, token, entry) =>
      Effect.zipLeft(
        Effect.tap(below.replace(key, token, entry), () => Effect.sync(() => replaces++)),
        replaceGate.await
      ),
    remove: (keys) => below.remove(keys),
    clear: below.clear
  }
  return {
    layer: StoreBackend.layer(Effect.succeed(store)),
    gate,
    reads: () => reads,
    replaceGate,
    replaces: () => replaces
  }
})

const city = (versions: { now: number }) =>
  cached((_id: number) => Effect.sync(() => versions.now), { key: "city", ttl: "1 hour" })

const longest = { maxStaleness: "1 hour" } as const

describe("a read that is under way", () => {
  it.scopedLive("while another process invalidates and the bus tells it: its answer is not kept", () =>
    Effect.gen(function* () {
      const { gate, layer, reads } = yield* gated
      const { bus } = unreliableBus({ delay: () => 0, drops: () => false })
      const [here, there] = [yield* tierOver(layer, longest, bus), yield* tierOver(layer, longest, bus)]
      const versions = { now: 1 }
      const f = city(versions)
      const on = (cache: typeof here) => Effect.provideService(f(1), CacheBackend, cache)
      yield* on(there)

      yield* gate.close
      const before = reads()
      const reading = yield* Effect.fork(on(here))
      while (reads() === before) yield* Effect.sleep("1 millis")
      versions.now = 2
      yield* Effect.provideService(f.invalidate(1), CacheBackend, there)
      yield* Effect.sleep("20 millis")
      yield* gate.open
      // It began before the invalidation.
      expect(yield* Fiber.join(reading)).toBe(1)
      expect(yield* on(here)).toBe(2)
    })
  )

  it.scopedLive("while its own process invalidates: its answer is not kept, and later callers don't share it", () =>
    Effect.gen(function* () {
      const { gate, layer, reads } = yield* gated
      const [here, there] = [yield* tierOver(layer, longest), yield* tierOver(layer, longest)]
      const versions = { now: 1 }
      const f = city(versions)
      const on = (cache: typeof here) => Effect.provideService(f(1), CacheBackend, cache)
      yield* on(there)

      yield* gate.close
      const before = reads()
      const reading = yield* Effect.fork(on(here))
      while (reads() === before) yield* Effect.sleep("1 millis")
      versions.now = 2
      yield* Effect.provideService(f.invalidate(1), CacheBackend, here)
      const later = yield* Effect.fork(on(here))
      while (reads() === before + 1) yield* Effect.sleep("1 millis")
      yield* gate.open
      expect(yield* Fiber.join(reading)).toBe(1)
      expect(yield* Fiber.join(later)).toBe(2)
      expect(yield* on(here)).toBe(2)
    })
  )

  it.scopedLive("is shared by all callers of the key, and harmed by none that leaves", () =>
    Effect.gen(function* () {
      const { gate, layer, reads } = yield* gated
      const [here, there] = [yield* tierOver(layer, longest), yield* tierOver(layer, longest)]
      const f = city({ now: 1 })
      const call = Effect.provideService(f(1), CacheBackend, here)
      yield* Effect.provideService(f.forceRecalc(1), CacheBackend, there)
      yield* gate.close
      const before = reads()
      const first = yield* Effect.fork(call)
      const others = yield* Effect.fork(
        Effect.forEach(Array.from({ length: 1_000 }), () => call, { concurrency: "unbounded" })
      )
      yield* Effect.sleep("20 millis")
      yield* Fiber.interrupt(first)
      yield* gate.open
      expect(new Set(yield* Fiber.join(others))).toEqual(new Set([1]))
      expect(reads() - before).toBe(1)
      yield* call
      expect(reads() - before).toBe(1)
    })
  )
})

describe("a value that is being stored", () => {
  it.scopedLive("is kept, so that the next call reads nothing", () =>
    Effect.gen(function* () {
      const { layer, reads } = yield* gated
      const here = yield* tierOver(layer, longest)
      const f = city({ now: 1 })
      const call = Effect.provideService(f(1), CacheBackend, here)
      yield* call
      const before = reads()
      expect([yield* call, yield* call]).toEqual([1, 1])
      expect(reads()).toBe(before)
    })
  )

  it.scopedLive("while another process invalidates and the bus tells it: it is not kept", () =>
    Effect.gen(function* () {
      const { layer, replaceGate, replaces } = yield* gated
      const { bus } = unreliableBus({ delay: () => 0, drops: () => false })
      const [here, there] = [yield* tierOver(layer, longest, bus), yield* tierOver(layer, longest, bus)]
      const versions = { now: 1 }
      const f = city(versions)
      const call = Effect.provideService(f(1), CacheBackend, here)

      yield* replaceGate.close
      const storing = yield* Effect.fork(call)
      while (replaces() === 0) yield* Effect.sleep("1 millis")
      versions.now = 2
      yield* Effect.provideService(f.invalidate(1), CacheBackend, there)
      yield* Effect.sleep("20 millis")
      yield* replaceGate.open
      // It began before the invalidation.
      expect(yield* Fiber.join(storing)).toBe(1)
      expect(yield* call).toBe(2)
    })
  )

  it.scopedLive("while its own process invalidates: it is not kept", () =>
    Effect.gen(function* () {
      const { layer, replaceGate, replaces } = yield* gated
      const here = yield* tierOver(layer, longest)
      const versions = { now: 1 }
      const f = city(versions)
      const call = Effect.provideService(f(1), CacheBackend, here)

      yield* replaceGate.close
      const storing = yield* Effect.fork(call)
      while (replaces() === 0) yield* Effect.sleep("1 millis")
      versions.now = 2
      yield* Effect.provideService(f.invalidate(1), CacheBackend, here)
      yield* replaceGate.open
      expect(yield* Fiber.join(storing)).toBe(1)
      expect(yield* call).toBe(2)
    })
  )
})
