/**
 * What several layers on one store see of each other: as processes of one program, and as programs with different namespaces.
 */
import { expect } from "@effect/vitest"
import { Context, Deferred, Effect, Fiber, Layer, Option } from "effect"
import { CacheBackend } from "../../CacheBackend.js"
import { crowd, ground, type It, live, together } from "./ground.js"

/** The service of another layer, built for this test. */
const beside = <E>(layer: Layer.Layer<CacheBackend, E>) =>
  Effect.map(Layer.build(Layer.fresh(layer)), (context) => Context.get(context, CacheBackend))

export const processTests = <E>(it: It, same: Layer.Layer<CacheBackend, E>): void => {
  it.scoped("see each other's values, deletions and invalidations", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      const other = yield* beside(same)
      yield* cache.set(key("a"), 1, { groups: [key("group")] })
      expect(yield* other.get(key("a"))).toStrictEqual(Option.some(1))
      yield* other.invalidateGroup(key("group"))
      expect(yield* cache.get(key("a"))).toStrictEqual(Option.none())
      yield* other.set(key("a"), 2)
      expect(yield* cache.get(key("a"))).toStrictEqual(Option.some(2))
      expect(yield* other.delete(key("a"))).toBe(true)
      expect(yield* cache.get(key("a"))).toStrictEqual(Option.none())
      yield* cache.set(key("a"), 3)
      yield* other.clear
      expect(yield* cache.get(key("a"))).toStrictEqual(Option.none())
    })
  )

  it.scoped("compute a missing value once", () =>
    live(
      Effect.gen(function* () {
        const { cache, key } = yield* ground
        const others = yield* Effect.all([beside(same), beside(same)])
        const processes = [cache, ...others]
        let runs = 0
        const slow = Effect.map(Effect.sleep("100 millis"), () => ++runs)
        const values = yield* together((index) =>
          (processes[index % processes.length] ?? cache).getOrSet(key("a"), slow, { groups: [key("group")] })
        )
        expect(values).toStrictEqual(Array.from({ length: crowd }, () => 1))
      })
    )
  )

  it.scoped("let one of them add, and count exactly together", () =>
    live(
      Effect.gen(function* () {
        const { cache, key } = yield* ground
        const other = yield* beside(same)
        const either = (index: number) => (index % 2 === 0 ? cache : other)
        const won = yield* together((index) => either(index).add(key("a"), 0))
        expect(won.filter(Boolean)).toHaveLength(1)
        yield* together((index) => either(index).increment(key("a")))
        expect(yield* cache.get(key("a"))).toStrictEqual(Option.some(crowd))
      })
    )
  )

  it.scoped("do not store what another deleted, set or invalidated meanwhile", () =>
    live(
      Effect.gen(function* () {
        const { cache, key } = yield* ground
        const other = yield* beside(same)
        for (const [meanwhile, left] of [
          [other.delete(key("a")), Option.none()],
          [other.invalidateGroup(key("group")), Option.none()],
          [other.clear, Option.none()],
          [other.set(key("a"), "newer"), Option.some("newer")]
        ] as const) {
          yield* cache.delete(key("a"))
          const begun = yield* Deferred.make<void>()
          const done = yield* Deferred.make<void>()
          const caller = yield* Effect.fork(
            cache.getOrSet(
              key("a"),
              Effect.as(Effect.zipRight(Deferred.succeed(begun, undefined), Deferred.await(done)), "computed"),
              { groups: [key("group")] }
            )
          )
          yield* Deferred.await(begun)
          yield* meanwhile
          yield* Deferred.succeed(done, undefined)
          expect(yield* Fiber.join(caller)).toBe("computed")
          expect(yield* cache.get(key("a"))).toStrictEqual(left)
        }
      })
    )
  )

  it.scoped("take over the lease of one that is gone", () =>
    live(
      Effect.gen(function* () {
        const { cache, key } = yield* ground
        const begun = yield* Deferred.make<void>()
        const leaving = Effect.gen(function* () {
          const other = yield* beside(same)
          yield* other.getOrSet(key("a"), Effect.zipRight(Deferred.succeed(begun, undefined), Effect.never))
        })
        const process = yield* Effect.fork(Effect.scoped(leaving))
        yield* Deferred.await(begun)
        yield* Fiber.interrupt(process)
        const value = cache.getOrSet(key("a"), Effect.succeed("value"))
        expect(yield* Effect.timeout(value, "5 seconds")).toBe("value")
      })
    )
  )
}

export const namespaceTests = <E>(it: It, neighbour: Layer.Layer<CacheBackend, E>): void => {
  it.scoped("keep their keys apart", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      const other = yield* beside(neighbour)
      yield* cache.set(key("a"), "ours")
      expect(yield* other.add(key("a"), "theirs")).toBe(true)
      expect(yield* cache.get(key("a"))).toStrictEqual(Option.some("ours"))
      expect(yield* other.delete(key("a"))).toBe(true)
      expect(yield* cache.has(key("a"))).toBe(true)
    })
  )

  it.scoped("keep their groups apart", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      const other = yield* beside(neighbour)
      yield* other.set(key("a"), "theirs", { groups: [key("group")] })
      yield* cache.invalidateGroup(key("group"))
      expect(yield* other.get(key("a"))).toStrictEqual(Option.some("theirs"))
    })
  )

  it.scoped("clear their own keys only", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      const other = yield* beside(neighbour)
      yield* cache.set(key("a"), "ours")
      yield* other.set(key("a"), "theirs")
      yield* other.set(key("grouped"), "theirs", { groups: [key("group")] })
      yield* other.set(key("a"), "theirs, version 2", { version: 2 })
      yield* cache.clear
      expect(yield* cache.has(key("a"))).toBe(false)
      expect(yield* other.get(key("a"))).toStrictEqual(Option.some("theirs"))
      expect(yield* other.get(key("grouped"))).toStrictEqual(Option.some("theirs"))
      expect(yield* other.get(key("a"), { version: 2 })).toStrictEqual(Option.some("theirs, version 2"))
      yield* cache.set(key("a"), "ours")
      yield* other.clear
      expect(yield* cache.get(key("a"))).toStrictEqual(Option.some("ours"))
      expect(yield* other.has(key("a"))).toBe(false)
    })
  )
}
