/** The breaker by the internal contract of a store. What users see of it is tested in behindBreaker.test.ts. */
import { assert, describe, it } from "@effect/vitest"
import { Context, Deferred, Effect, Exit, Fiber, FiberId, LogLevel, Option, TestClock } from "effect"
import type { CacheError } from "../../src/CacheError.js"
import type { Entry } from "../../src/CacheStore.js"
import { type BreakerSettings, circuitBreaker } from "../../src/internal/outages/circuitBreaker.js"
import { guard } from "../../src/internal/outages/guard.js"
import { InvalidationQueue } from "../../src/internal/outages/invalidationQueue.js"
import { withFiber } from "../../src/internal/runtime/fiber.js"
import { fromPlain } from "../../src/internal/stores/fromPlain.js"
import { unfused } from "../../src/internal/stores/fused.js"
import type { Store } from "../../src/internal/stores/Store.js"
import { Said } from "../support/everythingSaid.js"
import { away, byCallbacks, ClassStore } from "./support.js"

const settings: BreakerSettings = { failures: 2, retryAfter: 1_000, queueInvalidations: false }
const lease: Entry = { value: undefined, lease: { id: "lease", until: 1 }, groups: [] }

const behindBreaker = (store: Store, breaker: BreakerSettings) =>
  Effect.map(circuitBreaker(store, breaker), (made) => guard(store, made).store)

const read = (store: Store, ...keys: ReadonlyArray<string>) =>
  withFiber((fiber) => store.read(fiber, keys, Effect.succeed, Effect.fail))

/** A fiber inside a transaction, as `sql.withTransaction` marks it. */
const inTransaction = <A, E>(effect: Effect.Effect<A, E>) =>
  Effect.provide(effect, Context.make(Context.GenericTag("@effect/sql/SqlClient/TransactionConnection"), {}))

describe("a store that is a class", () => {
  it.scoped("keeps its getters and the this of its methods, behind the breaker too", () =>
    Effect.gen(function* () {
      const plain = new ClassStore()
      const store = yield* behindBreaker(fromPlain(plain), settings)
      assert.deepStrictEqual([store.name, store.location, store.payloads], ["class", "network", "bytes"])
      assert.deepStrictEqual(yield* read(store, "a"), [{ token: "token of a", entry: undefined }])
      yield* unfused(store.write)([{ key: "a", entry: lease }])
      assert.deepStrictEqual(yield* store.add("a", lease), Option.some("added"))
      assert.deepStrictEqual(yield* store.replace("a", "token", lease), Option.some("replaced"))
      assert.strictEqual(yield* store.remove(["a", "b"]), 2)
      yield* store.clear
      assert.deepStrictEqual((yield* store.size ?? Effect.die("no size")).entries, Option.some(1))
      assert.deepStrictEqual(plain.asked, [
        "read a",
        "write a",
        "add a",
        "replace a token",
        "remove a,b",
        "clear",
        "size"
      ])
    })
  )
})

describe("reads by callbacks", () => {
  const fail = (store: Store, settle: (error: typeof away) => void) =>
    Effect.gen(function* () {
      const reading = yield* Effect.fork(read(store, "a"))
      yield* Effect.yieldNow()
      settle(away)
      assert.isTrue(Exit.isFailure(yield* Fiber.await(reading)))
    })

  it.scoped("open the breaker, are skipped, and work again after the probe that closes it", () =>
    Effect.gen(function* () {
      const { settle, store: driver, waiting } = byCallbacks(fromPlain(new ClassStore()))
      const store = yield* behindBreaker(driver, settings)
      yield* fail(store, settle)
      yield* fail(store, settle)
      assert.strictEqual((yield* Effect.flip(read(store, "a"))).operation, "breaker")
      assert.strictEqual((yield* Effect.flip(store.add("a", lease))).operation, "breaker")
      assert.strictEqual(waiting.length, 0)

      yield* TestClock.adjust("1 second")
      settle(away)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(waiting.length, 1)
      settle()
      yield* Effect.yieldNow()
      const reading = yield* Effect.fork(read(store, "a"))
      yield* Effect.yieldNow()
      settle()
      assert.deepStrictEqual(yield* Fiber.join(reading), [undefined])
    })
  )

  it.scoped("inside a transaction bypass the breaker, and do not count", () =>
    Effect.gen(function* () {
      const plain = new ClassStore()
      const store = yield* behindBreaker(fromPlain(plain), settings)
      plain.up = false
      for (let round = 0; round < 5; round++) yield* Effect.flip(inTransaction(read(store, "a")))
      for (let round = 0; round < 5; round++) yield* Effect.flip(inTransaction(store.remove(["a"])))
      assert.strictEqual(plain.asked.length, 10)
      for (let round = 0; round < 5; round++) yield* Effect.flip(read(store, "a"))
      assert.strictEqual(plain.asked.length, 12)
      yield* Effect.flip(inTransaction(read(store, "a")))
      assert.strictEqual(plain.asked.length, 13)
    })
  )

  it.scoped("probes begin although the caller is interrupted at the line that opens the breaker", () =>
    Effect.gen(function* () {
      const { settle, store: driver, waiting } = byCallbacks(fromPlain(new ClassStore()))
      const store = yield* behindBreaker(driver, { ...settings, failures: 1 })
      const reading = yield* Effect.fork(read(store, "a"))
      yield* Effect.yieldNow()
      settle(away)
      reading.unsafeInterruptAsFork(FiberId.none)
      assert.isTrue(Exit.isInterrupted(yield* Fiber.await(reading)))
      yield* TestClock.adjust("1 second")
      assert.strictEqual(waiting.length, 1)
      settle()
      yield* Effect.yieldNow()
      assert.deepStrictEqual(yield* store.add("a", lease), Option.some("added"))
    })
  )
})

