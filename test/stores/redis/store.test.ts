import { describe, expect, it, vi } from "@effect/vitest"
import { Effect, Exit, Option, Schedule } from "effect"
import { CacheBackend, cached, invalidateGroup } from "effect-cached"
import * as RedisBackend from "effect-cached/RedisBackend"
import { withFiber } from "../../../src/internal/runtime/fiber.js"
import { unfused } from "../../../src/internal/stores/fused.js"
import { redis } from "../../servers/redis.js"
import { amended, amendOf, amends, bytesOf, recordOf } from "../../suites/amend.js"
import { calls, freshNamespace, item, readTexts, storeOn, write } from "./support.js"

describe("the store on Redis", () => {
  it.scopedLive("answers a hit in groups with one MGET, and the hits of one moment with the same", () =>
    Effect.gen(function* () {
      const server = yield* redis()
      const f = cached((id: number) => Effect.succeed(`value ${id}`), {
        key: "grouped",
        groups: (id) => ["all", `shelf ${id % 3}`]
      })
      yield* Effect.gen(function* () {
        yield* Effect.forEach([1, 2, 3, 4], (id) => f(id))
        const before = yield* calls(server, "mget")
        yield* f(1)
        expect((yield* calls(server, "mget")) - before).toBe(1)
        yield* Effect.forEach([1, 2, 3, 4, 1, 2], (id) => f(id), { concurrency: "unbounded" })
        expect((yield* calls(server, "mget")) - before).toBe(2)
        expect(yield* calls(server, "get")).toBeLessThan(20)
      }).pipe(Effect.provide(RedisBackend.layer({ url: server.url })))
    })
  )

  it.scopedLive("clears its namespace with one write, whatever the number of entries, and no other one", () =>
    Effect.gen(function* () {
      const server = yield* redis()
      const [store, neighbour] = [yield* storeOn(server.url, "one"), yield* storeOn(server.url, "two")]
      yield* write(store, ...Array.from({ length: 5_000 }, (_, index) => item(`key${index}`, "mine")))
      yield* write(neighbour, item("other", "theirs"))
      const before = yield* calls(server, "set")
      yield* store.clear
      expect((yield* calls(server, "set")) - before).toBe(1)
      expect(yield* readTexts(store, "key0", "key4999")).toEqual([undefined, undefined])
      expect(yield* readTexts(neighbour, "other")).toEqual(["theirs"])
      // What was written before the clear can't come back by it.
      yield* write(store, item("key0", "new"))
      expect(yield* readTexts(store, "key0", "key1")).toEqual(["new", undefined])
    })
  )

  it.scopedLive("amend puts a new head before the rest, which stays where it is", () =>
    Effect.gen(function* () {
      const server = yield* redis()
      const store = yield* storeOn(server.url)
      const plain = { ...store, read: unfused(store.read), write: unfused(store.write) }
      yield* amends(plain, (name) => name)
      const token = Option.getOrThrow(yield* plain.add("cleared", recordOf(Buffer.from("a"))))
      yield* plain.clear
      expect(yield* amendOf(plain)("cleared", token, amended(Buffer.from("b"), 1))).toEqual(Option.none())
      expect(yield* bytesOf(plain, "cleared")).toBeUndefined()
    })
  )

  // Those that node-redis 6 starts by default take ten times as long as the command; the store has a time limit of its own.
  it.scopedLive("starts no timer for each command", () =>
    Effect.gen(function* () {
      const server = yield* redis()
      const store = yield* storeOn(server.url)
      const timers = vi.spyOn(AbortSignal, "timeout")
      yield* Effect.addFinalizer(() => Effect.sync(() => timers.mockRestore()))
      yield* write(store, item("a", "1"))
      expect(yield* readTexts(store, "a")).toEqual(["1"])
      expect(yield* store.remove(["a"])).toBe(1)
      yield* store.clear
      expect(timers).not.toHaveBeenCalled()
    })
  )

  it.scopedLive("does not matter to others that one caller throws over its answer", () =>
    Effect.gen(function* () {
      const server = yield* redis()
      const store = yield* storeOn(server.url)
      yield* write(store, item("a", "value"))
      const throws = (): never => {
        throw new Error("no use for it")
      }
      const read = <A>(onFound: () => Effect.Effect<A>) =>
        withFiber((fiber) => store.read(fiber, ["a"], onFound, Effect.die))
      const peaceful = read(() => Effect.succeed("found"))
      const outcomes = yield* Effect.all([peaceful, read(throws), peaceful].map(Effect.exit), {
        concurrency: "unbounded"
      }).pipe(Effect.timeout("10 seconds"))
      expect(outcomes).toEqual([Exit.succeed("found"), Exit.die(new Error("no use for it")), Exit.succeed("found")])
    })
  )

  it.scopedLive("loads its scripts anew after SCRIPT FLUSH", () =>
    Effect.gen(function* () {
      const server = yield* redis()
      const store = yield* storeOn(server.url)
      const record = { bytes: Buffer.from("a"), lifetime: 60_000 }
      yield* write(store, item("a", "1"))
      yield* server.ask("SCRIPT", "FLUSH")
      yield* write(store, item("a", "2"))
      expect(yield* readTexts(store, "a")).toEqual(["2"])
      yield* server.ask("SCRIPT", "FLUSH")
      expect(Option.isNone(yield* store.add("a", record))).toBe(true)
      yield* server.ask("SCRIPT", "FLUSH")
      const [found] = yield* unfused(store.read)(["a"])
      expect(Option.isSome(yield* store.replace("a", found?.token, record))).toBe(true)
      yield* server.ask("SCRIPT", "FLUSH")
      expect(yield* store.remove(["a"])).toBe(1)
    })
  )

  it.scopedLive("takes values of another program or type under its keys for none, and overwrites them", () =>
    Effect.gen(function* () {
      const server = yield* redis()
      const namespace = freshNamespace()
      const store = yield* storeOn(server.url, namespace)
      yield* write(store, item("mine", "value"))
      yield* server.ask("SET", "text", "foreign")
      yield* server.ask("LPUSH", "list", "1", "2")
      yield* server.ask("SET", "empty", "")
      const keys = ["text", "list", "empty"]
      expect(yield* readTexts(store, ...keys)).toEqual([undefined, undefined, undefined])
      expect(yield* store.remove(["empty"])).toBe(0)
      for (const key of keys) {
        expect(Option.isSome(yield* store.add(key, item(key, "added").record))).toBe(true)
      }
      expect(yield* readTexts(store, ...keys)).toEqual(["added", "added", "added"])

      // The generation's key as well: everything is a miss, and works again.
      const generationKey = `effect-cached!generation:${namespace}`
      yield* server.ask("DEL", generationKey)
      yield* server.ask("LPUSH", generationKey, "1")
      expect(yield* readTexts(store, "mine")).toEqual([undefined])
      yield* write(store, item("mine", "again"))
      expect(yield* readTexts(store, "mine", "text")).toEqual(["again", undefined])
    })
  )

  it.scopedLive("of which an eviction gives only misses, also of the generation", () =>
    Effect.gen(function* () {
      const server = yield* redis(["--maxmemory", "4mb", "--maxmemory-policy", "allkeys-random"])
      const store = yield* storeOn(server.url)
      const valueOf = (index: number) => `${index}:`.repeat(300)
      let misses = 0
      for (let round = 0; round < 60; round++) {
        const indices = Array.from({ length: 100 }, (_, index) => round * 100 + index)
        yield* write(store, ...indices.map((index) => item(`key-${index}`, valueOf(index))))
        const sample = Array.from({ length: 100 }, (_, index) => (index * 61 + round) % ((round + 1) * 100))
        const found = yield* readTexts(store, ...sample.map((index) => `key-${index}`))
        found.forEach((text, place) => {
          if (text === undefined) misses++
          else expect(text).toBe(valueOf(sample[place] ?? -1))
        })
      }
      expect(misses).toBeGreaterThan(0)
      expect(Number(/evicted_keys:(\d+)/.exec(yield* server.ask("INFO", "stats"))?.[1])).toBeGreaterThan(100)
    })
  )

  it.scopedLive("keeps for ever what has no end, and nothing beyond its lifetime", () =>
    Effect.gen(function* () {
      const server = yield* redis()
      const store = yield* storeOn(server.url)
      yield* write(store, item("endless", "e", Number.POSITIVE_INFINITY), item("short", "s", 30), item("minute", "m"))
      expect(yield* server.ask("PTTL", "endless")).toBe(":-1")
      expect(yield* server.ask("PTTL", "minute")).toMatch(/^:5\d{4}$|^:60000$/)
      yield* Effect.sleep("60 millis")
      expect(yield* readTexts(store, "endless", "short", "minute")).toEqual(["e", undefined, "m"])
    })
  )

  it.scopedLive("writes and removes thousands of entries, and large ones", () =>
    Effect.gen(function* () {
      const server = yield* redis()
      const store = yield* storeOn(server.url)
      const many = Array.from({ length: 12_000 }, (_, index) => item(`k${index}`, `${index}`))
      const large = item("large", "x".repeat(20 * 1024 * 1024))
      yield* write(store, ...many, large)
      const keys = many.map(({ key }) => key)
      const found = yield* readTexts(store, ...keys, "large")
      expect(found.slice(0, -1)).toEqual(many.map((_, index) => `${index}`))
      expect(found.at(-1)?.length).toBe(20 * 1024 * 1024)
      expect(yield* store.remove([...keys, "large", "absent"])).toBe(12_001)
      expect(yield* readTexts(store, "k0", "k11999")).toEqual([undefined, undefined])
    })
  )
})

describe("invalidations that wait for replicas", () => {
  it.scopedLive("fail where too few replicas have them, and succeed with enough", () =>
    Effect.gen(function* () {
      const server = yield* redis()
      const cache = Effect.gen(function* () {
        const backend = yield* CacheBackend
        yield* backend.set("a", 1)
        return yield* Effect.either(backend.delete("a"))
      }).pipe(Effect.provide(RedisBackend.layer({ url: server.url, wait: { replicas: 1, timeout: "1 second" } })))
      const lonely = yield* cache
      expect(lonely).toMatchObject({ _tag: "Left", left: { _tag: "CacheError", reason: "Unavailable" } })
      const replica = yield* redis()
      yield* replica.ask("REPLICAOF", server.host, `${server.port}`)
      yield* Effect.repeat(server.ask("INFO", "replication"), {
        until: (info) => info.includes("state=online"),
        schedule: Schedule.spaced("50 millis")
      })
      expect(yield* cache).toMatchObject({ _tag: "Right", right: true })
      yield* invalidateGroup("g").pipe(Effect.provide(RedisBackend.layer({ url: server.url, wait: { replicas: 1 } })))
    })
  )
})
