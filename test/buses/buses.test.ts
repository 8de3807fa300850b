import { PgClient } from "@effect/sql-pg"
import { afterAll, describe, expect, it } from "@effect/vitest"
import { Context, Effect, Either, Exit, Layer, Redacted, Scope } from "effect"
import { CacheBus, type CacheBusService } from "../../src/CacheBus.js"
import * as PgBus from "../../src/PgBus.js"
import * as RedisBus from "../../src/RedisBus.js"
import { postgres } from "../servers/postgres.js"
import { redis } from "../servers/redis.js"
import { until } from "../support/until.js"

type Heard = ReadonlyArray<string> | "all"

interface Subscriber {
  readonly heard: Array<Heard>
  lost: number
}

const subscribed = (bus: CacheBusService) =>
  Effect.gen(function* () {
    const subscriber: Subscriber = { heard: [], lost: 0 }
    yield* bus.subscribe(
      (keys) => {
        if (keys.length > 0) subscriber.heard.push(keys)
      },
      () => {
        subscriber.lost++
      }
    )
    return subscriber
  })

interface Ground {
  readonly bus: Effect.Effect<CacheBusService, unknown, Scope.Scope>
  /** Ends the connections on which is listened. */
  readonly cut: Effect.Effect<unknown, unknown>
}

const busSuite = (name: string, ground: Effect.Effect<Ground, unknown, Scope.Scope>) =>
  describe(name, () => {
    it.scopedLive("tells all subscribers, its own process too, in the order of the messages", () =>
      Effect.gen(function* () {
        const { bus } = yield* ground
        const [one, two] = [yield* bus, yield* bus]
        const subscribers = [yield* subscribed(one), yield* subscribed(two)]
        yield* one.publish(["v1:a:x", 'v1:a:city("lisbon",{"page":2})'])
        yield* two.publish("all")
        yield* one.publish(["v1:a:y"])
        yield* one.publish([])
        for (const { heard } of subscribers) {
          yield* until(
            Effect.sync(() => heard.length >= 3),
            Boolean
          )
          expect(heard).toEqual([["v1:a:x", 'v1:a:city("lisbon",{"page":2})'], "all", ["v1:a:y"]])
        }
      })
    )

    it.scopedLive("says that all may have changed where the keys are too many for a message", () =>
      Effect.gen(function* () {
        const { bus } = yield* ground
        const one = yield* bus
        const subscriber = yield* subscribed(one)
        yield* one.publish(
          Array.from({ length: 2_000 }, (_, index) => `v1:default:a rather long key ${index}`.replaceAll(" ", "_"))
        )
        yield* until(
          Effect.sync(() => subscriber.heard.length > 0),
          Boolean
        )
        expect(subscriber.heard).toEqual(["all"])
      })
    )

    it.scopedLive("gives signs of life while nothing is told, and loses nobody", () =>
      Effect.gen(function* () {
        const { bus } = yield* ground
        let signs = 0
        let lost = 0
        const one: CacheBusService = yield* bus
        yield* one.subscribe(
          () => {
            signs++
          },
          () => {
            lost++
          }
        )
        const before = signs
        yield* Effect.sleep("2600 millis")
        expect(signs - before).toBeGreaterThan(1)
        expect(lost).toBe(0)
      })
    )

    it.scopedLive(
      "tells once that messages may have been lost, and nothing afterwards; a new subscription hears again",
      () =>
        Effect.gen(function* () {
          const { bus, cut } = yield* ground
          const one = yield* bus
          const subscriber = yield* subscribed(one)
          yield* cut
          yield* until(
            Effect.sync(() => subscriber.lost > 0),
            Boolean
          )
          const again = yield* Effect.retry(subscribed(one), { times: 20 })
          yield* Effect.retry(one.publish(["v1:a:x"]), { times: 5 })
          yield* until(
            Effect.sync(() => again.heard.length > 0),
            Boolean
          )
          yield* Effect.sleep("500 millis")
          expect(subscriber.heard).toEqual([])
          expect(subscriber.lost).toBe(1)
        })
    )

    it.scopedLive("hears nothing after its scope", () =>
      Effect.gen(function* () {
        const { bus } = yield* ground
        const one = yield* bus
        const gone = yield* Effect.scoped(subscribed(one))
        const here = yield* subscribed(one)
        yield* one.publish(["v1:a:x"])
        yield* until(
          Effect.sync(() => here.heard.length > 0),
          Boolean
        )
        expect(gone.heard).toEqual([])
      })
    )
  })

let channels = 0

const scope = Effect.runSync(Scope.make())
afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))
const sharedPostgres = Effect.runSync(Effect.cached(Scope.extend(postgres, scope)))
const sharedRedis = Effect.runSync(Effect.cached(Scope.extend(redis(), scope)))

