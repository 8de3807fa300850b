/** Typed errors that are kept as values are. */
import { expect } from "@effect/vitest"
import { Cause, Data, Effect, Exit, Fiber, Option, Schema, TestClock } from "effect"
import { cached, getOrSet, invalidateGroup } from "effect-cached"
import { crowd, ground, held, type It, promptly, together } from "./ground.js"

class NotFound extends Schema.TaggedError<NotFound>()("NotFound", { id: Schema.Number, at: Schema.Date }) {}
class Limited extends Schema.TaggedError<Limited>()("Limited", { seconds: Schema.Number }) {}
class Plain extends Data.TaggedError("Plain")<{ readonly id: number }> {}

const schema = Schema.Union(NotFound, Limited)
const notFound = (id: number) => new NotFound({ id, at: new Date(0) })

/** A function that fails with what is next, and counts. */
const failing = <E>(first: E) => {
  const state = { runs: 0, next: Effect.fail(first) as Effect.Effect<string, E> }
  return {
    state,
    compute: (_id: number) =>
      Effect.suspend(() => {
        state.runs++
        return state.next
      })
  }
}

export const failureTests = (it: It): void => {
  it.effect("an error is computed once, comes back as it was, and ends with its ttl", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      const { compute, state } = failing<NotFound | Limited>(notFound(1))
      const f = cached(compute, { key: key("f"), ttl: "1 hour", failures: { ttl: "10 seconds", schema } })
      yield* Effect.flip(f(1))
      const before = yield* cache.stats
      const error = yield* Effect.flip(f(1))
      expect(error).toBeInstanceOf(NotFound)
      expect(error).toStrictEqual(notFound(1))
      yield* TestClock.adjust(9_999)
      expect(yield* Effect.flip(f(1))).toStrictEqual(notFound(1))
      const after = yield* cache.stats
      expect(state.runs).toBe(1)
      expect([after.hits - before.hits, after.misses - before.misses]).toStrictEqual([2, 0])
      yield* TestClock.adjust(1)
      state.next = Effect.succeed("found")
      expect(yield* f(1)).toBe("found")
      expect(yield* f(1)).toBe("found")
      expect(state.runs).toBe(2)
    })
  )

  it.effect("plain data need no schema", () =>
    Effect.gen(function* () {
      const { key } = yield* ground
      const { compute, state } = failing<unknown>({ _tag: "NotFound", ids: [1, 2n] })
      const f = cached(compute, { key: key("f"), failures: { ttl: "10 seconds" } })
      yield* Effect.flip(f(1))
      expect(yield* Effect.flip(f(1))).toStrictEqual({ _tag: "NotFound", ids: [1, 2n] })
      // Bytes that begin as the mark of an error does are a value like any other.
      state.next = Effect.succeed("value")
      const bytes = cached(() => Effect.succeed(new Uint8Array([4, 34, 34])), { key: key("bytes") })
      yield* bytes()
      expect(yield* bytes()).toStrictEqual(new Uint8Array([4, 34, 34]))
      expect(state.runs).toBe(1)
    })
  )

  it.effect("the ttl is a function of the error, and `when` picks the errors", () =>
    Effect.gen(function* () {
      const { key } = yield* ground
      const { compute, state } = failing<NotFound | Limited>(new Limited({ seconds: 3 }))
      const f = cached(compute, {
        key: key("f"),
        failures: {
          ttl: (error) => (error._tag === "Limited" ? `${error.seconds} seconds` : "1 hour"),
          when: (error) => error._tag === "Limited",
          schema
        }
      })
      yield* Effect.flip(f(1))
      yield* TestClock.adjust(2_999)
      yield* Effect.flip(f(1))
      expect(state.runs).toBe(1)
      yield* TestClock.adjust(1)
      state.next = Effect.fail(notFound(1))
      yield* Effect.flip(f(1))
      yield* Effect.flip(f(1))
      expect(state.runs).toBe(3)
    })
  )

  it.effect("all who wait for the computation get its error, and nobody computes again", () =>
    Effect.gen(function* () {
      const { key } = yield* ground
      const slow = yield* held("never")
      const { compute, state } = failing<NotFound | Limited>(notFound(1))
      state.next = Effect.zipRight(slow.effect, Effect.fail(notFound(1)))
      const f = cached(compute, { key: key("f"), failures: { ttl: "1 hour", schema } })
      const callers = yield* Effect.fork(together(() => Effect.flip(f(1))))
      yield* promptly(slow.begun)
      yield* slow.letGo
      expect(yield* promptly(Fiber.join(callers))).toStrictEqual(Array.from({ length: crowd }, () => notFound(1)))
      yield* Effect.flip(f(1))
      expect(state.runs).toBe(1)
    })
  )

  it.effect("invalidate, its group, forceRecalc and clear end it", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      const { compute, state } = failing<NotFound | Limited>(notFound(1))
      const f = cached(compute, { key: key("f"), groups: [key("g")], failures: { ttl: "1 hour", schema } })
      const again = (runs: number) =>
        Effect.gen(function* () {
          yield* Effect.flip(f(1))
          yield* Effect.flip(f(1))
          expect(state.runs).toBe(runs)
        })
      yield* again(1)
      yield* f.invalidate(1)
      yield* again(2)
      yield* invalidateGroup(key("g"))
      yield* again(3)
      yield* cache.clear
      yield* again(4)
      expect(yield* Effect.flip(f.forceRecalc(1))).toStrictEqual(notFound(1))
      expect(state.runs).toBe(5)
      state.next = Effect.succeed("found")
      expect(yield* f.forceRecalc(1)).toBe("found")
      expect(yield* f(1)).toBe("found")
    })
  )

  it.effect("an error that was computed before an invalidation is not kept after it", () =>
    Effect.gen(function* () {
      const { key } = yield* ground
      const slow = yield* held("never")
      const { compute, state } = failing<NotFound | Limited>(notFound(1))
      state.next = Effect.zipRight(slow.effect, Effect.fail(notFound(1)))
      const f = cached(compute, { key: key("f"), failures: { ttl: "1 hour", schema } })
      const caller = yield* Effect.fork(Effect.flip(f(1)))
      yield* promptly(slow.begun)
      yield* f.invalidate(1)
      yield* slow.letGo
      yield* promptly(Fiber.join(caller))
      state.next = Effect.succeed("found")
      expect(yield* f(1)).toBe("found")
    })
  )

  it.effect("never in place of a stale value where staleOnError is on", () =>
    Effect.gen(function* () {
      const { key } = yield* ground
      const { compute, state } = failing<NotFound | Limited>(notFound(1))
      state.next = Effect.succeed("old")
      const options = { ttl: "10 seconds", stale: "1 minute", lease: "5 seconds" } as const
      const failures = { ttl: "1 hour", schema } as const
      const f = cached(compute, { key: key("f"), ...options, failures })
      yield* f(1)
      yield* TestClock.adjust("10 seconds")
      state.next = Effect.fail(notFound(1))
      for (let tries = 0; tries < 3; tries++) {
        expect(yield* f(1)).toBe("old")
        yield* TestClock.adjust("5 seconds")
      }
      expect(yield* Effect.flip(f.forceRecalc(1))).toStrictEqual(notFound(1))
      expect(yield* f.requireCache(1)).toBe("old")
      // Once the value has ended, its error is kept.
      yield* TestClock.adjust("1 minute")
      yield* Effect.flip(f(1))
      const runs = state.runs
      yield* Effect.flip(f(1))
      expect(state.runs).toBe(runs)
    })
  )

  it.effect("in place of a stale value where staleOnError is off, but never of a fresh one", () =>
    Effect.gen(function* () {
      const { key } = yield* ground
      const { compute, state } = failing<NotFound | Limited>(notFound(1))
      state.next = Effect.succeed("old")
      const f = cached(compute, {
        key: key("f"),
        ttl: "10 seconds",
        staleOnError: false,
        failures: { ttl: "1 hour", schema }
      })
      yield* f(1)
      state.next = Effect.fail(notFound(1))
      yield* Effect.flip(f.forceRecalc(1))
      expect(yield* f(1)).toBe("old")
      yield* TestClock.adjust("10 seconds")
      yield* Effect.flip(f(1))
      yield* Effect.flip(f(1))
      expect(state.runs).toBe(3)
    })
  )

  it.effect("defects are not kept, nor is an error beside one", () =>
    Effect.gen(function* () {
      const { key } = yield* ground
      let runs = 0
      const causes = [Cause.die("defect"), Cause.parallel(Cause.fail("error"), Cause.die("defect"))]
      for (const [index, cause] of causes.entries()) {
        const f = cached(
          () =>
            Effect.suspend(() => {
              runs++
              return Effect.failCause(cause)
            }),
          { key: key(`f${index}`), failures: { ttl: "1 hour" } }
        )
        expect(Exit.isFailure(yield* Effect.exit(f()))).toBe(true)
        yield* Effect.exit(f())
      }
      expect(runs).toBe(4)
    })
  )

  it.effect("is no value for the direct operations, nor for requireCache", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      const { compute, state } = failing<NotFound | Limited>(notFound(1))
      const f = cached(compute, { key: key("f"), failures: { ttl: "1 hour", schema } })
      const fill = Effect.zipRight(Effect.flip(f.forceRecalc(1)), Effect.flip(f(1)))
      yield* fill
      const name = f.cacheKey(1)
      const undecodable = (yield* cache.stats).undecodable
      expect(yield* Effect.flip(f.requireCache(1))).toMatchObject({ _tag: "NoCachedValue" })
      expect(yield* cache.get([key("f")])).toStrictEqual(Option.none())
      const direct = cached((_id: number) => Effect.succeed("value"), { key: key("f") })
      expect(yield* cache.get(name)).toStrictEqual(Option.none())
      expect((yield* cache.getMany([name])).size).toBe(0)
      expect(yield* cache.has(name)).toBe(false)
      expect(yield* cache.touch(name, "1 day")).toBe(false)
      expect(yield* Effect.flip(cache.increment(name))).toMatchObject({ _tag: "NoCachedValue" })
      expect((yield* cache.stats).undecodable).toBe(undecodable)
      expect(yield* cache.delete(name)).toBe(false)
      state.next = Effect.succeed("found")
      expect(yield* f(1)).toBe("found")
      yield* f.invalidate(1)
      state.next = Effect.fail(notFound(1))
      yield* fill
      expect(yield* cache.add(name, "added")).toBe(true)
      expect(yield* f(1)).toBe("added")
      yield* f.invalidate(1)
      yield* fill
      // A function under the same key that keeps no errors computes.
      expect(yield* direct(1)).toBe("value")
      expect(yield* direct(1)).toBe("value")
    })
  )

  it.effect("getOrSet keeps errors too", () =>
    Effect.gen(function* () {
      const { key } = yield* ground
      let runs = 0
      const get = getOrSet(
        key("k"),
        Effect.suspend(() => Effect.fail(new Limited({ seconds: ++runs }))),
        { failures: { ttl: "10 seconds", schema: Limited } }
      )
      yield* Effect.flip(get)
      expect(yield* Effect.flip(get)).toStrictEqual(new Limited({ seconds: 1 }))
      const error = yield* Effect.flip(getOrSet(key("k"), Effect.succeed(1), { failures: { ttl: Number.NaN } }))
      expect(error).toMatchObject({ reason: "InvalidOption", description: "failures.ttl is NaN, not a duration" })
    })
  )

  it.effect("an instance without a schema is kept by reference in memory, elsewhere refused", () =>
    Effect.gen(function* () {
      const { cache, key } = yield* ground
      const { compute, state } = failing(new Plain({ id: 1 }))
      const f = cached(compute, { key: key("f"), failures: { ttl: "1 hour" } })
      yield* Effect.flip(f(1))
      const refused = (yield* cache.stats).refused
      expect(yield* Effect.flip(f(1))).toBeInstanceOf(Plain)
      expect(state.runs - 1).toBe((yield* cache.stats).refused - refused)
    })
  )

  it.effect("what throws in its options keeps nothing, and harms nobody", () =>
    Effect.gen(function* () {
      const { key } = yield* ground
      const { compute, state } = failing("error")
      const thrown = () => {
        throw new Error("thrown")
      }
      const f = cached(compute, { key: key("f"), failures: { ttl: "1 hour", when: thrown } })
      const g = cached(compute, { key: key("g"), failures: { ttl: thrown } })
      for (const call of [f, f, g, g]) expect(yield* promptly(Effect.flip(call(1)))).toBe("error")
      expect(state.runs).toBe(4)
    })
  )
}
