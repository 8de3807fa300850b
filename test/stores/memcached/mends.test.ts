/**
 * What memjs gets wrong, each with the proof that it does, and that the store does not. The proof about memjs, which mostly waits
 * for what never comes, belongs to the thorough tests: where it fails, memjs was repaired.
 */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Exit, Logger, LogLevel } from "effect"
import { Server } from "memjs"
import { vi } from "vitest"
import * as MemcachedStore from "../../../src/internal/stores/memcached/MemcachedStore.js"
import { AnswerReader } from "../../../src/internal/stores/memcached/protocol/AnswerReader.js"
import { headerLength, Opcode } from "../../../src/internal/stores/memcached/protocol/constants.js"
import { Opaques } from "../../../src/internal/stores/memcached/protocol/request.js"
import { freePort, memcached } from "../../servers/memcached.js"
import { relayTo } from "../../servers/relay.js"
import { thorough } from "../../support/size.js"
import { until } from "../../support/until.js"
import {
  bareMemjs,
  freshNamespace,
  item,
  minute,
  outcome,
  patience,
  plain,
  readText,
  record,
  storeOn
} from "./support.js"

const longerThanAnyTimeout = 1_300

const ofMemjs = <E, R>(proof: Effect.Effect<unknown, E, R>): Effect.Effect<unknown, E, R> =>
  thorough ? proof : Effect.void

const keysDeleted = (requests: Buffer): ReadonlyArray<string> => {
  const keys: Array<string> = []
  for (let at = 0; at < requests.length; at += headerLength + requests.readUInt32BE(at + 8)) {
    const keyAt = at + headerLength + requests.readUInt8(at + 4)
    const key = requests.toString("latin1", keyAt, keyAt + requests.readUInt16BE(at + 2))
    if (requests[at + 1] === Opcode.delete) keys.push(key)
  }
  return keys
}

