/** Stores of third parties that do not keep the contract: their answers are misses or errors, never defects. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Option } from "effect"
import { ByteStore, CacheBackend, type CacheStore, cached, StoreBackend } from "effect-cached"
import { byteMap } from "../support/byteMap.js"

/** The store with other members. The types forbid what is tried here, hence the casts. */
const broken = (members: Readonly<Record<string, unknown>>): ByteStore.ByteStore =>
  ({ ...byteMap().store, ...members }) as ByteStore.ByteStore

const over = (store: ByteStore.ByteStore) =>
  StoreBackend.layer(Effect.succeed(ByteStore.toCacheStore(store)), { breaker: false })

const some = (answer: unknown) => () => Effect.succeed(answer)

const stores: ReadonlyArray<readonly [string, ByteStore.ByteStore]> = [
  ["reads nothing", broken({ read: some(undefined) })],
  ["reads an object", broken({ read: some({ length: 1 }) })],
  ["reads fewer elements than keys", broken({ read: some([]) })],
  ["reads more elements than keys", broken({ read: some([undefined, undefined, undefined, undefined]) })],
  ["reads null", broken({ read: (keys: ReadonlyArray<string>) => Effect.succeed(keys.map(() => null)) })],
  ["reads texts", broken({ read: (keys: ReadonlyArray<string>) => Effect.succeed(keys.map(() => "text")) })],
  [
    "reads no token",
    broken({ read: (keys: ReadonlyArray<string>) => Effect.succeed(keys.map(() => ({ bytes: new Uint8Array(9) }))) })
  ],
  [
    "reads a token of null",
    broken({
      read: (keys: ReadonlyArray<string>) => Effect.succeed(keys.map(() => ({ token: null, bytes: new Uint8Array(9) })))
    })
  ],
  [
    "reads bytes that are none",
    broken({ read: (keys: ReadonlyArray<string>) => Effect.succeed(keys.map(() => ({ token: 1, bytes: "text" }))) })
  ],
  ["reads no bytes", broken({ read: (keys: ReadonlyArray<string>) => Effect.succeed(keys.map(() => ({ token: 1 }))) })],
  ["returns a promise", broken({ read: () => Promise.resolve([]) })],
  [
    "throws in a read",
    broken({
      read: () => {
        throw new Error("thrown")
      }
    })
  ],
  ["adds nothing", broken({ add: some(undefined) })],
  ["adds without a token", broken({ add: some(Option.some(undefined)) })],
  ["adds true", broken({ add: some(true) })],
  [
    "throws in an add",
    broken({
      add: () => {
        throw new Error("thrown")
      }
    })
  ],
  ["replaces nothing", broken({ replace: some(undefined) })],
  ["writes nothing", broken({ write: some(undefined) })],
  [
    "throws in a write",
    broken({
      write: () => {
        throw new Error("thrown")
      }
    })
  ],
  ["removes nothing", broken({ remove: some(undefined) })],
  [
    "throws in a removal",
    broken({
      remove: () => {
        throw new Error("thrown")
      }
    })
  ]
]

describe("a store that", () => {
  for (const [what, store] of stores) {
    // Live: a caller who can't replace what stands there tries again, for half a second at most.
    it.live(`${what} makes no call die`, () =>
      Effect.gen(function* () {
        const cache = yield* CacheBackend
        let computed = 0
        const count = cached(
          Effect.sync(() => ++computed),
          { key: "count", ttl: "1 hour", groups: ["g"] }
        )
        for (let call = 0; call < 3; call++) assert.isNumber(yield* count)
        const operations = [
          cache.get("a"),
          cache.getMany(["a", "b"]),
          cache.has("a"),
          cache.set("a", 1),
          cache.setMany([["a", 1]]),
          cache.add("b", 1),
          cache.touch("a"),
          cache.increment("a"),
          cache.delete("a"),
          count.invalidate
        ]
        for (const operation of operations) {
          const exit = yield* Effect.exit(operation as Effect.Effect<unknown, unknown>)
          assert.isTrue(Exit.isSuccess(exit) || exit.cause._tag === "Fail", String(exit))
        }
      }).pipe(Effect.provide(over(store)))
    )
  }

  const entries: ReadonlyArray<readonly [string, unknown]> = [
    ["null", null],
    ["a text", "text"],
    ["no groups", { value: undefined, lease: undefined }],
    ["groups that are none", { value: undefined, lease: undefined, groups: [null] }],
    ["a value without times", { value: { payload: 1 }, lease: undefined, groups: [] }],
    [
      "times that JSON made null",
      { value: { payload: 1, freshUntil: null, staleUntil: null, computeMillis: 0 }, groups: [] }
    ],
    [
      "a value fresh until NaN",
      { value: { payload: 1, freshUntil: Number.NaN, staleUntil: 9e12, computeMillis: 0 }, groups: [] }
    ],
    ["a lease of null", { value: undefined, lease: null, groups: [] }],
    ["a lease without an id", { value: undefined, lease: { until: 9e12 }, groups: [] }]
  ]
  for (const [what, entry] of entries) {
    it.effect(`reads as an entry ${what} has a miss there, which is overwritten`, () =>
      Effect.gen(function* () {
        const kept = new Map<string, { readonly token: unknown; readonly entry: unknown }>()
        const put = (key: string, entry: unknown) => {
          const token = Symbol(key)
          kept.set(key, { token, entry })
          return Option.some(token)
        }
        const store = {
          name: "entries",
          location: "process",
          payloads: "references",
          read: (keys: ReadonlyArray<string>) => Effect.sync(() => keys.map((key) => kept.get(key))),
          write: () => Effect.succeed([]),
          add: (key: string, entry: unknown) => Effect.sync(() => (kept.has(key) ? Option.none() : put(key, entry))),
          replace: (key: string, token: unknown, entry: unknown) =>
            Effect.sync(() => (kept.get(key)?.token === token ? put(key, entry) : Option.none())),
          remove: () => Effect.succeed(0),
          clear: Effect.void
        } as unknown as CacheStore.CacheStore
        const program = Effect.gen(function* () {
          const cache = yield* CacheBackend
          let computed = 0
          const count = cached(
            Effect.sync(() => ++computed),
            { key: "count", ttl: "1 hour" }
          )
          assert.strictEqual(yield* count, 1)
          for (const key of kept.keys()) put(key, entry)
          assert.deepStrictEqual(yield* cache.get(count.cacheKey), Option.none())
          assert.strictEqual(yield* count, 2)
          assert.strictEqual(yield* count, 2)
        })
        yield* Effect.provide(program, StoreBackend.layer(Effect.succeed(store)))
      })
    )
  }
})
