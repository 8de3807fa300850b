/**
 * Mistakes of other caches. Each is shown on Effect's own cache, if that makes it, and shown to be absent here.
 */
import { assert, describe, it } from "@effect/vitest"
import { Cache, Deferred, Effect, Exit, Fiber, Option, TestClock } from "effect"
import { cached } from "effect-cached"
import { engine } from "../../src/internal/memoized/engine.js"
import { memoryRig } from "../support/backend.js"

const settle = Effect.repeatN(Effect.yieldNow(), 30)

/** A first caller, a second one beside it, and the first is interrupted. */
const firstLeaves = <A, E, R>(call: Effect.Effect<A, E, R>, open: Effect.Effect<unknown>) =>
  Effect.gen(function* () {
    const first = yield* Effect.fork(call)
    yield* settle
    const second = yield* Effect.fork(call)
    yield* settle
    yield* Effect.fork(Fiber.interrupt(first))
    yield* settle
    yield* open
    yield* settle
    return yield* Fiber.poll(second)
  })

describe("the first of two callers is interrupted", () => {
  const gate = Effect.map(Deferred.make<void>(), (opened) => ({
    wait: Effect.as(Deferred.await(opened), "value"),
    open: Deferred.succeed(opened, undefined)
  }))

  it.effect("Effect's Cache interrupts the second", () =>
    Effect.gen(function* () {
      const { wait, open } = yield* gate
      const cache = yield* Cache.make({ capacity: 10, timeToLive: "1 minute", lookup: (_: string) => wait })
      const exit = yield* firstLeaves(cache.get("key"), open)
      assert.isTrue(Option.isSome(exit) && Exit.isInterrupted(exit.value))
    })
  )

  it.effect("Effect.cachedFunction interrupts the second, and all later callers", () =>
    Effect.gen(function* () {
      const { wait, open } = yield* gate
      const call = yield* Effect.cachedFunction((_: string) => wait)
      const exit = yield* firstLeaves(call("key"), open)
      assert.isTrue(Option.isSome(exit) && Exit.isInterrupted(exit.value))
      assert.isTrue(Exit.isInterrupted(yield* Effect.exit(call("key"))))
    })
  )

  it.scoped("here the second has the value", () =>
    Effect.gen(function* () {
      const { provide } = yield* memoryRig
      const { wait, open } = yield* gate
      const call = cached((_: string) => wait, { key: "key" })
      assert.deepStrictEqual(yield* firstLeaves(provide(call("key")), open), Option.some(Exit.succeed("value")))
    })
  )
})

/** While the old value is computed, the database changes and the new value is set or the key invalidated. */
const changedMeanwhile = <A, R>(
  lookup: (
    read: Effect.Effect<number>
  ) => Effect.Effect<
    { readonly get: Effect.Effect<number, unknown, R>; readonly change: Effect.Effect<A, unknown, R> },
    never,
    R
  >
) =>
  Effect.gen(function* () {
    let database = 1
    const opened = yield* Deferred.make<void>()
    const { get, change } = yield* lookup(
      Effect.suspend(() => {
        const read = database
        return read === 1 ? Effect.as(Deferred.await(opened), read) : Effect.succeed(read)
      })
    )
    const old = yield* Effect.fork(get)
    yield* settle
    database = 2
    yield* change
    yield* Deferred.succeed(opened, undefined)
    assert.strictEqual(yield* Fiber.join(old), 1)
    return yield* get
  })

describe("a set or an invalidation while the value is computed", () => {
  const effectCache = (change: (cache: Cache.Cache<string, number>) => Effect.Effect<void>) =>
    changedMeanwhile((read) =>
      Effect.map(Cache.make({ capacity: 10, timeToLive: "1 minute", lookup: (_: string) => read }), (cache) => ({
        get: cache.get("key"),
        change: change(cache)
      }))
    )

  it.effect("Effect's Cache: the computation's end overwrites the set", () =>
    Effect.map(
      effectCache((cache) => cache.set("key", 2)),
      (value) => assert.strictEqual(value, 1)
    )
  )

  it.effect("Effect's Cache: the computation's end overwrites the invalidation", () =>
    Effect.map(
      effectCache((cache) => cache.invalidate("key")),
      (value) => assert.strictEqual(value, 1)
    )
  )

  // bentocache, cacheable and django-cache-utils do the same with delete and with groups.
  for (const operation of ["set", "invalidate", "delete", "invalidateGroup", "clear"] as const) {
    it.scoped(`here ${operation} is not overwritten`, () =>
      Effect.gen(function* () {
        const { provide, service } = yield* memoryRig
        const value = yield* changedMeanwhile((read) => {
          const call = cached(read, { key: "key", groups: ["group"] })
          const change: Record<typeof operation, Effect.Effect<unknown, unknown>> = {
            set: service.set("key", 2, { groups: ["group"] }),
            invalidate: provide(call.invalidate),
            delete: service.delete("key"),
            invalidateGroup: service.invalidateGroup("group"),
            clear: service.clear
          }
          return Effect.succeed({ get: provide(call), change: change[operation] })
        })
        assert.strictEqual(value, 2)
      })
    )
  }
})

