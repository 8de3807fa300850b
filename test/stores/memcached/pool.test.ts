import { describe, expect, it } from "@effect/vitest"
import { Effect, Option } from "effect"
import { makeRing } from "../../../src/internal/stores/memcached/client/Ring.js"
import { parseServers } from "../../../src/internal/stores/memcached/client/Servers.js"
import { generationKey } from "../../../src/internal/stores/memcached/generation.js"
import { isKey } from "../../../src/internal/stores/memcached/protocol/request.js"
import { addresses, type MemcachedServer, memcachedPool } from "../../servers/memcached.js"
import { added, eventually, freshNamespace, item, readRecord, readText, readTexts, record, storeOn } from "./support.js"

const brisk = { timeout: 600, retryDelay: 100 }

describe("the keys of generations", () => {
  it("are keys of memcached, however long the names of the namespace and the servers are, and different ones", () => {
    const names = ["a", "/".repeat(97), `${"/".repeat(96)}a`, `${"b".repeat(240)}.example:11211`]
    const keys = names.flatMap((namespace) => [undefined, ...names].map((primary) => generationKey(namespace, primary)))
    expect(keys.filter((key) => !isKey(key))).toEqual([])
    expect(new Set(keys).size).toBe(keys.length)
  })
})

/** Keys that belong to the server at `index`. */
const keysOf = (servers: ReadonlyArray<MemcachedServer>, index: number, count: number) =>
  Effect.map(parseServers(addresses(servers)), (parsed) => {
    const ring = makeRing(parsed)
    return Array.from({ length: 1_000 }, (_, key) => `key-${key}`)
      .filter((key) => ring.primary(key) === index)
      .slice(0, count)
  })

const firstTwo = (servers: ReadonlyArray<MemcachedServer>) => {
  const [first, second] = servers
  return first === undefined || second === undefined
    ? Effect.dieMessage("two servers")
    : Effect.succeed([first, second])
}

const start = Effect.gen(function* () {
  const servers = yield* memcachedPool(2)
  const [first] = yield* firstTwo(servers)
  const keys = yield* keysOf(servers, 0, 3)
  const others = yield* keysOf(servers, 1, 3)
  const [key = ""] = keys
  if (first === undefined) return yield* Effect.dieMessage("no server")
  return { servers: addresses(servers), first, key, keys, others }
})

describe.concurrent("a pool without failover", () => {
  it.scopedLive("fails on a dead server's keys and serves the others'", () =>
    Effect.gen(function* () {
      const { first, keys, others, servers } = yield* start
      const store = yield* storeOn(servers, brisk)
      yield* store.write([...keys, ...others].map((key) => item(key, "value")))
      yield* first.kill
      yield* Effect.sleep(50)
      expect((yield* Effect.flip(store.read(keys))).reason).toBe("Unavailable")
      expect(yield* readTexts(store, ...others)).toEqual(["value", "value", "value"])
      const rejected = yield* store.write([...keys, ...others].map((key) => item(key, "new")))
      expect(rejected.map(({ error, key }) => [key, error.reason])).toEqual(keys.map((key) => [key, "Unavailable"]))
      expect(yield* readTexts(store, ...others)).toEqual(["new", "new", "new"])
      expect((yield* Effect.flip(store.remove([...keys, ...others]))).reason).toBe("Unavailable")
      expect(yield* readTexts(store, ...others)).toEqual([undefined, undefined, undefined])
    })
  )

  it.scopedLive("says so when it could not clear a server, and never reads what that one held when it returns", () =>
    Effect.gen(function* () {
      const { first, key, others, servers } = yield* start
      const store = yield* storeOn(servers, brisk)
      const [other = ""] = others
      yield* store.write([item(key, "old"), item(other, "old")])
      yield* first.freeze
      yield* eventually(Effect.flip(store.read([key])), ({ reason }) => reason === "Unavailable")
      expect((yield* Effect.flip(store.clear)).reason).toBe("Unavailable")
      expect(yield* readText(store, other)).toBeUndefined()
      yield* first.thaw
      yield* eventually(store.read([key]), () => true)
      expect(yield* readText(store, key)).toBeUndefined()
    })
  )

  it.scopedLive("gives back what it held when only the network was gone", () =>
    Effect.gen(function* () {
      const { first, key, servers } = yield* start
      const store = yield* storeOn(servers, brisk)
      yield* store.write([item(key, "value")])
      yield* first.freeze
      yield* eventually(Effect.flip(store.read([key])), ({ reason }) => reason === "Unavailable")
      yield* first.thaw
      yield* eventually(readText(store, key), (text) => text === "value")
    })
  )
})

describe.concurrent("a pool with failover", () => {
  const failover = { ...brisk, failover: true }

  it.scopedLive("uses the next server of the ring while one is down", () =>
    Effect.gen(function* () {
      const { first, key, keys, others, servers } = yield* start
      const store = yield* storeOn(servers, failover)
      yield* store.write(others.map((other) => item(other, "theirs")))
      yield* first.kill
      yield* eventually(readText(store, key), (text) => text === undefined)
      expect(yield* added(store, key, "stand-in")).toBe(true)
      expect(yield* added(store, key, "twice")).toBe(false)
      const { token } = yield* readRecord(store, key)
      expect(Option.isSome(yield* store.replace(key, token, record("replaced")))).toBe(true)
      yield* store.write(keys.slice(1).map((name) => item(name, "written")))
      expect(yield* readTexts(store, ...keys, ...others)).toEqual([
        "replaced",
        "written",
        "written",
        "theirs",
        "theirs",
        "theirs"
      ])
      expect(yield* store.remove(keys)).toBe(3)
      yield* store.write([item(key, "again")])
      yield* store.clear.pipe(Effect.flip)
      expect(yield* readTexts(store, key, ...others)).toEqual([undefined, undefined, undefined, undefined])
    })
  )

  it.scopedLive("revives nothing when a server returns with its memory, nor when it leaves again", () =>
    Effect.gen(function* () {
      const { first, key, servers } = yield* start
      const namespace = freshNamespace()
      const store = yield* storeOn(servers, failover, namespace)
      const sibling = yield* storeOn(servers, failover, namespace)
      const down = eventually(Effect.all([readText(store, key), readText(sibling, key)]), (found) =>
        found.every((text) => text === undefined)
      )
      yield* store.write([item(key, "before the outage")])
      const { token } = yield* readRecord(store, key)
      yield* first.freeze
      yield* down
      expect(Option.isNone(yield* store.replace(key, token, record("over what is not there")))).toBe(true)
      yield* store.write([item(key, "during the outage")])
      expect(yield* readText(sibling, key)).toBe("during the outage")
      yield* sibling.remove([key])
      yield* store.write([item(key, "during the outage, again")])
      yield* first.thaw
      // Back on its own server, whose memory still holds what was removed meanwhile.
      yield* eventually(added(store, key, "after the outage"), (won) => won)
      yield* eventually(readText(sibling, key), (text) => text !== "during the outage, again")
      yield* eventually(added(store, key, "after the outage"), () => true)
      const seen = yield* Effect.all([readText(store, key), readText(sibling, key)])
      expect(seen).toEqual(["after the outage", "after the outage"])

      yield* first.freeze
      yield* eventually(Effect.all([readText(store, key), readText(sibling, key)]), (found) => {
        // The stand-in still holds what it kept in the first outage.
        expect(found.filter((text) => text?.startsWith("during"))).toEqual([])
        return found.every((text) => text === undefined)
      })
      yield* first.thaw
    })
  )
})
