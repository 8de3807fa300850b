/**
 * What anybody who may write into the store can leave there: another function's record, a forged lease, torn and damaged bytes.
 * Each is a miss that is overwritten. No call fails, dies or waits because of it.
 */
import { expect, it } from "@effect/vitest"
import { Deferred, Effect, Either, Fiber, type Layer, Option, type Scope } from "effect"
import { CacheBackend, cached } from "effect-cached"
import { Keyspace } from "../../src/internal/entries/keyspace.js"
import { forge, v8Bomb } from "../support/forge.js"

/** The bytes of records, written and read past the library. */
export interface RawRecords {
  readonly read: (key: string) => Effect.Effect<Buffer>
  readonly write: (key: string, bytes: Uint8Array) => Effect.Effect<unknown>
}

export interface HostileGround {
  readonly raw: RawRecords
  /** A backend of the namespace `hostile`. */
  readonly layer: Layer.Layer<CacheBackend, unknown>
}

/** No call may wait for a lease that lasts an hour. */
const answered = <A, E, R>(call: Effect.Effect<A, E, R>) => Effect.timeout(call, "60 seconds")

const later = 4e12
const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value))

/** What stands under a key, by the key and what `cached` had stored there. */
const damages = (key: string, group: string): ReadonlyArray<readonly [string, (good: Buffer) => Uint8Array]> => [
  ["nothing at all", () => Buffer.alloc(0)],
  ["half of the record", (good) => good.subarray(0, good.length / 2)],
  ["the record without its last byte", (good) => good.subarray(0, -1)],
  ["the record and a byte more", (good) => Buffer.concat([good, Buffer.of(0)])],
  ["a record of format version 1", () => forge({ version: 1, key, payload: json(-1) })],
  [
    "a record of format version 1 of this group",
    () => forge({ version: 1, key, payload: json(-1), groups: [[group, "x"]] })
  ],
  ["a lease of format version 1", () => forge({ version: 1, key, lease: { id: "x", until: later } })],
  ["the record of another key", () => forge({ key: `${key}1`, payload: json(-1) })],
  ["the lease of another key", () => forge({ key: `${key}1`, lease: { id: "x", until: later } })],
  ["a lease until NaN", () => forge({ key, lease: { id: "x", until: Number.NaN } })],
  ["a lease with an id of 70,000 characters", () => forge({ key, lease: { id: "x".repeat(70_000), until: later } })],
  ["a value that is fresh until NaN", () => forge({ key, payload: json(-1), freshUntil: Number.NaN })],
  [
    "a value with a group version of 70,000 characters",
    () => forge({ key, payload: json(-1), groups: [[group, "x".repeat(70_000)]] })
  ],
  [
    "65,535 groups",
    () => forge({ key, payload: json(-1), groups: Array.from({ length: 65_535 }, () => ["g", "x"] as const) })
  ],
  ["a value of V8 that takes 1 GB", () => forge({ key, payload: v8Bomb, groups: [] })],
  ["a value of V8 that takes 1 GB, in format version 1", () => forge({ version: 1, key, payload: v8Bomb })]
]

export const hostileNamespace = "hostile"

