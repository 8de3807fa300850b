/**
 * What changes an entry's times and lease only does not send its payload again, where the store has `amend`: through every store
 * around it, and counted in bytes on the wire.
 */
import { randomBytes } from "node:crypto"
import * as PgClient from "@effect/sql-pg/PgClient"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Option, Redacted, type Scope } from "effect"
import { CacheBackend, type CacheStore, cached, StoreBackend, TieredBackend } from "effect-cached"
import * as Encryption from "effect-cached/Encryption"
import * as RedisBackend from "effect-cached/RedisBackend"
import * as SqlBackend from "effect-cached/SqlBackend"
import { CountingBackend } from "effect-cached/testing"
import { inject } from "vitest"
import { redis } from "../servers/redis.js"
import { type Relay, relayTo } from "../servers/relay.js"
import { memoryStore } from "../support/backend.js"
import { plain } from "../support/stores.js"
import { until } from "../support/until.js"
import { freshTable } from "./postgres/support.js"

const times = { ttl: "50 millis", stale: "1 hour", groups: ["g"] } as const

/** All that changes an entry and leaves its value: of `value`, which the function under the key computes. */
const amending = <A>(value: A): Record<string, Effect.Effect<unknown, unknown, CacheBackend>> => ({
  "touch and prolong, and a lease over a stale value": Effect.gen(function* () {
    const f = cached(() => Effect.succeed(value), { key: "f", ...times, refresh: () => Effect.succeedNone })
    const cache = yield* CacheBackend
    yield* Effect.sleep("60 millis")
    expect(yield* f()).toStrictEqual(value)
    yield* f.invalidate()
    yield* f()
    expect(yield* cache.touch(f.cacheKey(), "1 millis")).toBeTypeOf("boolean")
    yield* Effect.sleep("60 millis")
    expect(yield* f()).toStrictEqual(value)
  }),
  "renewals of the lease, and giving it back": Effect.gen(function* () {
    let computes: Effect.Effect<A> = Effect.succeed(value)
    const f = cached(() => Effect.suspend(() => computes), { key: "g", ...times, lease: "150 millis" })
    yield* f()
    yield* Effect.sleep("60 millis")
    computes = Effect.never
    const caller = yield* Effect.fork(f())
    yield* Effect.sleep("400 millis")
    yield* Fiber.interrupt(caller)
    computes = Effect.succeed(value)
  }),
  "a lease that ends with its stale value": Effect.gen(function* () {
    let fails = false
    const f = cached(() => Effect.suspend(() => (fails ? Effect.fail("down") : Effect.succeed(value))), {
      key: "h",
      ...times,
      stale: "10 seconds",
      lease: "1 hour"
    })
    yield* f()
    yield* Effect.sleep("60 millis")
    fails = true
    expect(yield* f()).toStrictEqual(value)
  })
})

/** A store with `amend`, which knows what it was sent. */
const recording = Effect.map(memoryStore, (memory) => {
  const inner = plain(memory)
  const payloads = new Map<string, unknown>()
  const sent = { again: 0, amended: 0 }
  const keep = (key: string, entry: CacheStore.Entry) => {
    if (entry.value !== undefined) payloads.set(key, entry.value.payload)
  }
  const store: CacheStore.CacheStore = {
    ...inner,
    name: "recording",
    location: "network",
    write: (items) =>
      Effect.suspend(() => {
        for (const { entry, key } of items) keep(key, entry)
        return inner.write(items)
      }),
    add: (key, entry) =>
      Effect.suspend(() => {
        keep(key, entry)
        return inner.add(key, entry)
      }),
    replace: (key, token, entry) =>
      Effect.suspend(() => {
        const { value } = entry
        if (value !== undefined && entry.groups.length > 0 && payloads.get(key) === value.payload) sent.again++
        keep(key, entry)
        return inner.replace(key, token, entry)
      }),
    remove: (keys) =>
      Effect.suspend(() => {
        for (const key of keys) payloads.delete(key)
        return inner.remove(keys)
      }),
    amend: (key, token, entry, before) =>
      Effect.suspend(() => {
        sent.amended++
        expect(entry.value?.payload).toBe(before.value?.payload)
        expect(entry.groups).toStrictEqual(before.groups)
        return inner.replace(key, token, entry)
      })
  }
  return { sent, store }
})

