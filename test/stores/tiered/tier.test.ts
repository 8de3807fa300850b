/** A tier over real servers. */

import { SqlClient } from "@effect/sql"
import { PgClient } from "@effect/sql-pg"
import { describe, expect, it } from "@effect/vitest"
import { Context, Effect, Exit, Fiber, Layer, Logger, LogLevel, Metric, Redacted } from "effect"
import { afterCommit, CacheBackend, CacheBus, cached, invalidateGroup, TieredBackend } from "effect-cached"
import * as PgBus from "effect-cached/PgBus"
import * as RedisBackend from "effect-cached/RedisBackend"
import * as RedisBus from "effect-cached/RedisBus"
import * as SqlBackend from "effect-cached/SqlBackend"
import { postgres } from "../../servers/postgres.js"
import { redis } from "../../servers/redis.js"
import { until } from "../../support/until.js"
import { calls } from "../redis/support.js"

const build = <A, E>(layer: Layer.Layer<A, E>) => Layer.build(Layer.fresh(layer))

const overRedis = (url: string, options: TieredBackend.TieredBackendOptions, bus = false) => {
  const tier = TieredBackend.layer(options).pipe(Layer.provide(RedisBackend.layer({ url, timeout: "500 millis" })))
  return build(bus ? tier.pipe(Layer.provide(RedisBus.layer({ url }))) : tier)
}

describe("a tier over Redis", () => {
  it.scopedLive("asks the server nothing for a hit, and once more after maxStaleness", () =>
    Effect.gen(function* () {
      const server = yield* redis()
      const cache = yield* overRedis(server.url, { maxStaleness: "3 seconds" })
      let computations = 0
      const f = cached((id: number) => Effect.sync(() => ({ id, computations: ++computations })), {
        key: "city",
        groups: ["cities"]
      })
      const call = Effect.provide(f(1), cache)
      yield* call
      const first = yield* call
      const asked = yield* calls(server, "mget")
      for (let time = 0; time < 500; time++) expect(yield* call).toBe(first)
      expect(yield* calls(server, "mget")).toBe(asked)
      yield* Effect.sleep("3100 millis")
      // The entry has the same token, so its decoded value has stayed.
      yield* call
      expect(yield* call).toBe(first)
      expect(yield* calls(server, "mget")).toBe(asked + 1)
      expect(computations).toBe(1)
    })
  )

  it.scopedLive("hears of an invalidation by another process, and of one by a group", () =>
    Effect.gen(function* () {
      const server = yield* redis()
      const options = { maxStaleness: "1 hour", maxBusSilence: "30 seconds" } as const
      const [here, there] = [yield* overRedis(server.url, options, true), yield* overRedis(server.url, options, true)]
      let version = 1
      const f = cached((_id: number) => Effect.sync(() => version), { key: "city", groups: ["cities"] })
      const see = (expected: number) => until(Effect.provide(f(1), here), (seen) => seen === expected)
      yield* see(1)
      version = 2
      yield* Effect.provide(f.invalidate(1), there)
      expect(yield* see(2)).toBe(2)
      version = 3
      yield* Effect.provide(invalidateGroup("cities"), there)
      expect(yield* see(3)).toBe(3)
      version = 4
      yield* Effect.provide(f.forceRecalc(1), there)
      expect(yield* see(4)).toBe(4)
      version = 5
      yield* Effect.provide(
        Effect.flatMap(CacheBackend, (cache) => cache.clear),
        there
      )
      expect(yield* see(5)).toBe(5)
    })
  )

  it.scopedLive("serves what it holds within its bound while the server is away, then computes", () =>
    Effect.gen(function* () {
      const server = yield* redis()
      const cache = yield* overRedis(server.url, { maxStaleness: "2 seconds" })
      let computations = 0
      const f = cached((_id: number) => Effect.sync(() => ++computations), { key: "city", ttl: "1 hour" })
      const call = Effect.provide(f(1), cache)
      yield* call
      expect(yield* call).toBe(1)
      const keptAt = performance.now()
      yield* server.kill
      const exits: Array<Exit.Exit<number>> = []
      while (performance.now() < keptAt + 3_000) {
        const asked = performance.now()
        const exit = yield* Effect.exit(call)
        exits.push(exit)
        // Two seconds after the read, which was before `keptAt`.
        if (asked > keptAt + 2_000) expect(exit).not.toEqual(Exit.succeed(1))
        yield* Effect.sleep("20 millis")
      }
      expect(exits.every(Exit.isSuccess)).toBe(true)
      expect(exits[0]).toEqual(Exit.succeed(1))
      yield* server.start
      const before = computations
      yield* until(
        Effect.zipRight(
          call,
          Effect.sync(() => computations)
        ),
        () => computations > before
      )
    }).pipe(Logger.withMinimumLogLevel(LogLevel.None))
  )

  it.scopedLive("keeps at most maxEntries, and counts its hits under a label of its own", () =>
    Effect.gen(function* () {
      const server = yield* redis()
      const cache = yield* overRedis(server.url, { maxEntries: 10, maxStaleness: "1 hour" })
      const f = cached((id: number) => Effect.succeed(id), { key: "bounded" })
      for (let round = 0; round < 3; round++) {
        for (let id = 0; id < 40; id++) yield* Effect.provide(f(id), cache)
      }
      const asked = yield* calls(server, "mget")
      for (let id = 0; id < 40; id++) yield* Effect.provide(f(id), cache)
      expect((yield* calls(server, "mget")) - asked).toBeGreaterThanOrEqual(30)
      for (let time = 0; time < 7; time++) yield* Effect.provide(f(39), cache)
      const all = yield* Metric.snapshot
      const inTier = all.filter(
        ({ metricKey }) =>
          metricKey.name === "effect_cached_hits_total" &&
          metricKey.tags.some(({ key, value }) => key === "tier" && value === "memory") &&
          metricKey.tags.some(({ key, value }) => key === "key" && value === "bounded")
      )
      expect(inTier.map(({ metricState }) => metricState)).toMatchObject([{ count: expect.any(Number) }])
    })
  )
})

