/** Tiers whose bus is a real one behind a bad network: it is late, is cut, or takes everything and delivers nothing. */
import { PgClient } from "@effect/sql-pg"
import { describe, expect, it } from "@effect/vitest"
import { Context, Effect, Either, Layer, Logger, LogLevel, Redacted, type Scope } from "effect"
import { CacheBackend, type CacheBackendService, cached, invalidateGroup, TieredBackend } from "effect-cached"
import * as PgBus from "effect-cached/PgBus"
import * as RedisBackend from "effect-cached/RedisBackend"
import * as RedisBus from "effect-cached/RedisBus"
import * as SqlBackend from "effect-cached/SqlBackend"
import { inject } from "vitest"
import { redis } from "../../servers/redis.js"
import { type Relay, relayTo } from "../../servers/relay.js"
import { until } from "../../support/until.js"

interface Ground {
  /** A process: its store works, its bus goes through the relay. */
  readonly tier: (
    options: TieredBackend.TieredBackendOptions
  ) => Effect.Effect<CacheBackendService, unknown, Scope.Scope>
  /** A process without a tier and a bus. */
  readonly bare: Effect.Effect<CacheBackendService, unknown, Scope.Scope>
  readonly relay: Relay
  /** The end of the silence. */
  readonly heal: Effect.Effect<void>
}

const service = <E>(layer: Layer.Layer<CacheBackend, E>) =>
  Effect.map(Layer.build(Layer.fresh(layer)), (context) => Context.get(context, CacheBackend))

const onRedis: Effect.Effect<Ground, unknown, Scope.Scope> = Effect.gen(function* () {
  const server = yield* redis()
  const relay = yield* relayTo({ host: server.host, port: server.port })
  const below = RedisBackend.layer({ url: server.url })
  return {
    tier: (options) =>
      service(
        TieredBackend.layer(options).pipe(
          Layer.provide(below),
          Layer.provide(RedisBus.layer({ url: `redis://${relay.address}` }))
        )
      ),
    bare: service(below),
    relay,
    // The connections stay open, and are useless: the bus has to find out.
    heal: Effect.sync(() => {
      relay.swallow = false
    })
  }
})

let tables = 0

const onPostgres: Effect.Effect<Ground, unknown, Scope.Scope> = Effect.gen(function* () {
  const url = new URL(inject("postgresUrl"))
  const relay = yield* relayTo({ host: url.hostname, port: Number(url.port === "" ? "5432" : url.port) })
  const table = `real_buses_${process.pid}_${++tables}`
  const below = SqlBackend.layer({ table }).pipe(Layer.provide(PgClient.layer({ url: Redacted.make(url.href) })))
  const viaRelay = new URL(url)
  viaRelay.host = relay.address
  return {
    tier: (options) =>
      service(
        TieredBackend.layer(options).pipe(
          Layer.provide(below),
          Layer.provide(
            PgBus.layer({ channel: table }).pipe(
              Layer.provide(PgClient.layer({ url: Redacted.make(viaRelay.href), maxConnections: 2 }))
            )
          )
        )
      ),
    bare: service(below),
    relay,
    // The pool is the program's. Its driver believes in a connection until it ends.
    heal: Effect.suspend(() => {
      relay.swallow = false
      return relay.reset
    })
  }
})

const grounds = { Redis: onRedis, PostgreSQL: onPostgres } as const

describe.each(Object.entries(grounds))("a silent network under the bus over %s", (_name, ground) => {
  it.scopedLive("the tier asks below after maxBusSilence, and trusts the bus again when it is heard again", () =>
    Effect.gen(function* () {
      const { bare, heal, relay, tier } = yield* ground
      const maxBusSilence = 1_500
      const here = yield* tier({ maxStaleness: "1 hour", maxBusSilence })
      const writer = yield* bare
      let version = 1
      const f = cached((_id: number) => Effect.sync(() => version), { key: "city", ttl: "1 hour" })
      const see = Effect.provideService(f(1), CacheBackend, here)
      yield* see
      /** Its copies may be an hour old, so what the writer without a bus does is not seen. */
      const trusts = Effect.gen(function* () {
        yield* see
        version++
        yield* Effect.provideService(f.forceRecalc(1), CacheBackend, writer)
        return (yield* see) < version
      })
      expect(yield* until(trusts, Boolean)).toBe(true)
      relay.swallow = true
      expect(yield* until(see, (one) => one === version)).toBe(version)
      // From now on each read is answered from below, however long the silence lasts.
      for (let time = 0; time < 5; time++) {
        version++
        yield* Effect.provideService(f.forceRecalc(1), CacheBackend, writer)
        expect(yield* see).toBe(version)
        yield* Effect.sleep("100 millis")
      }
      yield* heal
      expect(yield* until(trusts, Boolean)).toBe(true)
    }).pipe(Logger.withMinimumLogLevel(LogLevel.None))
  )

  it.scopedLive(
    "an invalidation says within its time that it could not be told, and a value is stored all the same",
    () =>
      Effect.gen(function* () {
        const { relay, tier } = yield* ground
        const here = yield* tier({ maxStaleness: "1 second" })
        let version = 1
        const f = cached((_id: number) => Effect.sync(() => version), { key: "city", ttl: "1 hour" })
        const see = Effect.provideService(f(1), CacheBackend, here)
        yield* see
        relay.swallow = true
        version = 2
        const invalidated = yield* Effect.either(Effect.provideService(f.invalidate(1), CacheBackend, here))
        // The bus may be making its connection anew.
        const reason = expect.stringMatching(/Timeout|Unavailable/)
        expect(Either.getLeft(invalidated)).toMatchObject({ value: { _tag: "CacheError", reason } })
        const group = yield* Effect.either(Effect.provideService(invalidateGroup("cities"), CacheBackend, here))
        expect(Either.getLeft(group)).toMatchObject({ value: { _tag: "CacheError", operation: "publish", reason } })
        // Below it is done, and here as well.
        expect(yield* see).toBe(2)
        version = 3
        expect(yield* Effect.provideService(f.forceRecalc(1), CacheBackend, here)).toBe(3)
        expect(yield* see).toBe(3)
      }).pipe(Logger.withMinimumLogLevel(LogLevel.None))
  )
})