describe("a computation fails once", () => {
  const once = () => {
    let tries = 0
    return Effect.suspend(() => (++tries === 1 ? Effect.fail("down") : Effect.succeed("up")))
  }

  it.effect("Effect's Cache keeps the failure", () =>
    Effect.gen(function* () {
      const lookup = once()
      const cache = yield* Cache.make({ capacity: 10, timeToLive: "1 minute", lookup: (_: string) => lookup })
      assert.deepStrictEqual(yield* Effect.exit(cache.get("key")), Exit.fail("down"))
      assert.deepStrictEqual(yield* Effect.exit(cache.get("key")), Exit.fail("down"))
    })
  )

  it.effect("Effect.cachedFunction keeps it for ever", () =>
    Effect.gen(function* () {
      const lookup = once()
      const call = yield* Effect.cachedFunction((_: string) => lookup)
      assert.deepStrictEqual(yield* Effect.exit(call("key")), Exit.fail("down"))
      assert.deepStrictEqual(yield* Effect.exit(call("key")), Exit.fail("down"))
    })
  )

  it.scoped("here the next call computes", () =>
    Effect.gen(function* () {
      const { provide } = yield* memoryRig
      const call = cached(once(), { key: "key" })
      assert.deepStrictEqual(yield* Effect.exit(provide(call)), Exit.fail("down"))
      assert.deepStrictEqual(yield* Effect.exit(provide(call)), Exit.succeed("up"))
    })
  )
})

describe("django-cache-utils", () => {
  const grouped = () => {
    const state = { begun: 0 }
    const call = cached(
      Effect.suspend(() => Effect.delay(Effect.succeed(++state.begun), "1 second")),
      { key: "key", ttl: "1 minute", stale: "1 hour", groups: ["group"] }
    )
    return { state, call }
  }

  it.scoped(
    "its MintCache does nothing for entries with a group; here a stale value is served while one caller recomputes",
    () =>
      Effect.gen(function* () {
        const { provide } = yield* memoryRig
        const { call } = grouped()
        const first = yield* Effect.fork(provide(call))
        yield* TestClock.adjust("1 second")
        assert.strictEqual(yield* Fiber.join(first), 1)
        yield* TestClock.adjust("2 minutes")
        const refreshing = yield* Effect.fork(provide(call))
        yield* settle
        assert.strictEqual(yield* provide(call), 1)
        yield* TestClock.adjust("1 second")
        assert.strictEqual(yield* Fiber.join(refreshing), 2)
      })
  )

  it.scoped("its groups expire after 300 seconds; here an entry with a group lasts longer", () =>
    Effect.gen(function* () {
      const { service } = yield* memoryRig
      yield* service.set("key", 1, { ttl: "1 day", groups: ["group"] })
      yield* TestClock.adjust("10 minutes")
      assert.deepStrictEqual(yield* service.get("key"), Option.some(1))
      yield* service.invalidateGroup("group")
      assert.deepStrictEqual(yield* service.get("key"), Option.none())
    })
  )
})

// bentocache and cacheable: evicted tag markers bring old entries back.
it.scoped("an entry that was invalidated with its group stays invalidated when the group's version is lost", () =>
  Effect.gen(function* () {
    const { provide, service, store } = yield* memoryRig
    let begun = 0
    const call = cached(
      Effect.sync(() => ++begun),
      { key: "key", groups: ["group"] }
    )
    yield* provide(call)
    const group = yield* service[engine].keyspace.group("test", "group")
    yield* service.invalidateGroup("group")
    assert.strictEqual(yield* store.remove([group]), 1)
    assert.deepStrictEqual(yield* service.get("key"), Option.none())
    assert.strictEqual(yield* provide(call), 2)
  })
)
