/**
 * The first read of a process, which an invalidation by another process overtakes: the read was answered with the old value, and is
 * still on its way when the bus tells of the invalidation. What does the reader's memory hold afterwards, and for how long?
 */
import { BentoCache, bentostore } from "bentocache"
import { memoryDriver } from "bentocache/drivers/memory"
import { redisBusDriver, redisDriver } from "bentocache/drivers/redis"
import { Context, Effect, Layer, type Scope } from "effect"
import { CacheBackend, cached } from "effect-cached"
import { storeLayer } from "../../cluster/stores.js"
import { relayTo } from "../../servers/relay.js"
import { count, type Row, type Scenario, storeTitles } from "../scenario.js"

const keys = 200
const ttl = 5_000
/** Milliseconds by which the reader's answers from Redis are late. A read may need several. */
const late = 100
/** The other process invalidates at some moment of so many milliseconds. */
const meanwhile = 200

interface Contest {
  readonly read: (key: string) => Effect.Effect<string, unknown>
  /** Puts a value there, as another process. */
  readonly fill: (key: string) => Effect.Effect<unknown, unknown>
  readonly invalidate: (key: string) => Effect.Effect<unknown, unknown>
}

interface Addresses {
  readonly direct: string
  /** That of the reader's cache; its bus is not late. */
  readonly late: string
  readonly valueOf: (key: string) => string
}

/** As its manual has it: memory, Redis, and a bus over Redis. */
const bentocache = ({ direct, late, valueOf }: Addresses): Effect.Effect<Contest, unknown, Scope.Scope> =>
  Effect.gen(function* () {
    const connectionOf = (url: string) => ({ host: new URL(url).hostname, port: Number(new URL(url).port) })
    const process = (url: string) =>
      Effect.acquireRelease(
        Effect.sync(
          () =>
            new BentoCache({
              default: "two",
              stores: {
                two: bentostore()
                  .useL1Layer(memoryDriver({ maxItems: 10_000 }))
                  .useL2Layer(redisDriver({ connection: connectionOf(url) }))
                  .useBus(redisBusDriver({ connection: connectionOf(direct) }))
              }
            })
        ),
        (opened) => Effect.promise(() => opened.disconnectAll())
      )
    const [reader, writer] = [yield* process(late), yield* process(direct)]
    return {
      read: (key) => Effect.tryPromise(() => reader.getOrSet({ key, ttl, factory: () => valueOf(key) })),
      fill: (key) => Effect.tryPromise(() => writer.getOrSet({ key, ttl, factory: () => valueOf(key) })),
      invalidate: (key) => Effect.tryPromise(() => writer.delete({ key }))
    }
  })

const ours = ({ direct, late, valueOf }: Addresses): Effect.Effect<Contest, unknown, Scope.Scope> =>
  Effect.gen(function* () {
    const process = (url: string) =>
      Layer.build(
        Layer.fresh(
          storeLayer({
            _tag: "tiered",
            below: { _tag: "redis", url, timeout: 5_000 },
            maxStaleness: 3_600_000,
            bus: { _tag: "redis", url: direct, channel: "race" }
          })
        )
      )
    const [reader, writer] = [yield* process(late), yield* process(direct)]
    const f = cached((key: string) => Effect.sync(() => valueOf(key)), { key: "race", ttl, stale: 0 })
    const on = (context: Context.Context<CacheBackend>) =>
      Effect.provideService(CacheBackend, Context.get(context, CacheBackend))
    return {
      read: (key) => on(reader)(f(key)),
      fill: (key) => on(writer)(f(key)),
      invalidate: (key) => on(writer)(f.invalidate(key))
    }
  })

const contest = (make: typeof ours, title: string, where: string, url: string, promised: boolean) =>
  Effect.gen(function* () {
    const relay = yield* relayTo({ host: new URL(url).hostname, port: Number(new URL(url).port) })
    const truth = new Map<string, string>()
    const { fill, invalidate, read } = yield* make({
      direct: url,
      late: `redis://${relay.address}`,
      valueOf: (key) => truth.get(key) ?? "old"
    })
    // All are connected, and their buses subscribed.
    yield* Effect.zipRight(read("warm"), fill("warm"))
    yield* Effect.sleep("1 second")
    const names = Array.from({ length: keys }, (_, index) => `key${index}`)
    yield* Effect.forEach(names, fill, { concurrency: 20 })
    relay.delay = late
    const invalidatedAt = new Map<string, number>()
    yield* Effect.forEach(
      names,
      (key) =>
        Effect.all(
          [
            read(key),
            Effect.gen(function* () {
              yield* Effect.sleep(Math.random() * meanwhile)
              truth.set(key, "new")
              yield* invalidate(key)
              invalidatedAt.set(key, performance.now())
            })
          ],
          { concurrency: "unbounded" }
        ),
      { concurrency: "unbounded", discard: true }
    )
    yield* Effect.sleep("300 millis")
    let longest = 0
    let old = 0
    yield* Effect.forEach(
      names,
      (key) =>
        Effect.gen(function* () {
          if ((yield* read(key)) !== "old") return
          old++
          let seenOld = performance.now()
          while ((yield* read(key)) === "old") {
            seenOld = performance.now()
            yield* Effect.sleep("20 millis")
          }
          longest = Math.max(longest, seenOld - (invalidatedAt.get(key) ?? 0))
        }),
      { concurrency: "unbounded", discard: true }
    )
    const row: Row = {
      what: `${title}: ${count(keys)} first reads, each beside an invalidation by another process (ttl ${ttl / 1_000} s): the old value is served afterwards`,
      store: where,
      measured: `${old} of ${keys}${old === 0 ? "" : `, for up to ${(longest / 1_000).toFixed(1)} s`}`,
      kept: promised ? old === 0 : undefined
    }
    return row
  }).pipe(Effect.scoped)

export const race: Scenario = ({ server, store }) =>
  Effect.gen(function* () {
    if (store !== "redis") return []
    const { store: description } = yield* server({ faulty: false })
    if (description._tag !== "redis") return []
    const where = storeTitles[store]
    return [
      yield* contest(ours, "effect-cached, tier + Redis + bus", where, description.url, true),
      yield* contest(bentocache, "bentocache 1.6, L1 + L2 Redis + bus", where, description.url, false)
    ]
  })
