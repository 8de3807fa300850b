import { assert, describe, it } from "@effect/vitest"
import { Effect, Option, TestClock } from "effect"
import { type ByteItem, type ByteRecord, type ByteStore, toCacheStore } from "../../src/ByteStore.js"
import { CacheError } from "../../src/CacheError.js"
import type { Entry } from "../../src/CacheStore.js"

/** Remembers what it was told. A class, because drivers may be classes. */
class Recorder implements ByteStore {
  readonly name = "recorder"
  readonly records = new Map<string, ByteRecord>()
  readonly calls: Array<unknown> = []

  read(keys: ReadonlyArray<string>) {
    return Effect.sync(() =>
      keys.map((key) => {
        const record = this.records.get(key)
        return record && { token: `token of ${key}`, bytes: record.bytes }
      })
    )
  }

  write(items: ReadonlyArray<ByteItem>) {
    return Effect.sync(() => {
      for (const { key, record } of items) this.records.set(key, record)
      return [{ key: "rejected", error: new CacheError({ reason: "TooLarge", operation: "write", description: "x" }) }]
    })
  }

  add(key: string, record: ByteRecord) {
    return Effect.sync(() => {
      if (this.records.has(key)) return Option.none()
      this.records.set(key, record)
      return Option.some("added")
    })
  }

  replace(key: string, token: unknown, record: ByteRecord) {
    return Effect.sync(() => {
      this.calls.push(["replace", key, token])
      this.records.set(key, record)
      return Option.some("replaced")
    })
  }

  remove(keys: ReadonlyArray<string>) {
    return Effect.sync(() => keys.filter((key) => this.records.delete(key)).length)
  }

  get clear() {
    return Effect.sync(() => this.records.clear())
  }
}

const valueUntil = (freshUntil: number, staleUntil: number): Entry => ({
  value: { payload: Uint8Array.of(1), freshUntil, staleUntil, computeMillis: 1 },
  lease: undefined,
  groups: [{ key: "g", version: "1" }]
})

const lease: Entry = { value: undefined, lease: { id: "c", until: 5000 }, groups: [] }

const withoutView = (entry: Entry | undefined) =>
  entry && { ...entry, value: entry.value && { ...entry.value, payload: [...(entry.value.payload as Uint8Array)] } }

describe("toCacheStore", () => {
  it.effect("writes entries with the time they have left on Effect's clock", () =>
    Effect.gen(function* () {
      const recorder = new Recorder()
      const store = toCacheStore(recorder)
      yield* TestClock.adjust("1 second")
      const rejected = yield* store.write([
        { key: "stale later", entry: valueUntil(2000, 4000) },
        { key: "leased longer", entry: { ...valueUntil(2000, 3000), lease: { id: "c", until: 9000 } } },
        { key: "lease", entry: lease },
        { key: "for ever", entry: valueUntil(1, Number.POSITIVE_INFINITY) },
        { key: "expired", entry: valueUntil(1, 2) },
        { key: "a fraction", entry: valueUntil(1, 1500.25) }
      ])
      assert.deepStrictEqual(
        [...recorder.records].map(([key, { lifetime }]) => [key, lifetime]),
        [
          ["stale later", 3000],
          ["leased longer", 8000],
          ["lease", 4000],
          ["for ever", Number.POSITIVE_INFINITY],
          ["expired", 1],
          ["a fraction", 501]
        ]
      )
      assert.deepStrictEqual(
        rejected.map(({ key }) => key),
        ["rejected"]
      )
      yield* store.add("added", lease)
      yield* store.replace("replaced", "token", valueUntil(2000, 4000))
      assert.strictEqual(recorder.records.get("added")?.lifetime, 4000)
      assert.strictEqual(recorder.records.get("replaced")?.lifetime, 3000)
      assert.deepStrictEqual(recorder.calls, [["replace", "replaced", "token"]])
    })
  )

  it.effect("reads in order what it wrote, and bytes that it does not understand as no entry", () =>
    Effect.gen(function* () {
      const recorder = new Recorder()
      const store = toCacheStore(recorder)
      const entry = valueUntil(2000, 4000)
      yield* store.write([
        { key: "a", entry },
        { key: "b", entry: lease }
      ])
      recorder.records.set("foreign", { bytes: new TextEncoder().encode("foreign"), lifetime: 1 })
      const read = yield* store.read(["b", "missing", "foreign", "a"])
      assert.deepStrictEqual(
        read.map((stored) => stored && { token: stored.token, entry: withoutView(stored.entry) }),
        [
          { token: "token of b", entry: withoutView(lease) },
          undefined,
          { token: "token of foreign", entry: undefined },
          { token: "token of a", entry: withoutView(entry) }
        ]
      )
    })
  )

  it.effect("passes on the answers of the driver", () =>
    Effect.gen(function* () {
      const recorder = new Recorder()
      const store = toCacheStore(recorder)
      assert.strictEqual(store.name, "recorder")
      assert.strictEqual(store.payloads, "bytes")
      assert.isFalse("size" in store)
      assert.deepStrictEqual(yield* store.add("a", lease), Option.some("added"))
      assert.deepStrictEqual(yield* store.add("a", lease), Option.none())
      assert.deepStrictEqual(yield* store.replace("a", "t", lease), Option.some("replaced"))
      yield* store.add("b", lease)
      assert.strictEqual(yield* store.remove(["a", "missing"]), 1)
      yield* store.clear
      assert.strictEqual(recorder.records.size, 0)
      const size = Effect.succeed({ entries: Option.some(1), bytes: Option.none(), evictions: Option.none() })
      const sized = toCacheStore(Object.assign(new Recorder(), { size }))
      assert.strictEqual(sized.size, size)
    })
  )
})
