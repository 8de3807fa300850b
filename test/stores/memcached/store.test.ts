import { describe, expect, it } from "@effect/vitest"
import { Effect, Option } from "effect"
import { memcachedServers } from "../../servers/memcached.js"
import { added, freshNamespace, item, readRecord, readText, readTexts, record, storeOn } from "./support.js"

for (const servers of [1, 3]) {
  describe(`the six primitives on ${servers} memcached`, () => {
    const fresh = Effect.flatMap(memcachedServers(servers), (given) => storeOn(given))

    it.scopedLive("reads what was written, in order, and nothing where nothing was", () =>
      Effect.gen(function* () {
        const store = yield* fresh
        const items = Array.from({ length: 200 }, (_, index) => item(`key-${index}`, `value ${index}`))
        expect(yield* store.write(items)).toEqual([])
        const keys = items.map(({ key }) => key).reverse()
        const found = yield* readTexts(store, "nothing", ...keys, "nowhere")
        expect(found).toEqual([undefined, ...items.map((_, index) => `value ${index}`).reverse(), undefined])
        expect(yield* store.read([])).toEqual([])
      })
    )

    it.scopedLive("takes any byte, also none, and the last of two items with the same key", () =>
      Effect.gen(function* () {
        const store = yield* fresh
        const all = Uint8Array.from({ length: 256 }, (_, byte) => byte)
        yield* store.write([item("all", all), item("none", ""), item("twice", "first"), item("twice", "last")])
        const [found] = yield* store.read(["all"])
        expect(Uint8Array.from(found?.bytes ?? [])).toEqual(all)
        expect(yield* readTexts(store, "none", "twice")).toEqual(["", "last"])
      })
    )

    it.scopedLive("adds only where nothing lives", () =>
      Effect.gen(function* () {
        const store = yield* fresh
        expect(yield* added(store, "a", "one")).toBe(true)
        expect(yield* added(store, "a", "two")).toBe(false)
        yield* store.remove(["a"])
        expect(yield* added(store, "a", "three")).toBe(true)
        expect(yield* readText(store, "a")).toBe("three")
      })
    )

    it.scopedLive("replaces only the record that was read, and hands on a new token", () =>
      Effect.gen(function* () {
        const store = yield* fresh
        const first = Option.getOrThrow(yield* store.add("a", record("one")))
        const second = Option.getOrThrow(yield* store.replace("a", first, record("two")))
        expect(Option.isNone(yield* store.replace("a", first, record("old token")))).toBe(true)
        expect(Option.isSome(yield* store.replace("a", second, record("three")))).toBe(true)
        const { token } = yield* readRecord(store, "a")
        yield* store.write([item("a", "four")])
        expect(Option.isNone(yield* store.replace("a", token, record("after a write")))).toBe(true)
        const removed = yield* readRecord(store, "a")
        yield* store.remove(["a"])
        expect(Option.isNone(yield* store.replace("a", removed.token, record("after a removal")))).toBe(true)
        yield* store.write([item("a", "five")])
        expect(Option.isNone(yield* store.replace("a", removed.token, record("created again")))).toBe(true)
        expect(Option.isNone(yield* store.replace("a", "no token of ours", record("foreign")))).toBe(true)
        expect(yield* readText(store, "a")).toBe("five")
      })
    )

    it.scopedLive("counts the records that lived when it removes them", () =>
      Effect.gen(function* () {
        const store = yield* fresh
        yield* store.write(Array.from({ length: 20 }, (_, index) => item(`key-${index}`, "value")))
        const keys = Array.from({ length: 30 }, (_, index) => `key-${index}`)
        expect(yield* store.remove(keys)).toBe(20)
        expect(yield* store.remove(keys)).toBe(0)
        expect(yield* store.remove([])).toBe(0)
      })
    )

    it.scopedLive("clears its own namespace, and what was cleared counts as absent for every operation", () =>
      Effect.gen(function* () {
        const given = yield* memcachedServers(servers)
        const namespace = freshNamespace()
        const store = yield* storeOn(given, {}, namespace)
        const sibling = yield* storeOn(given, {}, namespace)
        const stranger = yield* storeOn(given, {})
        const keys = Array.from({ length: 30 }, (_, index) => `key-${index}`)
        yield* store.write(keys.map((key) => item(key, "mine")))
        yield* stranger.write(keys.map((key) => item(`other-${key}`, "theirs")))
        const token = (yield* readRecord(store, "key-0")).token
        const siblings = (yield* readRecord(sibling, "key-1")).token
        yield* sibling.clear

        expect(new Set(yield* readTexts(store, ...keys))).toEqual(new Set([undefined]))
        expect(new Set(yield* readTexts(stranger, ...keys.map((key) => `other-${key}`)))).toEqual(new Set(["theirs"]))
        expect(yield* store.remove(["key-5"])).toBe(0)
        expect(Option.isNone(yield* store.replace("key-0", token, record("computed before")))).toBe(true)
        expect(Option.isNone(yield* sibling.replace("key-1", siblings, record("computed before")))).toBe(true)
        expect(yield* readTexts(store, "key-0", "key-1")).toEqual([undefined, undefined])

        const winners = yield* Effect.all(
          Array.from({ length: 32 }, (_, index) => added(index % 2 === 0 ? store : sibling, "key-2", `${index}`)),
          { concurrency: "unbounded" }
        )
        expect(winners.filter((won) => won)).toHaveLength(1)
        expect(yield* readText(store, "key-2")).toBe(`${winners.indexOf(true)}`)
        yield* store.write([item("key-3", "new")])
        expect(yield* readTexts(sibling, "key-2", "key-3", "key-4")).toEqual([
          `${winners.indexOf(true)}`,
          "new",
          undefined
        ])
      })
    )

    it.scopedLive("writes under the present generation, also right after another process cleared", () =>
      Effect.gen(function* () {
        const given = yield* memcachedServers(servers)
        const namespace = freshNamespace()
        const store = yield* storeOn(given, {}, namespace)
        const other = yield* storeOn(given, {}, namespace)
        for (let round = 0; round < 20; round++) {
          yield* store.write([item("a", `${round}`)])
          yield* other.clear
          expect(yield* added(store, "a", `added ${round}`)).toBe(true)
          expect(yield* added(other, "a", "too late")).toBe(false)
          yield* other.clear
          yield* store.write([item("a", `written ${round}`)])
          expect(yield* readText(other, "a")).toBe(`written ${round}`)
        }
      })
    )

    it.scopedLive("refuses keys that memcached does not take", () =>
      Effect.gen(function* () {
        const store = yield* fresh
        for (const key of ["", "k".repeat(251), "a b", "é", "a\n"]) {
          for (const operation of [
            store.read([key, "fine"]),
            store.write([item(key, "value")]),
            store.add(key, record("value")),
            store.replace(key, undefined, record("value")),
            store.remove([key])
          ]) {
            expect(
              (yield* Effect.flip(Effect.asVoid<unknown, Error & { reason?: string }, never>(operation))).reason
            ).toBe("InvalidKey")
          }
        }
        yield* store.write([item("k".repeat(250), "longest")])
        expect(yield* readText(store, "k".repeat(250))).toBe("longest")
      })
    )
  })
}