describe.concurrent("memjs, mended", () => {
  it.scopedLive("counts its requests beyond 2^31", () =>
    Effect.gen(function* () {
      const server = yield* memcached()
      yield* ofMemjs(
        Effect.gen(function* () {
          const bare = yield* bareMemjs(server.address)
          Object.assign(bare, { seq: 2 ** 31 - 2 })
          yield* Effect.promise(() => bare.get("a"))
          expect(yield* outcome(() => bare.get("a"), longerThanAnyTimeout)).toBe("failed")
        })
      )
      const pool = yield* MemcachedStore.connect({ servers: server.address, timeout: patience }, freshNamespace())
      const store = plain(MemcachedStore.over(pool))
      yield* store.write([item("a", "value")])
      for (const connection of pool.connections) connection.opaques = new Opaques(2 ** 31 - 10)
      for (let round = 0; round < 50; round++) {
        expect(yield* readText(store, "a")).toBe("value")
        yield* store.write([item("a", "value"), item("b", "value")])
      }
      for (const connection of pool.connections) expect(connection.opaques.peek()).toBeLessThan(1_000)
      // As many as 3 billion requests would leave it, wherever the number stands in its circle.
      for (const connection of pool.connections) connection.opaques = new Opaques(3_000_000_000)
      for (let round = 0; round < 50; round++) expect(yield* readText(store, "a")).toBe("value")
    })
  )

  it.scopedLive("survives a key of 0 or 251 bytes", () =>
    Effect.gen(function* () {
      const server = yield* memcached()
      for (const key of ["", "k".repeat(251)]) {
        yield* ofMemjs(
          Effect.gen(function* () {
            const bare = yield* bareMemjs(server.address)
            yield* outcome(() => bare.get(key), longerThanAnyTimeout)
            expect(yield* outcome(() => bare.get("innocent"), longerThanAnyTimeout)).toBe("hangs")
          })
        )
        const store = yield* storeOn(server.address)
        yield* store.write([item("innocent", "value")])
        expect((yield* Effect.flip(store.read([key]))).reason).toBe("InvalidKey")
        expect(yield* readText(store, "innocent")).toBe("value")
      }
    })
  )

  it.scopedLive("notices that the server closed the connection", () =>
    Effect.gen(function* () {
      const server = yield* memcached()
      const relay = yield* relayTo(server)
      yield* ofMemjs(
        Effect.gen(function* () {
          const bare = yield* bareMemjs(relay.address)
          yield* Effect.promise(() => bare.get("a"))
          relay.cutAfter = 0
          expect(yield* outcome(() => bare.get("a"), longerThanAnyTimeout)).toBe("hangs")
          relay.cutAfter = undefined
        })
      )
      const store = yield* storeOn(relay.address)
      yield* store.write([item("a", "value")])
      relay.cutAfter = 0
      const started = performance.now()
      expect((yield* Effect.flip(store.read(["a"]))).reason).toBe("Unavailable")
      // It does not wait for the time-out.
      expect(performance.now() - started).toBeLessThan(patience)
      expect(yield* readText(store, "a")).toBe("value")
    })
  )

  it.scopedLive("forgets the half of an answer that came before the connection broke", () =>
    Effect.gen(function* () {
      const server = yield* memcached()
      const relay = yield* relayTo(server)
      yield* ofMemjs(
        Effect.gen(function* () {
          const bare = yield* bareMemjs(relay.address, { retries: 1 })
          yield* Effect.promise(() => bare.set("a", "x".repeat(1000), {}))
          const half = bare.get("a").catch(() => "failed")
          relay.cutAfter = 500
          yield* Effect.sleep(50)
          yield* relay.reset
          yield* outcome(() => half, 100)
          expect(yield* outcome(() => bare.get("a"), longerThanAnyTimeout)).not.toBe("settled")
          relay.cutAfter = undefined
        })
      )
      const store = yield* storeOn(relay.address)
      yield* store.write([item("a", "y".repeat(1000))])
      for (const bytes of [1, 23, 24, 25, 31, 500, 1059]) {
        relay.cutAfter = bytes
        expect((yield* Effect.flip(store.read(["a"]))).reason).toBe("Unavailable")
        expect(yield* readText(store, "a")).toBe("y".repeat(1000))
      }
    })
  )

  it.scopedLive("replaces a connection on which nothing comes back", () =>
    Effect.gen(function* () {
      const server = yield* memcached()
      const relay = yield* relayTo(server)
      yield* ofMemjs(
        Effect.gen(function* () {
          const bare = yield* bareMemjs(relay.address, { retries: 1 })
          yield* Effect.promise(() => bare.get("a"))
          relay.swallow = true
          expect(yield* outcome(() => bare.get("a"), longerThanAnyTimeout)).toBe("failed")
          // On the connection that it makes next, no time is kept.
          expect(yield* outcome(() => bare.get("a"), longerThanAnyTimeout)).toBe("hangs")
          relay.swallow = false
        })
      )
      const store = yield* storeOn(relay.address, { timeout: 600 })
      yield* store.write([item("a", "value")])
      relay.swallow = true
      expect((yield* Effect.flip(store.read(["a"]))).reason).toBe("Timeout")
      relay.swallow = false
      expect(yield* readText(store, "a")).toBe("value")
    })
  )

  it.scopedLive("never makes a record permanent that was to end, and keeps it for all of its time", () =>
    Effect.gen(function* () {
      const server = yield* memcached()
      const bare = yield* bareMemjs(server.address)
      yield* ofMemjs(
        Effect.promise(async () => {
          await bare.set("short", "value", { expires: 0.3 })
          await bare.set("touched", "value", { expires: 1 })
          await bare.touch("touched", 0)
        })
      )
      const store = yield* storeOn(server.address)
      const lifetimes = [1, 300, 999, 1000, 1001]
      const started = performance.now()
      yield* store.write(lifetimes.map((lifetime) => item(`for-${lifetime}`, "value", lifetime)))
      // as far as this machine gets in that time
      const standing = Effect.forEach(lifetimes, (lifetime) =>
        Effect.map(
          readText(store, `for-${lifetime}`),
          (text) => performance.now() - started > lifetime || text === "value"
        )
      )
      expect(yield* standing).toEqual(lifetimes.map(() => true))
      yield* Effect.sleep(900)
      expect(yield* standing).toEqual(lifetimes.map(() => true))
      const keys = lifetimes.map((lifetime) => `for-${lifetime}`)
      const gone = yield* until(store.read(keys), (found) => found.every((each) => each === undefined))
      expect(gone).toEqual(keys.map(() => undefined))
      yield* ofMemjs(
        Effect.gen(function* () {
          yield* Effect.sleep(3_000)
          for (const key of ["short", "touched"]) {
            expect((yield* Effect.promise(() => bare.get(key))).value).not.toBeNull()
          }
        })
      )
    })
  )

  it.scopedLive("keeps a record for more than 30 days", () =>
    Effect.gen(function* () {
      const server = yield* memcached()
      const day = 24 * 60 * minute
      yield* ofMemjs(
        Effect.gen(function* () {
          const bare = yield* bareMemjs(server.address)
          yield* Effect.promise(() => bare.set("a", "value", { expires: (31 * day) / 1000 }))
          expect((yield* Effect.promise(() => bare.get("a"))).value).toBeNull()
        })
      )
      const store = yield* storeOn(server.address)
      for (const lifetime of [29 * day, 30 * day, 31 * day, 365 * day, 50_000 * day, Number.POSITIVE_INFINITY]) {
        yield* store.write([item("a", `${lifetime}`, lifetime)])
        expect(yield* readText(store, "a")).toBe(`${lifetime}`)
      }
    })
  )

  it.scopedLive("says that a value is too large; what it was written over without a look at it is deleted", () =>
    Effect.gen(function* () {
      const server = yield* memcached()
      const large = new Uint8Array(2 ** 20)
      yield* ofMemjs(
        Effect.gen(function* () {
          const bare = yield* bareMemjs(server.address)
          yield* Effect.promise(() => bare.set("a", "old", {}))
          const replacing = () => bare.replace("a", "x".repeat(large.length), {})
          expect(yield* outcome(replacing, longerThanAnyTimeout)).toBe("failed")
          expect(`${(yield* Effect.promise(() => bare.get("a"))).value}`).toBe("old")
        })
      )
      const store = yield* storeOn(server.address)
      yield* store.write([item("a", "old"), item("b", "old")])
      const rejected = yield* store.write([item("a", large), item("c", "small")])
      expect(rejected.map(({ error, key }) => [key, error.reason])).toEqual([["a", "TooLarge"]])
      const [b] = yield* store.read(["b"])
      expect((yield* Effect.flip(store.replace("b", b?.token, record(large)))).reason).toBe("TooLarge")
      expect((yield* Effect.flip(store.add("d", record(large)))).reason).toBe("TooLarge")
      expect(yield* Effect.forEach(["a", "b", "c", "d"], (key) => readText(store, key))).toEqual([
        undefined,
        // A compare-and-set deletes nothing: a lease that stands there ends with a trace.
        "old",
        "small",
        undefined
      ])
      // The last item with the key fits: that is the one that counts.
      yield* store.write([item("a", large), item("a", "small")])
      expect(yield* readText(store, "a")).toBe("small")
    })
  )

  // memcached does so by itself; what is compatible with it may not
  it.scopedLive("deletes what was under a key whose value is too large to be written", () =>
    Effect.gen(function* () {
      const relay = yield* relayTo(yield* memcached())
      const store = yield* storeOn(relay.address)
      yield* store.write([item("a", "old")])
      const rejected = yield* store.write([item("a", new Uint8Array(2 ** 20))])
      expect(rejected.map(({ error, key }) => [key, error.reason])).toEqual([["a", "TooLarge"]])
      expect(keysDeleted(Buffer.concat(relay.sent))).toEqual(["a"])
    })
  )

  it("reads a large answer in linear time", () => {
    const length = 2 * 2 ** 20
    const answer = Buffer.alloc(24 + length, 7)
    answer.fill(0, 0, 24)
    answer[0] = 0x81
    answer.writeUInt32BE(length, 8)
    const chunks = Array.from({ length: Math.ceil(answer.length / 4096) }, (_, index) =>
      answer.subarray(index * 4096, (index + 1) * 4096)
    )
    const time = (push: (chunk: Buffer) => void) => {
      const started = performance.now()
      for (const chunk of chunks) push(chunk)
      return performance.now() - started
    }
    let read = 0
    const reader = new AnswerReader(({ end, start }) => {
      read += end - start
    })
    // the best of some, as a busy machine may be slow in any of them
    const times = Array.from({ length: 10 }, () => time((chunk) => reader.push(chunk, chunk.length)))
    const server = new Server("127.0.0.1", 0)
    const bare = time((chunk) => server.responseHandler(chunk))
    expect(read).toBe(10 * length)
    expect(Math.min(...times) * 10).toBeLessThan(bare)
  })

  it("reads answers however they are cut, and nothing but answers", () => {
    const values = ["", "a", "b".repeat(23), "c".repeat(24), "d".repeat(1000)]
    const stream = Buffer.concat(
      values.map((value, index) => {
        const answer = Buffer.alloc(24 + value.length)
        answer[0] = 0x81
        answer.writeUInt32BE(value.length, 8)
        answer.writeUInt32BE(index, 12)
        answer.write(value, 24)
        return answer
      })
    )
    for (let size = 1; size <= stream.length; size++) {
      const seen: Array<Buffer> = []
      const reader = new AnswerReader((answer) => seen.push(answer.keep(answer.start)))
      // as a socket does it: each chunk over the one before
      const chunk = Buffer.alloc(size + 1)
      for (let at = 0; at < stream.length; at += size) reader.push(chunk, stream.copy(chunk, 0, at, at + size))
      chunk.fill(0)
      expect(seen.map((kept) => kept.toString("latin1"))).toEqual(values)
    }
    const foreign = Buffer.from("HTTP/1.1 400 Bad Request\r\n\r\n")
    expect(() => new AnswerReader(() => {}).push(foreign, foreign.length)).toThrow(/protocol/)
  })

  it.scopedLive("takes IPv6 addresses and host names", () =>
    Effect.gen(function* () {
      const server = yield* memcached()
      const relay = yield* relayTo(server, "::1")
      yield* ofMemjs(
        Effect.gen(function* () {
          const bare = yield* bareMemjs(`[::1]:${relay.port}`, { retries: 1 })
          expect(yield* outcome(() => bare.get("a"), longerThanAnyTimeout)).not.toBe("settled")
        })
      )
      for (const servers of [`[::1]:${relay.port}`, `localhost:${server.port}`]) {
        const store = yield* storeOn(servers)
        yield* store.write([item("a", "value")])
        expect(yield* readText(store, "a")).toBe("value")
      }
    })
  )
})

