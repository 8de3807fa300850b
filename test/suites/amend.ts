/** The optional primitive `amend` of a store that keeps bytes. */
import { expect } from "@effect/vitest"
import { Effect, Option } from "effect"
import type { ByteRecord, ByteStore } from "../../src/ByteStore.js"

const body = Buffer.from(Array.from({ length: 3_000 }, (_, index) => (index * 7) % 256))
/** Of different lengths, with zeros and bytes that are no UTF-8. */
const heads = [Buffer.alloc(0), Buffer.from("head"), Buffer.from([0, 255, 0, 192, 39, 92, 10]), Buffer.alloc(200, 1)]

const recordOf = (head: Uint8Array, rest: Uint8Array = body, lifetime = 60_000): ByteRecord => ({
  bytes: Buffer.concat([head, rest]),
  lifetime
})

const amended = (head: Uint8Array, replaces: number, rest: Uint8Array = body, lifetime = 60_000) => ({
  ...recordOf(head, rest, lifetime),
  head: head.length,
  replaces
})

const bytesOf = (store: ByteStore, key: string) =>
  Effect.map(store.read([key]), ([found]) => (found === undefined ? undefined : Buffer.from(found.bytes)))

/** The primitive, which the store must have. */
export const amendOf = (store: ByteStore): NonNullable<ByteStore["amend"]> => {
  if (store.amend === undefined) throw new Error("the store has no amend")
  return store.amend
}

/** @param keyOf a key of the store */
export const amends = (store: ByteStore, keyOf: (name: string) => string) =>
  Effect.gen(function* () {
    const amend = amendOf(store)
    const key = keyOf("amended")
    let token = Option.getOrThrow(yield* store.add(key, recordOf(heads[0] ?? body)))
    let before = 0
    for (const head of [...heads, ...heads.toReversed()]) {
      const next = yield* amend(key, token, amended(head, before))
      expect(yield* bytesOf(store, key)).toEqual(Buffer.concat([head, body]))
      expect(yield* amend(key, token, amended(head, before))).toEqual(Option.none())
      expect(yield* store.replace(key, token, recordOf(head))).toEqual(Option.none())
      before = head.length
      // The token that was returned, or the one that is read: both are the current one.
      const [found] = yield* store.read([key])
      token = before % 2 === 0 ? found?.token : Option.getOrThrow(next)
    }
    // An empty body, and a record that is all new.
    const empty = Buffer.alloc(0)
    const short = Option.getOrThrow(yield* store.add(keyOf("short"), recordOf(Buffer.from("abc"), empty)))
    yield* amend(keyOf("short"), short, amended(Buffer.from("x"), 3, empty))
    expect(yield* bytesOf(store, keyOf("short"))).toEqual(Buffer.from("x"))

    // What is gone, expired or of nobody is not amended.
    expect(yield* amend(keyOf("none"), token, amended(heads[1] ?? body, 0))).toEqual(Option.none())
    expect(yield* amend(key, undefined, amended(heads[1] ?? body, before))).toEqual(Option.none())
    yield* store.remove([key])
    expect(yield* amend(key, token, amended(heads[1] ?? body, before))).toEqual(Option.none())
    expect(yield* bytesOf(store, key)).toBeUndefined()

    // The lifetime is the new one.
    const brief = Option.getOrThrow(yield* store.add(keyOf("brief"), recordOf(empty, body, 60_000)))
    expect(Option.isSome(yield* amend(keyOf("brief"), brief, amended(empty, 0, body, 30)))).toBe(true)
    yield* Effect.sleep("100 millis")
    expect(yield* bytesOf(store, keyOf("brief"))).toBeUndefined()
    const lasting = Option.getOrThrow(yield* store.add(keyOf("lasting"), recordOf(empty, body, 500)))
    yield* amend(keyOf("lasting"), lasting, amended(empty, 0, body, Number.POSITIVE_INFINITY))
    yield* Effect.sleep("600 millis")
    expect(yield* bytesOf(store, keyOf("lasting"))).toEqual(body)

    // Many at once, of which each key has two that know the same token: one of them wins.
    const keys = Array.from({ length: 40 }, (_, index) => keyOf(`many-${index}`))
    const results = yield* Effect.forEach(
      keys,
      (each, index) =>
        Effect.gen(function* () {
          const own = Buffer.from(`body ${index}`)
          const mine = Option.getOrThrow(yield* store.add(each, recordOf(Buffer.from("old"), own)))
          return yield* Effect.all(
            [
              amend(each, mine, amended(Buffer.from("one"), 3, own)),
              amend(each, mine, amended(Buffer.from("two!"), 3, own))
            ],
            { concurrency: 2 }
          )
        }),
      { concurrency: "unbounded" }
    )
    const found = yield* store.read(keys)
    for (const [index, [one, two]] of results.entries()) {
      expect([Option.isSome(one), Option.isSome(two)].filter(Boolean)).toHaveLength(1)
      const text = Buffer.from(found[index]?.bytes ?? []).toString()
      expect(text).toBe(`${Option.isSome(one) ? "one" : "two!"}body ${index}`)
    }
  })

export { amended, body, bytesOf, recordOf }
