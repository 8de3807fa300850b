import { Effect, Exit, Fiber, Layer, Scope } from "effect"
import { CacheBackend, CacheError, cached } from "effect-cached"
import { expect } from "vitest"
import { held, type It, promptly } from "./ground.js"

/** The layer must make a store of its own each time that it is built afresh. */
export const closedTests = <E>(it: It, layer: Layer.Layer<CacheBackend, E>): void => {
  const built = Effect.gen(function* () {
    const scope = yield* Scope.make()
    const context = yield* Effect.orDie(Layer.buildWithScope(Layer.fresh(layer), scope))
    return { context, close: Scope.close(scope, Exit.void) }
  })

  it.effect("calls after the end of the layer compute, direct operations fail and say why", () =>
    Effect.gen(function* () {
      const { context, close } = yield* built
      let begun = 0
      const value = cached((_: string) => Effect.sync(() => ++begun), { key: "closed", groups: ["closed"] })
      expect(yield* Effect.provide(Effect.zip(value("a"), value("a")), context)).toEqual([1, 1])
      yield* close
      expect(yield* promptly(Effect.provide(Effect.all([value("a"), value("a"), value("b")]), context))).toEqual([
        2, 3, 4
      ])
      const operation = Effect.flatMap(CacheBackend, (cache) =>
        Effect.all([
          Effect.flip(cache.get("a")),
          Effect.flip(cache.set("a", 1)),
          Effect.flip(value.invalidate("a")),
          Effect.flip(cache.clear)
        ])
      )
      for (const error of yield* promptly(Effect.provide(operation, context))) {
        expect(error).toBeInstanceOf(CacheError)
        expect(error).toMatchObject({ reason: "Unavailable", description: "the layer of the cache is closed" })
      }
    })
  )

  it.effect("callers who wait when the layer ends compute by themselves", () =>
    Effect.gen(function* () {
      const { context, close } = yield* built
      const { effect, begun, letGo } = yield* held("value")
      let interrupted = 0
      const value = cached(
        Effect.onInterrupt(effect, () => Effect.sync(() => interrupted++)),
        { key: "closing" }
      )
      const fibers = yield* Effect.all(Array.from({ length: 5 }, () => Effect.fork(Effect.provide(value, context))))
      yield* begun
      yield* close
      expect(interrupted).toBe(1)
      yield* letGo
      expect(yield* promptly(Fiber.join(Fiber.all(fibers)))).toEqual(Array.from({ length: 5 }, () => "value"))
    })
  )
}