describe("memjs, mended, where the whole process is concerned", () => {
  it.scopedLive("writes to Effect's log, not to the console", () =>
    Effect.gen(function* () {
      const port = yield* freePort
      const consoleLog = vi.spyOn(console, "log").mockImplementation(() => {})
      yield* Effect.addFinalizer(() => Effect.sync(() => consoleLog.mockRestore()))
      yield* ofMemjs(
        Effect.gen(function* () {
          const bare = yield* bareMemjs(`127.0.0.1:${port}`, { logger: console, retries: 1 })
          yield* outcome(() => bare.get("a"), longerThanAnyTimeout)
          expect(consoleLog).toHaveBeenCalled()
          consoleLog.mockClear()
        })
      )
      const lines: Array<string> = []
      const logger = Logger.make(({ logLevel, message }) => lines.push(`${logLevel.label} ${message}`))
      yield* Effect.gen(function* () {
        const store = plain(yield* MemcachedStore.make({ servers: `127.0.0.1:${port}` }, freshNamespace()))
        for (let round = 0; round < 20; round++)
          expect(Exit.isFailure(yield* Effect.exit(store.read(["a"])))).toBe(true)
        yield* Effect.sleep(50)
      }).pipe(Effect.provide(Logger.replace(Logger.defaultLogger, logger)), Logger.withMinimumLogLevel(LogLevel.Info))
      expect(consoleLog).not.toHaveBeenCalled()
      expect(lines).toEqual([expect.stringMatching(/^WARN 127\.0\.0\.1:\d+ is down: .*ECONNREFUSED/)])
    })
  )

  it.scopedLive("does not send the credentials it finds in the environment", () =>
    Effect.gen(function* () {
      const server = yield* memcached()
      vi.stubEnv("MEMCACHIER_USERNAME", "somebody")
      vi.stubEnv("MEMCACHIER_PASSWORD", "elsewhere")
      yield* Effect.addFinalizer(() => Effect.sync(() => vi.unstubAllEnvs()))
      const relay = yield* relayTo(server)
      yield* ofMemjs(
        Effect.gen(function* () {
          const bare = yield* bareMemjs(relay.address, { retries: 1 })
          yield* outcome(() => bare.get("a"), 500)
          const asked = Buffer.concat(relay.sent.splice(0))
          expect(asked[1]).toBe(0x20)
        })
      )
      const store = yield* storeOn(relay.address)
      yield* store.read(["a"])
      const sent = Buffer.concat(relay.sent).toString("latin1")
      expect(sent).not.toContain("somebody")
      expect(sent).not.toContain("elsewhere")
      expect(sent.charCodeAt(1)).toBe(0x0a)
    })
  )
})
