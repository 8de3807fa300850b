import { describe, expect, it } from "@effect/vitest"
import { Effect, Either, Exit } from "effect"
import { CircuitOpen, PartialOutage } from "../../../src/internal/outages/outage.js"
import { withFiber } from "../../../src/internal/runtime/fiber.js"
import { unfused } from "../../../src/internal/stores/fused.js"
import { headerLength } from "../../../src/internal/stores/memcached/protocol/constants.js"
import { memcached } from "../../servers/memcached.js"
import { relayTo } from "../../servers/relay.js"
import { until } from "../../support/until.js"
import { eventually, fusedStoreOn, isDown, item, patience, readText, storeOn, textOf } from "./support.js"

describe.concurrent("a server in trouble", () => {
  it.scopedLive("killed: operations fail at once; restarted: they work again", () =>
    Effect.gen(function* () {
      const server = yield* memcached()
      const store = yield* storeOn(server.address)
      yield* store.write([item("a", "before")])
      yield* server.kill
      yield* Effect.sleep(50)
      const started = performance.now()
      for (let round = 0; round < 200; round++) {
        expect((yield* Effect.flip(store.read(["a"]))).reason).toBe("Unavailable")
      }
      // None of them waits for an answer.
      expect(performance.now() - started).toBeLessThan(patience)
      yield* server.start
      // Its memory was lost with it: a miss, and never an error.
      yield* eventually(readText(store, "a"), (text) => text === undefined)
      yield* store.write([item("a", "after")])
      expect(yield* readText(store, "a")).toBe("after")
    })
  )

  it.scopedLive("restarted while nobody looked: the next operation works", () =>
    Effect.gen(function* () {
      const server = yield* memcached()
      const store = yield* storeOn(server.address, { retryDelay: 100 })
      yield* store.write([item("a", "before")])
      yield* server.start
      yield* Effect.sleep(400)
      yield* store.write([item("a", "after")])
      expect(yield* readText(store, "a")).toBe("after")
    })
  )

  it.scopedLive("frozen: costs two time-outs in all, then nothing; thawed: hits", () =>
    Effect.gen(function* () {
      const server = yield* memcached()
      const store = yield* storeOn(server.address, { timeout: 600 })
      yield* store.write([item("a", "value")])
      yield* server.freeze
      const outcomes = yield* Effect.forEach(
        Array.from({ length: 64 }),
        () => Effect.forEach(Array.from({ length: 50 }), () => Effect.flip(store.read(["a"]))),
        { concurrency: "unbounded" }
      )
      // Of the 50 operations of each fiber two may wait; the others meet a server that is known to be down.
      for (const ofFiber of outcomes) {
        expect(ofFiber.slice(2).filter(({ description }) => !description.includes("is down"))).toEqual([])
      }
      expect(new Set(outcomes.flat().map(({ reason }) => reason))).toEqual(new Set(["Timeout", "Unavailable"]))
      yield* server.thaw
      yield* eventually(readText(store, "a"), (text) => text === "value")
    })
  )

  it.scopedLive("not there when the store is built: found when it comes", () =>
    Effect.gen(function* () {
      const server = yield* memcached()
      yield* server.kill
      const store = yield* storeOn(server.address)
      expect((yield* Effect.flip(store.read(["a"]))).reason).toBe("Unavailable")
      yield* server.start
      yield* eventually(readText(store, "a"), (text) => text === undefined)
    })
  )

  it.scopedLive("slow: answers that come in time count, those that do not are dropped", () =>
    Effect.gen(function* () {
      const server = yield* memcached()
      const relay = yield* relayTo(server)
      const store = yield* storeOn(relay.address, { timeout: 4_000 })
      yield* store.write([item("a", "A"), item("b", "B")])
      relay.delay = 100
      expect(yield* readText(store, "a")).toBe("A")
      relay.delay = 8_000
      expect((yield* Effect.flip(store.read(["a"]))).reason).toBe("Timeout")
      relay.delay = 0
      yield* eventually(readText(store, "b"), (text) => text === "B")
      for (let round = 0; round < 100; round++) {
        expect(yield* readText(store, round % 2 === 0 ? "a" : "b")).toBe(round % 2 === 0 ? "A" : "B")
      }
    })
  )

  it.scopedLive(
    "that takes connections, but is too slow for any operation: known to be down, whatever connecting may take",
    () =>
      Effect.gen(function* () {
        const server = yield* memcached()
        const relay = yield* relayTo(server)
        const store = yield* storeOn(relay.address, { timeout: 500, connectTimeout: patience, retryDelay: 50 })
        yield* store.write([item("a", "value")])
        relay.delay = 1_500
        const refused = Effect.map(Effect.flip(store.read(["a"])), ({ description }) => description)
        yield* eventually(refused, (description) => description.includes("is down"))
        for (let round = 0; round < 50; round++) {
          expect(yield* refused).toContain("is down")
          yield* Effect.sleep(10)
        }
        relay.delay = 0
        yield* eventually(readText(store, "a"), (text) => text === "value")
      })
  )

  it.scopedLive("that pauses between the two commands of a deletion: what lived is counted", () =>
    Effect.gen(function* () {
      const relay = yield* relayTo(yield* memcached())
      const store = yield* storeOn(relay.address)
      yield* store.write([item("a", "value")])
      // A second of memcached's clock begins meanwhile.
      relay.split = { at: headerLength + 4 + "a".length, millis: 950 }
      expect(yield* store.remove(["a"])).toBe(1)
      expect(yield* readText(store, "a")).toBeUndefined()
    })
  )

  it.scopedLive("that breaks off every answer: connected to again once a retryDelay, not with each call", () =>
    Effect.gen(function* () {
      const server = yield* memcached()
      const relay = yield* relayTo(server)
      const store = yield* storeOn(relay.address)
      yield* store.write([item("a", "value")])
      const handshake = 24
      const started = performance.now()
      for (let round = 0; round < 200; round++) {
        relay.cutAfter ??= handshake + 8
        expect((yield* Effect.flip(store.read(["a"]))).reason).toBe("Unavailable")
      }
      expect(relay.connections().made).toBeLessThan(5 + (performance.now() - started) / 1_000)
      relay.cutAfter = undefined
      yield* eventually(readText(store, "a"), (text) => text === "value")
    })
  )

  it.scopedLive("is seen in a metric, and by whoever asks why", () =>
    Effect.gen(function* () {
      const [first, second] = [yield* memcached(), yield* memcached()]
      const store = yield* storeOn(`${first.address},${second.address}`, { timeout: 600, retryDelay: 50 })
      const keys = Array.from({ length: 20 }, (_, index) => `key-${index}`)
      const failures = Effect.map(
        Effect.forEach(keys, (key) => Effect.either(store.read([key]))),
        (results) => results.flatMap((result) => (Either.isLeft(result) ? [result.left.cause] : []))
      )
      yield* store.write(keys.map((key) => item(key, "value")))
      expect(yield* isDown(first.address)).toBe(false)
      yield* first.freeze
      const [blamed] = yield* failures
      expect(blamed).toBeInstanceOf(PartialOutage)
      yield* eventually(isDown(first.address), (down) => down)
      expect(yield* isDown(second.address)).toBe(false)
      for (const cause of yield* failures) expect(cause).toBeInstanceOf(CircuitOpen)
      yield* first.thaw
      yield* eventually(isDown(first.address), (down) => !down)
      yield* first.kill
      yield* second.kill
      yield* eventually(Effect.all([isDown(first.address), isDown(second.address)]), (both) =>
        both.every((down) => down)
      )
    })
  )

  it.scopedLive("behind a network that cuts, resets and swallows: every answer is right or an error", () =>
    Effect.gen(function* () {
      const server = yield* memcached()
      const relay = yield* relayTo(server)
      const store = yield* storeOn(relay.address, { timeout: 500, retryDelay: 50 })
      const keys = Array.from({ length: 40 }, (_, index) => `key-${index}`)
      const valueOf = (key: string) => `${key}:`.repeat(1 + Number(key.slice(4)) * 20)
      const written = store.write(keys.map((key) => item(key, valueOf(key))))
      yield* eventually(written, (rejected) => rejected.length === 0)
      let right = 0
      let failed = 0
      let stop = false
      const reader = (seed: number) =>
        Effect.gen(function* () {
          for (let round = seed; !stop; round++) {
            const key = keys[(round * 7) % keys.length] ?? ""
            const result = yield* Effect.exit(readText(store, key))
            if (Exit.isSuccess(result)) {
              expect(result.value).toBe(valueOf(key))
              right += 1
            } else {
              failed += 1
              yield* Effect.sleep(5)
            }
          }
        })
      const faults = Effect.gen(function* () {
        for (let round = 0; round < 30 || right <= 500 || failed === 0; round++) {
          yield* Effect.sleep(60)
          if (round % 3 === 0) relay.cutAfter = (round * 137) % 3000
          else if (round % 3 === 1) yield* relay.reset
          else {
            relay.pieces = 7
            relay.swallow = round % 2 === 0
            yield* Effect.sleep(30)
            relay.swallow = false
            relay.pieces = undefined
          }
        }
        relay.cutAfter = undefined
        stop = true
      })
      yield* Effect.all([faults, ...Array.from({ length: 16 }, (_, seed) => reader(seed))], {
        concurrency: "unbounded",
        discard: true
      })
      yield* eventually(readText(store, "key-1"), (text) => text === valueOf("key-1"))
    })
  )

  it.scopedLive("something else on the port: an error, not a hang", () =>
    Effect.gen(function* () {
      const server = yield* memcached({ args: ["-B", "ascii"] })
      const store = yield* storeOn(server.address, { timeout: 600 })
      expect(["Unavailable", "Timeout"]).toContain((yield* Effect.flip(store.read(["a"]))).reason)
    })
  )

  it.scopedLive("the scope's end closes the sockets and fails what is under way", () =>
    Effect.gen(function* () {
      const server = yield* memcached()
      const relay = yield* relayTo(server)
      const late = yield* Effect.scoped(
        Effect.gen(function* () {
          const store = yield* storeOn(relay.address)
          yield* store.write([item("a", "value")])
          expect(relay.connections().open).toBe(1)
          relay.swallow = true
          const pending = yield* Effect.forkDaemon(Effect.flip(store.read(["a"])))
          yield* Effect.sleep(20)
          return { store, pending }
        })
      )
      expect((yield* late.pending).reason).toBe("Unavailable")
      expect((yield* Effect.flip(late.store.read(["a"]))).reason).toBe("Unavailable")
      expect(yield* until(Effect.sync(relay.connections), ({ open }) => open === 0)).toMatchObject({ open: 0 })
    })
  )

  it.scopedLive("does not matter to others that one caller throws over its answer", () =>
    Effect.gen(function* () {
      const relay = yield* relayTo(yield* memcached())
      const store = yield* fusedStoreOn(relay.address, { timeout: 1_000 })
      yield* unfused(store.write)([item("a", "value")])
      const throws = (): never => {
        throw new Error("no use for it")
      }
      const read = <A>(onFound: (text: string | undefined) => Effect.Effect<A>, onFailure: () => Effect.Effect<A>) =>
        withFiber((fiber) => store.read(fiber, ["a"], ([found]) => onFound(textOf(found)), onFailure))
      const peaceful = read<string | undefined>(Effect.succeed, () => Effect.succeed("failed"))
      const outcomes = Effect.all([peaceful, read(throws, throws), peaceful].map(Effect.exit), {
        concurrency: "unbounded"
      })
      const died = Exit.die(new Error("no use for it"))
      expect(yield* outcomes).toEqual([Exit.succeed("value"), died, Exit.succeed("value")])
      expect(relay.connections().made).toBe(1)
      relay.swallow = true
      expect(yield* outcomes).toEqual([Exit.succeed("failed"), died, Exit.succeed("failed")])
    })
  )
})
