/**
 * A hit inside a generator needs no operation of the runtime. Nothing else may differ from other hits.
 */
import { Effect, Fiber, Layer, Logger, LogLevel } from "effect"
import { cached, MemoryBackend, stats } from "effect-cached"
import { describe, expect, it } from "vitest"

const withMemory = Effect.provide(MemoryBackend.layer())

const counted = () => {
  const state = { computed: 0 }
  const value = cached((key: string) => Effect.sync(() => `${key} ${++state.computed}`), {
    key: "value",
    ttl: "1 hour"
  })
  return { state, value }
}

describe("hits in a generator", () => {
  it("are counted one by one; the call that computes is none", () =>
    Effect.gen(function* () {
      const { state, value } = counted()
      for (let n = 0; n < 5_000; n++) expect(yield* value("a")).toBe("a 1")
      expect(state.computed).toBe(1)
      expect(yield* stats).toMatchObject({ hits: 4_999, misses: 1, computed: 1 })
    }).pipe(withMemory, Effect.runPromise))

  it("leave other fibers and timers their turn, and can be interrupted", () =>
    Effect.gen(function* () {
      const { value } = counted()
      let others = 0
      const hits = yield* Effect.fork(
        Effect.gen(function* () {
          for (;;) yield* value("a")
        })
      )
      const other = yield* Effect.fork(
        Effect.forever(
          Effect.zipRight(
            Effect.sync(() => others++),
            Effect.yieldNow()
          )
        )
      )
      yield* Effect.sleep("20 millis")
      expect(others).toBeGreaterThan(1)
      yield* Fiber.interruptAll([hits, other])
    }).pipe(withMemory, Effect.runPromise))

  it("work where everything runs at once", () => {
    const { value } = counted()
    const loop = Effect.gen(function* () {
      for (let n = 0; n < 5_000; n++) yield* value("a")
      return yield* value("a")
    })
    expect(Effect.runSync(withMemory(loop))).toBe("a 1")
  })

  it("of one and the same effect see every invalidation, in a generator and outside", () =>
    Effect.gen(function* () {
      const { value } = counted()
      const call = value("a")
      const piped = Effect.map(call, (text) => text)
      expect([yield* call, yield* call, yield* piped]).toEqual(["a 1", "a 1", "a 1"])
      yield* value.invalidate("a")
      expect([yield* call, yield* piped, yield* call]).toEqual(["a 2", "a 2", "a 2"])
    }).pipe(withMemory, Effect.runPromise))

  it("come from the backend that the generator runs with", () =>
    Effect.gen(function* () {
      const { value } = counted()
      const twice = Effect.gen(function* () {
        return [yield* value("a"), yield* value("a")]
      })
      const other = yield* Layer.build(Layer.fresh(MemoryBackend.layer()))
      expect(yield* twice).toEqual(["a 1", "a 1"])
      expect(yield* Effect.provide(twice, other)).toEqual(["a 2", "a 2"])
      expect(yield* twice).toEqual(["a 1", "a 1"])
    }).pipe(Effect.scoped, withMemory, Effect.runPromise))

  it("are logged at debug level", () => {
    const lines: Array<unknown> = []
    const { value } = counted()
    return Effect.gen(function* () {
      yield* value("a")
      yield* value("a")
      expect(lines).toContain('Cache HIT value("a")')
    }).pipe(
      withMemory,
      Logger.withMinimumLogLevel(LogLevel.Debug),
      Effect.provide(
        Logger.replace(
          Logger.defaultLogger,
          Logger.make(({ message }) => lines.push(...[message].flat()))
        )
      ),
      Effect.runPromise
    )
  })

  it("of a memoized effect are hits too", () =>
    Effect.gen(function* () {
      let computed = 0
      const value = Effect.sync(() => ++computed).pipe(cached({ key: "value", ttl: "1 hour" }))
      for (let n = 0; n < 3; n++) expect(yield* value).toBe(1)
      expect(yield* stats).toMatchObject({ hits: 2, misses: 1 })
    }).pipe(withMemory, Effect.runPromise))
})