export const hostileRecords = (ground: Effect.Effect<HostileGround, unknown, Scope.Scope>): void => {
  const start = Effect.map(ground, ({ layer, raw }) => {
    const names = Keyspace.under(hostileNamespace, 1)
    let computed = 0
    const counter = (key: string) =>
      cached((id: number) => Effect.sync(() => ({ [key]: id, computed: ++computed })), {
        key,
        ttl: "1 hour",
        lease: "1 hour",
        groups: ["counters"]
      })
    return {
      names,
      provide: Effect.provide(layer),
      raw,
      counter,
      group: Either.getOrThrow(names.group("test", "counters"))
    }
  })

  it.scopedLive("each damaged or forged record is a miss that is overwritten", () =>
    Effect.gen(function* () {
      const { counter, group, names, provide, raw } = yield* start
      const count = counter("damaged")
      const key = names.finish(count.cacheKey(1))
      yield* provide(
        Effect.gen(function* () {
          for (const [what, damage] of damages(key, group)) {
            const before = yield* answered(count(1))
            const bytes = damage(yield* raw.read(key))
            yield* raw.write(key, bytes)
            const after = yield* answered(count(1))
            expect(after["computed"], what).toBe((before["computed"] ?? 0) + 1)
            expect((yield* raw.read(key)).equals(bytes), what).toBe(false)
            expect(yield* answered(count(1)), what).toEqual(after)
          }
        })
      )
    })
  )

  it.scopedLive("each is nothing to the direct operations, which overwrite it too", () =>
    Effect.gen(function* () {
      const { group, names, provide, raw } = yield* start
      const key = names.finish("direct")
      yield* provide(
        Effect.gen(function* () {
          const cache = yield* CacheBackend
          const spaced = forge({ key, payload: json(-1), groups: [["a b", "x"]] })
          const all = [...damages(key, group), ["a group whose key has a space", () => spaced] as const]
          for (const [what, damage] of all) {
            yield* cache.set("direct", "good")
            yield* raw.write(key, damage(yield* raw.read(key)))
            expect(yield* answered(cache.get("direct")), what).toEqual(Option.none())
            expect(yield* answered(cache.add("direct", "added")), what).toBe(true)
            expect(yield* answered(cache.get("direct")), what).toEqual(Option.some("added"))
          }
        })
      )
    })
  )

  it.scopedLive("an array of V8 is not read, whatever it would take", () =>
    Effect.gen(function* () {
      const { names, provide, raw } = yield* start
      const key = names.finish("bomb")
      yield* provide(
        Effect.gen(function* () {
          const cache = yield* CacheBackend
          for (const version of [1, 2] as const) {
            yield* cache.set("bomb", "good")
            yield* raw.write(key, forge({ version, key, payload: v8Bomb }))
            const before = process.memoryUsage().rss
            expect(yield* cache.get("bomb")).toEqual(Option.none())
            expect(process.memoryUsage().rss - before).toBeLessThan(200 * 2 ** 20)
          }
        })
      )
    })
  )

  it.scopedLive("a record copied under the key of another function does not answer for it", () =>
    Effect.gen(function* () {
      const { counter, names, provide, raw } = yield* start
      const [mine, others] = [counter("mine"), counter("others")]
      yield* provide(
        Effect.gen(function* () {
          yield* others(1)
          yield* mine(1)
          yield* raw.write(names.finish(mine.cacheKey(1)), yield* raw.read(names.finish(others.cacheKey(1))))
          const own = yield* answered(mine(1))
          expect(own).toHaveProperty("mine")
          expect(yield* answered(mine(1))).toEqual(own)
          yield* raw.write(names.finish("direct"), yield* raw.read(names.finish(others.cacheKey(1))))
          expect(yield* (yield* CacheBackend).get("direct")).toEqual(Option.none())
        })
      )
    })
  )

  it.scopedLive("a lease copied under another key makes nobody wait", () =>
    Effect.gen(function* () {
      const { counter, names, provide, raw } = yield* start
      const other = counter("copied")
      yield* provide(
        Effect.gen(function* () {
          const [began, end] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
          const slow = cached(Effect.zipRight(Deferred.succeed(began, undefined), Deferred.await(end)), {
            key: "slow",
            ttl: "1 hour",
            lease: "1 hour",
            groups: ["counters"]
          })
          const fiber = yield* Effect.fork(slow)
          yield* Deferred.await(began)
          yield* raw.write(names.finish(other.cacheKey(1)), yield* raw.read(names.finish(slow.cacheKey)))
          expect(yield* answered(other(1))).toHaveProperty("copied")
          yield* Deferred.succeed(end, undefined)
          yield* Fiber.join(fiber)
        })
      )
    })
  )

  it.scopedLive("what is no version of a group is replaced by a version", () =>
    Effect.gen(function* () {
      const { counter, group, names, provide, raw } = yield* start
      const count = counter("grouped")
      const otherGroup = Either.getOrThrow(names.group("test", "others"))
      const forEver = { freshUntil: Number.POSITIVE_INFINITY, staleUntil: Number.POSITIVE_INFINITY }
      const versions: ReadonlyArray<readonly [string, Uint8Array]> = [
        ["a version of 70,000 characters", forge({ key: group, payload: Buffer.from("x".repeat(70_000)), ...forEver })],
        ["a version that is no text", forge({ key: group, payload: Buffer.from("a b\n"), ...forEver })],
        ["an empty version", forge({ key: group, payload: Buffer.alloc(0), ...forEver })],
        ["the version of another group", forge({ key: otherGroup, payload: Buffer.from("x"), ...forEver })],
        ["a lease", forge({ key: group, lease: { id: "x", until: later } })],
        ["a version in format version 1", forge({ version: 1, key: group, payload: Buffer.from("x"), ...forEver })],
        ["nothing at all", Buffer.alloc(0)]
      ]
      yield* provide(
        Effect.gen(function* () {
          for (const [what, bytes] of versions) {
            const before = yield* answered(count(1))
            yield* raw.write(group, bytes)
            const after = yield* answered(count(1))
            expect(after["computed"], what).toBe((before["computed"] ?? 0) + 1)
            expect(yield* answered(count(1)), what).toEqual(after)
            expect((yield* raw.read(group)).equals(bytes), what).toBe(false)
          }
        })
      )
    })
  )

  it.scopedLive("a record of which a bit was flipped is answered or computed, and never makes a call fail", () =>
    Effect.gen(function* () {
      const { counter, names, provide, raw } = yield* start
      const count = counter("flipped")
      const key = names.finish(count.cacheKey(1))
      yield* provide(
        Effect.gen(function* () {
          yield* count(1)
          const good = yield* raw.read(key)
          for (let at = 0; at < good.length; at++) {
            const bytes = Buffer.from(good)
            bytes[at] = (bytes[at] ?? 0) ^ (1 << (at % 8))
            yield* raw.write(key, bytes)
            yield* answered(count(1))
            yield* (yield* CacheBackend).get("unrelated")
          }
        })
      )
    })
  )
}
