import { describe, expect, it } from "@effect/vitest"
import { Effect, Exit, Fiber } from "effect"
import * as MemcachedStore from "../../../src/internal/stores/memcached/MemcachedStore.js"
import { memcached } from "../../servers/memcached.js"
import { relayTo } from "../../servers/relay.js"
import { eventually, freshNamespace, item, patience, plain, readText, readTexts, record, storeOn } from "./support.js"

const keys = Array.from({ length: 64 }, (_, index) => `key-${index}`)
const valueOf = (key: string) => `the value of ${key}`

describe("interruption", () => {
  it.scopedLive("at any point leaves no callback and no connection on which the next answer goes astray", () =>
    Effect.gen(function* () {
      const server = yield* memcached()
      const relay = yield* relayTo(server)
      const pool = yield* MemcachedStore.connect({ servers: relay.address, timeout: patience }, freshNamespace())
      const store = plain(MemcachedStore.over(pool))
      yield* store.write(keys.map((key) => item(key, valueOf(key))))
      let interrupted = 0
      let answered = 0
      for (let round = 0; round < 300; round++) {
        relay.delay = round % 4 === 0 ? 2 : 0
        const fibers = yield* Effect.forEach(keys, (key) => Effect.fork(readText(store, key)))
        // From "not started" to "answered long ago".
        const steps = round % 15
        if (steps < 5) for (let step = 0; step < steps; step++) yield* Effect.yieldNow()
        else yield* Effect.sleep((steps - 5) / 3)
        yield* Effect.forEach(
          fibers.filter((_, index) => (index + round) % 3 === 0),
          Fiber.interruptFork
        )
        for (const [index, fiber] of fibers.entries()) {
          const exit = yield* Fiber.await(fiber)
          if (Exit.isSuccess(exit)) {
            expect(exit.value).toBe(valueOf(keys[index] ?? ""))
            answered += 1
          } else {
            interrupted += 1
          }
        }
      }
      relay.delay = 0
      expect(interrupted).toBeGreaterThan(1_000)
      expect(answered).toBeGreaterThan(10_000)
      expect(relay.connections().made).toBe(1)
      expect(yield* readTexts(store, ...keys)).toEqual(keys.map(valueOf))
      for (const connection of pool.connections) expect([connection["inFlight"], connection["queue"]]).toEqual([[], []])
    })
  )

  it.scopedLive("of a write leaves the old record or the new one", () =>
    Effect.gen(function* () {
      const server = yield* memcached()
      const store = yield* storeOn(server.address)
      for (let round = 0; round < 200; round++) {
        const key = `key-${round % 10}`
        const before = yield* readText(store, key)
        const after = `${round}`
        const writing = [
          Effect.asVoid(store.write([item(key, after)])),
          Effect.asVoid(store.write([item(key, after), item(`${key}-other`, after)])),
          Effect.asVoid(store.add(key, record(after))),
          Effect.asVoid(Effect.flatMap(store.read([key]), ([found]) => store.replace(key, found?.token, record(after))))
        ]
        const fiber = yield* Effect.fork(writing[round % 4] ?? Effect.void)
        for (let step = 0; step < round % 6; step++) yield* Effect.yieldNow()
        yield* Fiber.interrupt(fiber)
        expect([before, after]).toContain(yield* readText(store, key))
      }
    })
  )

  it.scopedLive("while there is no connection, sends nothing later", () =>
    Effect.gen(function* () {
      const server = yield* memcached()
      const relay = yield* relayTo(server)
      const store = yield* storeOn(relay.address)
      yield* store.write([item("b", "sent")])
      relay.delay = 2_000
      yield* relay.reset
      yield* Effect.sleep(20)
      const fiber = yield* Effect.fork(store.write([item("a", "never")]))
      yield* Effect.sleep(50)
      yield* Fiber.interrupt(fiber)
      relay.delay = 0
      yield* eventually(readText(store, "a"), (text) => text === undefined)
      expect(Buffer.concat(relay.sent).includes("never")).toBe(false)
    })
  )
})