describe("amend through the stores around a store", () => {
  const around: Record<string, (below: Layer.Layer<CacheBackend, unknown>) => Layer.Layer<CacheBackend, unknown>> = {
    "a backend": (below) => below,
    "a backend that counts": (below) => CountingBackend.layer(below),
    "a tier over it": (below) => TieredBackend.layer({ maxStaleness: "20 millis" }).pipe(Layer.provide(below))
  }
  for (const [name, over] of Object.entries(around)) {
    for (const [what, program] of Object.entries(amending({ a: "value" }))) {
      it.scopedLive(`${name}: ${what}`, () =>
        Effect.gen(function* () {
          const { sent, store } = yield* recording
          const below = StoreBackend.layer(Effect.succeed(store), { redactKeys: true })
          yield* Effect.provide(program, over(below))
          yield* until(
            Effect.sync(() => sent.amended),
            (amended) => amended > 0
          )
          expect(sent.again).toBe(0)
          expect(sent.amended).toBeGreaterThan(0)
        })
      )
    }
  }

  it.scopedLive("a store without it is sent the payload again", () =>
    Effect.gen(function* () {
      const { sent, store } = yield* recording
      const { amend: _amend, ...six } = store
      const layer = StoreBackend.layer(Effect.succeed(six))
      yield* Effect.provide(Effect.all(Object.values(amending({ a: "value" })), { discard: true }), layer)
      expect(sent.amended).toBe(0)
      expect(sent.again).toBeGreaterThan(0)
    })
  )
})

const large = randomBytes(300_000).toString("base64")

const sentBy = (relay: Relay) => relay.sent.reduce((sum, chunk) => sum + chunk.length, 0)

describe("a value of 400 kB", () => {
  type Through = Effect.Effect<
    { readonly relay: Relay; readonly layer: Layer.Layer<CacheBackend, unknown> },
    unknown,
    Scope.Scope
  >
  const onPostgres: Through = Effect.gen(function* () {
    const url = new URL(inject("postgresUrl"))
    const relay = yield* relayTo({ host: url.hostname, port: Number(url.port) })
    url.host = relay.address
    const client = PgClient.layer({ url: Redacted.make(url.href), maxConnections: 4 })
    return { relay, layer: SqlBackend.layer({ table: freshTable() }).pipe(Layer.provide(client)) }
  })
  const encryption = Encryption.aesGcm({ keys: [Redacted.make(randomBytes(32))] })
  const servers: Record<string, Through> = {
    PostgreSQL: onPostgres,
    "PostgreSQL, encrypted": Effect.map(onPostgres, ({ layer, relay }) => ({
      relay,
      layer: StoreBackend.transform(layer, encryption)
    })),
    Redis: Effect.gen(function* () {
      const url = new URL((yield* redis()).url)
      const relay = yield* relayTo({ host: url.hostname, port: Number(url.port) })
      url.host = relay.address
      return { relay, layer: RedisBackend.layer({ url: url.href }) }
    })
  }
  for (const [name, through] of Object.entries(servers)) {
    it.scopedLive(`on ${name}: leased, renewed, given back, touched and prolonged with less than 100 kB sent`, () =>
      Effect.gen(function* () {
        const { layer, relay } = yield* through
        expect(large.length).toBe(400_000)
        yield* Effect.gen(function* () {
          const cache = yield* CacheBackend
          let refresh: Effect.Effect<Option.Option<string>> = Effect.succeedNone
          let computed = 0
          let ttl = "50 millis" as "50 millis" | "1 hour"
          const compute = Effect.sync(() => {
            computed++
            return large
          })
          const f = cached(() => compute, {
            key: "large",
            ...times,
            ttl: () => ttl,
            // The version of the group lives as long until the value is stored, also on a busy machine.
            lease: "2 seconds",
            refresh: () => refresh
          })
          yield* f()
          yield* Effect.sleep("60 millis")
          const before = sentBy(relay)
          expect(before).toBeGreaterThan(400_000)
          expect(yield* f()).toBe(large)
          expect(yield* cache.touch(f.cacheKey(), "50 millis")).toBeTypeOf("boolean")
          yield* Effect.sleep("60 millis")
          refresh = Effect.never
          const caller = yield* Effect.fork(f())
          // It renews its lease three times as often.
          yield* Effect.sleep("900 millis")
          yield* Fiber.interrupt(caller)
          refresh = Effect.delay(Effect.succeedNone, "300 millis")
          ttl = "1 hour"
          const prolonged = Effect.zipRight(f(), cache.get(f.cacheKey()))
          expect(yield* until(prolonged, Option.isSome)).toStrictEqual(Option.some(large))
          expect(yield* cache.touch(f.cacheKey(), "1 hour").pipe(Effect.zipRight(f()))).toBe(large)
          expect(computed).toBe(1)
          expect(sentBy(relay) - before).toBeLessThan(100_000)
          // The groups of the entry are still its own.
          yield* cache.invalidateGroup("g")
          yield* f()
          expect(computed).toBe(2)
        }).pipe(Effect.provide(layer))
      })
    )
  }
})
