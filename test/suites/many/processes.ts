/** Several layers on one store, as in several processes. */
import { expect } from "@effect/vitest"
import { Context, Deferred, Effect, Fiber, Layer } from "effect"
import { CacheBackend, cachedMany } from "effect-cached"
import { ground, type It, live, noting, promptly, range, rounds } from "./ground.js"

export const processTests = <E>(it: It, layer: Layer.Layer<CacheBackend, E>): void => {
  const another = Effect.map(Layer.build(Layer.fresh(layer)), (context) => Context.get(context, CacheBackend))
  const inProcess = (process: Context.Tag.Service<CacheBackend>) => Effect.provideService(CacheBackend, process)

  it.scoped("[1, 2, 3] and [2, 3, 4] asked at once: each key is loaded once", () =>
    live(
      Effect.gen(function* () {
        const { key } = yield* ground
        const [a, b] = [yield* another, yield* another]
        for (const round of range(0, 20)) {
          const { load, loads } = noting(Effect.sleep("30 millis"))
          const f = cachedMany(load, { key: key(`f${round}`), ttl: "1 hour", groups: [key("g")] })
          const [one, other] = yield* promptly(
            Effect.all([inProcess(a)(f([1, 2, 3])), inProcess(b)(f([2, 3, 4]))], { concurrency: "unbounded" })
          )
          expect([...one.keys()]).toStrictEqual([1, 2, 3])
          expect([...other.keys()]).toStrictEqual([2, 3, 4])
          expect(loads.flat().sort()).toStrictEqual([1, 2, 3, 4])
        }
      })
    )
  )

  it.scoped("what another process loads is waited for while the rest is loaded", () =>
    live(
      Effect.gen(function* () {
        const { key } = yield* ground
        const [a, b] = [yield* another, yield* another]
        const [begun, gate] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
        let begunLoads = 0
        const { load, loads } = noting(
          Effect.suspend(() =>
            ++begunLoads === 1
              ? Effect.zipRight(Deferred.succeed(begun, undefined), Deferred.await(gate))
              : Deferred.succeed(gate, undefined)
          )
        )
        const f = cachedMany(load, { key: key("f"), ttl: "1 hour" })
        const first = yield* Effect.fork(inProcess(a)(f([1, 2, 3])))
        yield* Deferred.await(begun)
        // The second load lets the first one go: it must not wait for it.
        expect(rounds(yield* promptly(inProcess(b)(f([2, 4, 3]))))).toStrictEqual([
          [2, 1],
          [4, 2],
          [3, 1]
        ])
        yield* promptly(Fiber.join(first))
        expect(loads).toStrictEqual([[1, 2, 3], [4]])
      })
    )
  )

  it.scoped("who waited for a load that ended without values loads the keys together at once", () =>
    live(
      Effect.gen(function* () {
        const { key } = yield* ground
        const [a, b] = [yield* another, yield* another]
        const begun = yield* Deferred.make<void>()
        const gate = yield* Deferred.make<void>()
        const loads: Array<number> = []
        const f = cachedMany(
          (ids: ReadonlyArray<number>) =>
            Effect.suspend(() =>
              loads.push(ids.length) === 1
                ? Effect.zipRight(
                    Effect.zipRight(Deferred.succeed(begun, undefined), Deferred.await(gate)),
                    Effect.fail("down" as const)
                  )
                : Effect.succeed(ids.map((id) => [id, id] as const))
            ),
          { key: key("f"), ttl: "1 hour" }
        )
        const failing = yield* Effect.fork(Effect.exit(inProcess(a)(f(range(0, 50)))))
        yield* Deferred.await(begun)
        const waiting = yield* Effect.fork(inProcess(b)(f(range(0, 50))))
        yield* Effect.sleep("150 millis")
        yield* Deferred.succeed(gate, undefined)
        yield* promptly(Fiber.join(failing))
        expect((yield* promptly(Fiber.join(waiting))).size).toBe(50)
        // Each key was read when it was given back or just before that, so there may be two loads, and not fifty.
        expect(loads.length).toBeLessThanOrEqual(4)
      })
    )
  )
}
