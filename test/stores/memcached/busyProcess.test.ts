/**
 * Time-outs measure what the server took, not how long this process was busy. All options are left to their defaults: they are what
 * is tried.
 */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Logger, LogLevel, Option } from "effect"
import { CacheBackend, get, set, setMany } from "effect-cached"
import * as MemcachedBackend from "effect-cached/MemcachedBackend"
import { memcached } from "../../servers/memcached.js"
import { relayTo } from "../../servers/relay.js"
import { blockedFor } from "../../support/blocked.js"
import { freshNamespace } from "./support.js"

const warned = (lines: Array<string>) =>
  Logger.replace(
    Logger.defaultLogger,
    Logger.make(({ logLevel, message }) => {
      if (logLevel === LogLevel.Warning) lines.push(String(message))
    })
  )

const busyFor = (millis: number) => Effect.sync(() => blockedFor(millis))

const layerOn = (servers: string) => MemcachedBackend.layer({ servers, namespace: freshNamespace() })

describe("a process that is busy", () => {
  it.scopedLive("20,000 callers as its first operation: all succeed", () =>
    Effect.gen(function* () {
      const { address } = yield* memcached({ args: ["-m", "256"] })
      const lines: Array<string> = []
      const keys = Array.from({ length: 20_000 }, (_, index) => `key-${index}`)
      yield* Effect.gen(function* () {
        const outcomes = yield* Effect.forEach(keys, (key) => Effect.exit(set(key, { key })), {
          concurrency: "unbounded"
        })
        expect(outcomes.filter(Exit.isFailure)).toEqual([])
        const values = yield* (yield* CacheBackend).getMany(keys)
        expect(values.size).toBe(20_000)
      }).pipe(Effect.provide(layerOn(address)), Effect.provide(warned(lines)))
      expect(lines).toEqual([])
    })
  )

  it.scopedLive("a first setMany of 50,000: all are stored, found and removed", () =>
    Effect.gen(function* () {
      const { address } = yield* memcached({ args: ["-m", "256"] })
      const lines: Array<string> = []
      const entries = Array.from(
        { length: 50_000 },
        (_, index) => [`key-${index}`, { index, text: "x".repeat(400) }] as const
      )
      yield* Effect.gen(function* () {
        expect(yield* setMany(entries)).toEqual([])
        const cache = yield* CacheBackend
        const values = yield* cache.getMany(entries.map(([key]) => key))
        expect(values.size).toBe(50_000)
        expect(values.get("key-49999")).toMatchObject({ index: 49_999 })
        expect(yield* cache.deleteMany(entries.map(([key]) => key))).toBe(50_000)
      }).pipe(Effect.provide(layerOn(address)), Effect.provide(warned(lines)))
      expect(lines).toEqual([])
    })
  )

  it.scopedLive(
    "computes for 3 seconds while commands are under way: they are answered, and the server is not down",
    () =>
      Effect.gen(function* () {
        const relay = yield* relayTo(yield* memcached())
        const lines: Array<string> = []
        yield* Effect.gen(function* () {
          yield* set("a", "value")
          // With the relay in this process the answer comes only when the process has time again.
          for (const delay of [0, 100]) {
            relay.delay = delay
            const reads = yield* Effect.fork(
              Effect.forEach(Array.from({ length: 100 }), () => Effect.exit(get("a")), { concurrency: "unbounded" })
            )
            yield* Effect.yieldNow()
            yield* Effect.sleep(1)
            yield* busyFor(3_000)
            const outcomes = yield* Fiber.join(reads)
            expect(outcomes.filter(Exit.isFailure)).toEqual([])
          }
        }).pipe(Effect.provide(layerOn(relay.address)), Effect.provide(warned(lines)))
        expect(lines).toEqual([])
        expect(relay.connections().made).toBe(1)
      })
  )

  it.scopedLive("busy again and again, with a turn now and then: the same", () =>
    Effect.gen(function* () {
      const { address } = yield* memcached()
      const lines: Array<string> = []
      yield* Effect.gen(function* () {
        yield* set("a", "value")
        for (let round = 0; round < 10; round++) {
          const read = yield* Effect.fork(Effect.exit(get("a")))
          yield* Effect.yieldNow()
          yield* busyFor(700)
          expect(Exit.isSuccess(yield* Fiber.join(read))).toBe(true)
        }
      }).pipe(Effect.provide(layerOn(address)), Effect.provide(warned(lines)))
      expect(lines).toEqual([])
    })
  )

  it.scopedLive("busy while it connects: the server is not down", () =>
    Effect.gen(function* () {
      const { address } = yield* memcached()
      const lines: Array<string> = []
      yield* Effect.gen(function* () {
        const busy = yield* Effect.fork(Effect.repeatN(Effect.zipRight(busyFor(700), Effect.sleep(0)), 4))
        const outcome = yield* set("a", "value").pipe(Effect.provide(layerOn(address)), Effect.exit)
        expect(Exit.isSuccess(outcome)).toBe(true)
        yield* Fiber.join(busy)
      }).pipe(Effect.provide(warned(lines)))
      expect(lines).toEqual([])
    })
  )

  it.scopedLive("still notices a frozen server in time, whatever it does itself", () =>
    Effect.gen(function* () {
      const server = yield* memcached()
      yield* Effect.gen(function* () {
        yield* set("a", "value")
        yield* server.freeze
        const started = performance.now()
        const read = yield* Effect.fork(Effect.flip(get("a")))
        yield* Effect.yieldNow()
        yield* busyFor(1_000)
        expect((yield* Fiber.join(read)).reason).toBe("Timeout")
        // 500 ms of its own after the 1,000 at most, and what a busy machine adds.
        expect(performance.now() - started).toBeLessThan(60_000)
        yield* server.thaw
      }).pipe(Effect.provide(layerOn(server.address)), Logger.withMinimumLogLevel(LogLevel.None))
    })
  )
})

describe("a server that closes idle connections", () => {
  it.scopedLive("has closed one while the process was busy: what is asked then goes over a new one", () =>
    Effect.gen(function* () {
      const { address } = yield* memcached({ args: ["-o", "idle_timeout=1"] })
      const lines: Array<string> = []
      yield* Effect.gen(function* () {
        const cache = yield* CacheBackend
        yield* cache.set("key", 1)
        // That the connection was closed lies in the socket while the process is busy.
        yield* busyFor(3_000)
        const all = Effect.all([cache.increment("key"), cache.get("other"), cache.delete("other")], { concurrency: 3 })
        expect((yield* all)[0]).toBe(2)
        yield* busyFor(3_000)
        expect(yield* cache.get("key")).toMatchObject({ value: 2 })
        yield* busyFor(3_000)
        // What a caller who has left was to write is not sent over the new connection: it may be out of date by then.
        const caller = yield* Effect.fork(cache.set("left", 1))
        yield* Effect.yieldNow()
        yield* Fiber.interrupt(caller)
        expect(yield* cache.get("left")).toEqual(Option.none())
        expect((yield* cache.stats).storeErrors).toBe(0)
      }).pipe(Effect.provide(layerOn(address)), Effect.provide(warned(lines)))
      expect(lines).toEqual([])
    })
  )
})