describe("the queue of invalidations", () => {
  it.scoped("is bounded: with more than 10,000 keys the namespace is cleared instead", () =>
    Effect.gen(function* () {
      const plain = new ClassStore()
      const queue = new InvalidationQueue(fromPlain(plain))
      for (let n = 0; n < 10_000; n++) queue.add([`key ${n}`])
      queue.add(["key 0"])
      assert.strictEqual(queue.size, 10_000)
      assert.isFalse(queue.blocks(["key 10000"]))
      let most = 0
      for (let n = 10_000; n < 400_000; n += 100) {
        queue.add(Array.from({ length: 100 }, (_, m) => `key ${n + m}`))
        most = Math.max(most, queue.size)
      }
      assert.isAtMost(most, 10_000)
      assert.isTrue(queue.blocks(["a key that was invalidated, or not"]))
      yield* queue.replay
      assert.deepStrictEqual(plain.asked, ["clear"])
      assert.isTrue(queue.isEmpty)
      assert.isFalse(queue.blocks(["key 0"]))
    })
  )

  it.scoped("is not emptied by what a transaction writes, which may be rolled back", () =>
    Effect.gen(function* () {
      const plain = new ClassStore()
      const store = yield* behindBreaker(fromPlain(plain), {
        failures: 9,
        retryAfter: 3_600_000,
        queueInvalidations: true
      })
      plain.up = false
      yield* store.remove(["a", "b"])
      plain.up = true
      yield* inTransaction(unfused(store.write)([{ key: "a", entry: lease }]))
      assert.deepStrictEqual((yield* Effect.flip(read(store, "a"))).reason, "Unavailable")
      yield* unfused(store.write)([{ key: "b", entry: lease }])
      assert.deepStrictEqual(yield* read(store, "b"), [{ token: "token of b", entry: undefined }])
    })
  )

  it.scoped("replays again what is queued again while it is replayed", () =>
    Effect.gen(function* () {
      const plain = new ClassStore()
      const queue: InvalidationQueue = new InvalidationQueue({
        remove: (keys) => Effect.tap(plain.remove(keys), () => queue.add(["b"])),
        clear: Effect.tap(
          Effect.suspend(() => plain.clear),
          () => queue.addClear()
        )
      })
      queue.add(["a", "b"])
      yield* queue.replay
      assert.isFalse(queue.blocks(["a"]))
      assert.isTrue(queue.blocks(["b"]))
      queue.addClear()
      yield* queue.replay
      assert.isTrue(queue.blocks(["a"]))
      assert.deepStrictEqual(plain.asked, ["remove a,b", "clear"])
    })
  )
})

describe("the log of a breaker", () => {
  const minutes = 3
  const told = (life: (plain: ClassStore, store: Store) => Effect.Effect<void>) =>
    Effect.gen(function* () {
      const said = new Said()
      const plain = new ClassStore()
      yield* Effect.gen(function* () {
        yield* life(plain, yield* behindBreaker(fromPlain(plain), settings))
      }).pipe(Effect.provide(said.from(LogLevel.Info)))
      return said.logged
    })
  const failing = (store: Store) => Effect.ignore(Effect.zipRight(Effect.ignore(read(store, "a")), read(store, "a")))

  it.scoped("tells once a minute of a store that comes and goes, and then that it is back", () =>
    Effect.gen(function* () {
      const lines = yield* told((plain, store) =>
        Effect.gen(function* () {
          for (let second = 0; second < 60 * minutes; second++) {
            plain.up = false
            yield* failing(store)
            plain.up = true
            yield* TestClock.adjust("1 second")
          }
        })
      )
      assert.strictEqual(lines.length, 2 * minutes, lines.join("\n"))
      for (const [index, line] of lines.entries()) {
        assert.include(line, index % 2 === 0 ? "failed 2 times in a row: calls go on without it" : "is back")
      }
      assert.include(lines[2] ?? "", "and 59 more")
    })
  )

  it.scoped("does not end with the word that the store is back while it is away", () =>
    Effect.gen(function* () {
      const lines = yield* told((plain, store) =>
        Effect.gen(function* () {
          plain.up = false
          yield* failing(store)
          plain.up = true
          yield* TestClock.adjust("1 second")
          plain.up = false
          yield* failing(store)
          yield* TestClock.adjust("10 minutes")
        })
      )
      assert.strictEqual(lines.length, 3, lines.join("\n"))
      assert.include(lines[1] ?? "", "is back")
      assert.include(lines[2] ?? "", "calls go on without it: switched off (Unavailable)")
    })
  )
})

describe("the end of the layer", () => {
  it.scoped("an invalidation that fails after it is queued nowhere: nobody would replay it", () =>
    Effect.gen(function* () {
      const answer = yield* Deferred.make<never, CacheError>()
      const driver = { ...fromPlain(new ClassStore()), remove: () => Deferred.await(answer) }
      const breaker = yield* circuitBreaker(driver, { ...settings, queueInvalidations: true })
      const { close, store } = guard(driver, breaker)
      const removing = yield* Effect.fork(store.remove(["a"]))
      yield* Effect.yieldNow()
      yield* close
      yield* Deferred.fail(answer, away)
      const error = yield* Effect.flip(Fiber.join(removing))
      assert.deepStrictEqual([error.reason, error.description], ["Unavailable", "the layer of the cache is closed"])
    })
  )
})