describe("a tier over PostgreSQL, without a bus", () => {
  it.scopedLive("serves nothing older in its own process than what afterCommit has returned after", () =>
    Effect.gen(function* () {
      const { url } = yield* postgres
      const context = yield* build(
        TieredBackend.layer({ maxStaleness: "1 hour" }).pipe(
          Layer.provide(SqlBackend.layer()),
          Layer.provideMerge(PgClient.layer({ url: Redacted.make(url) }))
        )
      )
      const sql = Context.get(context, SqlClient.SqlClient)
      let version = 1
      const one = cached(() => Effect.sync(() => version), { key: "alone", ttl: "1 hour" })
      const grouped = cached(() => Effect.sync(() => version), { key: "grouped", groups: ["cities"], ttl: "1 hour" })
      const read = Effect.all([one(), grouped()])
      yield* Effect.gen(function* () {
        expect([yield* read, yield* read]).toEqual([
          [1, 1],
          [1, 1]
        ])
        const [inside, mayEnd] = [yield* Effect.makeLatch(false), yield* Effect.makeLatch(false)]
        const change = Effect.gen(function* () {
          yield* Effect.zipRight(one.invalidate(), invalidateGroup("cities"))
          yield* inside.open
          yield* mayEnd.await
        })
        const changing = yield* Effect.fork(afterCommit(sql.withTransaction(change)))
        yield* inside.await
        // Before the commit these are true, and copies of them are kept.
        expect(yield* read).toEqual([1, 1])
        version = 2
        yield* mayEnd.open
        yield* Fiber.join(changing)
        expect(yield* read).toEqual([2, 2])
      }).pipe(Effect.provide(context))
    })
  )
})

describe("a tier over PostgreSQL, with its bus", () => {
  it.scopedLive("is told by the commit, answers nothing inside a transaction, and hears nothing of a rollback", () =>
    Effect.gen(function* () {
      const { url } = yield* postgres
      const client = PgClient.layer({ url: Redacted.make(url) })
      const process = build(
        TieredBackend.layer({ maxStaleness: "1 hour", maxBusSilence: "30 seconds" }).pipe(
          Layer.provide(SqlBackend.layer()),
          Layer.provideMerge(PgBus.layer()),
          Layer.provideMerge(client)
        )
      )
      const [here, there] = [yield* process, yield* process]
      const sql = Context.get(there, SqlClient.SqlClient)
      let version = 1
      const f = cached((_id: number) => Effect.sync(() => version), { key: "city", groups: ["cities"], ttl: "1 hour" })
      const hereSees = Effect.provide(f(1), here)
      const thereSees = Effect.provide(f(1), there)
      yield* hereSees
      expect([yield* hereSees, yield* thereSees, yield* thereSees]).toEqual([1, 1, 1])
      version = 2
      const [inside, mayEnd] = [yield* Effect.makeLatch(false), yield* Effect.makeLatch(false)]
      const transaction = sql.withTransaction(
        Effect.gen(function* () {
          yield* invalidateGroup("cities")
          // Its own transaction sees it, and keeps nothing.
          expect(yield* f(1)).toBe(2)
          yield* inside.open
          yield* mayEnd.await
        })
      )
      const changing = yield* Effect.fork(Effect.provide(transaction, there))
      yield* inside.await
      yield* Effect.sleep("100 millis")
      expect([yield* hereSees, yield* thereSees]).toEqual([1, 1])
      yield* mayEnd.open
      yield* Fiber.join(changing)
      expect(yield* until(hereSees, (seen) => seen === 2)).toBe(2)
      expect(yield* until(thereSees, (seen) => seen === 2)).toBe(2)
      version = 3
      yield* Effect.ignore(
        Effect.provide(sql.withTransaction(Effect.zipRight(f.invalidate(1), Effect.fail("a mistake"))), there)
      )
      yield* Effect.sleep("100 millis")
      expect([yield* hereSees, yield* thereSees]).toEqual([2, 2])
      expect(Context.getOption(here, CacheBus)._tag).toBe("Some")
    })
  )
})