const onPostgres: Effect.Effect<Ground, unknown, Scope.Scope> = Effect.gen(function* () {
  const { url } = yield* sharedPostgres
  const channel = `bus_${process.pid}_${++channels}`
  const client = PgClient.layer({ url: Redacted.make(url), applicationName: channel })
  const admin = Context.get(yield* Layer.build(PgClient.layer({ url: Redacted.make(url) })), PgClient.PgClient)
  return {
    bus: Effect.map(Layer.build(Layer.fresh(PgBus.layer({ channel }).pipe(Layer.provide(client)))), (context) =>
      Context.get(context, CacheBus)
    ),
    cut: admin`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = ${channel}`
  }
})

const onRedis: Effect.Effect<Ground, unknown, Scope.Scope> = Effect.gen(function* () {
  const server = yield* sharedRedis
  const channel = `bus ${++channels}`
  return {
    bus: Effect.map(Layer.build(Layer.fresh(RedisBus.layer({ url: server.url, channel }))), (context) =>
      Context.get(context, CacheBus)
    ),
    cut: server.ask("CLIENT", "KILL", "TYPE", "pubsub")
  }
})

busSuite("the bus over PostgreSQL", onPostgres)
busSuite("the bus over Redis", onRedis)

describe("the bus over PostgreSQL, in a transaction", () => {
  it.scopedLive("tells with the commit, and nothing after a rollback", () =>
    Effect.gen(function* () {
      const { url } = yield* sharedPostgres
      const context = yield* Layer.build(
        PgBus.layer({ channel: "transactions" }).pipe(Layer.provideMerge(PgClient.layer({ url: Redacted.make(url) })))
      )
      const bus = Context.get(context, CacheBus)
      const sql = Context.get(context, PgClient.PgClient)
      const subscriber = yield* subscribed(bus)
      yield* sql.withTransaction(
        Effect.gen(function* () {
          yield* bus.publish(["v1:a:committed"])
          yield* Effect.sleep("300 millis")
          expect(subscriber.heard).toEqual([])
        })
      )
      yield* until(
        Effect.sync(() => subscriber.heard.length > 0),
        Boolean
      )
      yield* Effect.either(
        sql.withTransaction(Effect.zipRight(bus.publish(["v1:a:rolledBack"]), Effect.fail("a mistake")))
      )
      yield* bus.publish(["v1:a:last"])
      yield* until(
        Effect.sync(() => subscriber.heard.length > 1),
        Boolean
      )
      expect(subscriber.heard).toEqual([["v1:a:committed"], ["v1:a:last"]])
    })
  )

  it.scopedLive("leaves no connection behind, wherever in its beginning a subscription ends", () =>
    Effect.gen(function* () {
      const { url } = yield* sharedPostgres
      const sql = Context.get(yield* Layer.build(PgClient.layer({ url: Redacted.make(url) })), PgClient.PgClient)
      const client = PgClient.layer({ url: Redacted.make(url), applicationName: "ends early" })
      const heard: Array<Heard> = []
      yield* Effect.forEach(
        Array.from({ length: 60 }, (_, index) => index + 1),
        (millis) =>
          Effect.gen(function* () {
            const bus = Context.get(
              yield* Layer.build(Layer.fresh(PgBus.layer({ channel: "early" }).pipe(Layer.provide(client)))),
              CacheBus
            )
            let isWanted = true
            const hear = (keys: Heard) => {
              if (!isWanted) heard.push(keys)
            }
            yield* Effect.timeoutOption(Effect.scoped(bus.subscribe(hear, () => {})), 2 * millis)
            isWanted = false
          }).pipe(Effect.scoped)
      )
      const left = sql<{ count: number }>`
        SELECT count(*)::int AS count FROM pg_stat_activity WHERE application_name = 'ends early'`
      expect(yield* until(left, ([row]) => row?.count === 0)).toEqual([{ count: 0 }])
      expect(heard).toEqual([])
    })
  )

  it.scopedLive("fails with CacheError where the database is away", () =>
    Effect.gen(function* () {
      const server = yield* postgres
      const context = yield* Layer.build(
        PgBus.layer().pipe(Layer.provide(PgClient.layer({ url: Redacted.make(server.url) })))
      )
      const bus = Context.get(context, CacheBus)
      if (server.embedded === undefined) return
      yield* server.embedded.crash
      const published = yield* Effect.either(bus.publish(["v1:a:x"]))
      const subscription = yield* Effect.either(Effect.scoped(subscribed(bus)))
      yield* server.embedded.start
      for (const outcome of [published, subscription]) {
        expect(Either.getLeft(outcome as Either.Either<unknown, { readonly reason: string }>)).toMatchObject({
          value: { reason: "Unavailable" }
        })
      }
    })
  )
})
