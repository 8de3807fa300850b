/** Several layers on one store, as in several processes. */
import { expect } from "@effect/vitest"
import { Context, Deferred, Effect, Fiber, Layer, Option } from "effect"
import { CacheBackend, cached } from "effect-cached"
import { crowd, ground, held, type It, live, promptly, together } from "./ground.js"

export const processTests = <E>(it: It, layer: Layer.Layer<CacheBackend, E>): void => {
  const another = Effect.map(Layer.build(Layer.fresh(layer)), (context) => Context.get(context, CacheBackend))
  const three = Effect.zipWith(CacheBackend, Effect.all([another, another]), (own, others) => [own, ...others] as const)
  const inProcess = (processes: ReadonlyArray<Context.Tag.Service<CacheBackend>>, index: number) =>
    Effect.provideServiceEffect(
      CacheBackend,
      Effect.fromNullable(processes[index % processes.length]).pipe(Effect.orDie)
    )

  it.scoped("compute a cold key once", () =>
    live(
      Effect.gen(function* () {
        const { key } = yield* ground
        const processes = yield* three
        let runs = 0
        const f = cached(() => Effect.map(Effect.sleep("200 millis"), () => ++runs), {
          key: key("f"),
          groups: [key("g")]
        })
        const values = yield* together((index) => f().pipe(inProcess(processes, index)))
        expect(values).toStrictEqual(Array.from({ length: crowd }, () => 1))
      })
    )
  )

  it.scoped("recompute a stale key once, and all but one are served at once", () =>
    live(
      Effect.gen(function* () {
        const { key } = yield* ground
        const processes = yield* three
        const served = yield* Deferred.make<void>()
        let runs = 0
        let answered = 0
        const f = cached(
          () => Effect.suspend(() => (++runs === 1 ? Effect.succeed(1) : Effect.as(Deferred.await(served), runs))),
          { key: key("f"), ttl: "50 millis", stale: "1 minute" }
        )
        yield* f()
        yield* Effect.sleep("60 millis")
        const oneOf = (index: number) =>
          Effect.tap(inProcess(processes, index)(f()), () =>
            ++answered === crowd - 1 ? Deferred.succeed(served, undefined) : Effect.void
          )
        const values = yield* promptly(together(oneOf))
        expect(values.filter((value) => value === 1)).toHaveLength(crowd - 1)
        expect(runs).toBe(2)
      })
    )
  )

  it.scoped("do not take over the lease of a computation that is longer than its lease", () =>
    live(
      Effect.gen(function* () {
        const { key } = yield* ground
        const processes = yield* three
        let runs = 0
        const f = cached(() => Effect.map(Effect.sleep("2200 millis"), () => ++runs), {
          key: key("f"),
          // long enough that it does not run out when the machine is blocked for a second
          lease: "1500 millis"
        })
        const values = yield* Effect.forEach([0, 1, 2], (index) => f().pipe(inProcess(processes, index)), {
          concurrency: "unbounded"
        })
        expect(values).toStrictEqual([1, 1, 1])
      })
    )
  )

  it.scoped("never serve a value that another process invalidated while it was computed", () =>
    live(
      Effect.gen(function* () {
        const { key } = yield* ground
        const [, other] = yield* three
        const slow = yield* held("old")
        let next: Effect.Effect<string> = slow.effect
        const f = cached(() => Effect.suspend(() => next), { key: key("f"), groups: [key("group")] })
        const there = Effect.provideService(CacheBackend, other)
        for (const act of [f.invalidate(), other.invalidateGroup(key("group")), other.clear, f.forceRecalc()]) {
          const begun = yield* Deferred.make<void>()
          const gate = yield* Deferred.make<void>()
          yield* f.invalidate()
          next = Effect.as(Effect.zipRight(Deferred.succeed(begun, undefined), Deferred.await(gate)), "old")
          const early = yield* Effect.fork(f())
          yield* Deferred.await(begun)
          next = Effect.succeed("new")
          yield* promptly(there(act))
          yield* Deferred.succeed(gate, undefined)
          expect(yield* Fiber.join(early)).toBe("old")
          expect(yield* promptly(f())).toBe("new")
          expect(yield* promptly(there(f()))).toBe("new")
        }
      })
    )
  )

  it.scoped("compute themselves after the computation of another process failed", () =>
    live(
      Effect.gen(function* () {
        const { key } = yield* ground
        const [, other] = yield* three
        let next: Effect.Effect<string, "down"> = Effect.fail("down")
        const f = cached(() => Effect.suspend(() => next), { key: key("f") })
        expect(yield* Effect.flip(f().pipe(Effect.provideService(CacheBackend, other)))).toBe("down")
        next = Effect.succeed("value")
        expect(yield* promptly(f())).toBe("value")
        expect(yield* Effect.option(f.requireCache().pipe(Effect.provideService(CacheBackend, other)))).toStrictEqual(
          Option.some("value")
        )
      })
    )
  )
}
