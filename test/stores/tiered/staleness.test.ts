/** What a tier promises: in the own process nothing older than an invalidation, in others nothing older than `maxStaleness`. */
import { afterAll, describe, expect, it } from "@effect/vitest"
import { Context, Effect, Exit, Layer, Logger, LogLevel, Scope } from "effect"
import { CacheBackend, type CacheBackendService, type CacheBusService, cached, invalidateGroup } from "effect-cached"
import * as MemcachedBackend from "effect-cached/MemcachedBackend"
import * as RedisBackend from "effect-cached/RedisBackend"
import { memcachedServers } from "../../servers/memcached.js"
import { redisUrl } from "../../servers/redis.js"
import { sized } from "../../support/size.js"
import { freshNamespace } from "../memcached/support.js"
import { tierOver, unreliableBus } from "./support.js"

const scope = Effect.runSync(Scope.make())
afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))
const shared = <A>(resource: Effect.Effect<A, Error, Scope.Scope>) =>
  Effect.runSync(Effect.cached(Scope.extend(resource, scope)))
const [url, servers] = [shared(redisUrl), shared(memcachedServers(1))]

const stores = {
  redis: (namespace: string) =>
    Layer.unwrapEffect(Effect.map(url, (given) => RedisBackend.layer({ url: given, namespace }))),
  memcached: (namespace: string) =>
    Layer.unwrapEffect(Effect.map(servers, (given) => MemcachedBackend.layer({ servers: given, namespace })))
} as const

const keys = 12
const maxStaleness = 150
const operations = sized(6_000, 100_000)

/** What each key was changed to, and when that was invalidated. */
class Truth {
  readonly now = new Array<number>(keys).fill(0)
  private readonly invalidated = Array.from({ length: keys }, (): Array<{ version: number; at: number }> => [])

  change(id: number): number {
    const version = (this.now[id] ?? 0) + 1
    this.now[id] = version
    return version
  }

  /** The invalidation of this version has returned. */
  tell(id: number, version: number): void {
    this.invalidated[id]?.push({ version, at: performance.now() })
  }

  /** The version of the last invalidation that had returned by then. */
  by(id: number, moment: number): number {
    let version = 0
    for (const one of this.invalidated[id] ?? []) {
      if (one.at <= moment) version = Math.max(version, one.version)
    }
    return version
  }
}

const attack = (tiers: ReadonlyArray<CacheBackendService>, meanwhile: Effect.Effect<void>) =>
  Effect.gen(function* () {
    const truth = new Truth()
    const seen = { reads: 0, ownOld: 0, otherOld: 0, tierHits: 0 }
    const city = cached(
      (id: number) =>
        Effect.map(
          Effect.delay(
            Effect.sync(() => truth.now[id] ?? 0),
            Math.random() * 3
          ),
          (n) => n
        ),
      { key: "city", ttl: "1 minute", groups: (id) => [`group ${id % 3}`], lease: "2 seconds" }
    )
    let made = 0
    /** Which tier has invalidated each version: there nothing older may be read afterwards. */
    const own = tiers.map(() => new Truth())
    const one = (index: number) =>
      Effect.gen(function* () {
        made++
        const tier = Math.floor(Math.random() * tiers.length)
        const cache = tiers[tier]
        if (cache === undefined) return
        const id = Math.floor(Math.random() ** 2 * keys)
        if (Math.random() < 0.03) {
          const version = truth.change(id)
          const isGroup = Math.random() < 0.3
          const how = Math.random()
          const invalidation = isGroup
            ? invalidateGroup(`group ${id % 3}`)
            : how < 0.6
              ? city.invalidate(id)
              : how < 0.8
                ? city.forceRecalc(id)
                : Effect.zipRight(cache.delete(city.cacheKey(id)), Effect.void)
          yield* Effect.provideService(invalidation, CacheBackend, cache)
          truth.tell(id, version)
          own[tier]?.tell(id, version)
        } else {
          const begin = performance.now()
          const value = yield* Effect.provideService(city(id), CacheBackend, cache)
          seen.reads++
          if (value < (own[tier]?.by(id, begin) ?? 0)) seen.ownOld++
          if (value < truth.by(id, begin - maxStaleness)) seen.otherOld++
        }
        if (index % 4 === 0) yield* Effect.sleep(Math.random() * 4)
        else yield* Effect.yieldNow()
      })
    const fiber = yield* Effect.fork(Effect.forever(meanwhile))
    yield* Effect.forEach(
      Array.from({ length: 16 }, (_, index) => index),
      (index) => Effect.repeat(one(index), { while: () => made < operations }),
      { concurrency: "unbounded", discard: true }
    )
    yield* fiber.interruptAsFork(fiber.id())
    const stats = yield* Effect.forEach(tiers, (cache) => cache.stats)
    return { ...seen, hits: stats.reduce((sum, { hits }) => sum + hits, 0) }
  }).pipe(Logger.withMinimumLogLevel(LogLevel.None))

const calm = Effect.delay(Effect.void, "50 millis")

const buses: Readonly<
  Record<string, () => { readonly bus: CacheBusService | undefined; readonly meanwhile: Effect.Effect<void> }>
> = {
  "without a bus": () => ({ bus: undefined, meanwhile: calm }),
  "with a bus": () => ({
    bus: unreliableBus({ delay: () => Math.random() * 3, drops: () => false }).bus,
    meanwhile: calm
  }),
  "with a bus that is late and loses messages": () => ({
    bus: unreliableBus({ delay: () => Math.random() * 300, drops: () => Math.random() < 0.5 }).bus,
    meanwhile: calm
  }),
  "with a bus that is cut again and again": () => {
    const { bus, cut } = unreliableBus({ delay: () => Math.random() * 10, drops: () => false })
    return { bus, meanwhile: Effect.delay(cut, "100 millis") }
  }
}

describe.each(Object.entries(stores))("tiers over %s", (_name, below) => {
  describe.each(Object.entries(buses))("%s", (_what, make) => {
    it.scopedLive("are never older than they may be", () =>
      Effect.gen(function* () {
        const { bus, meanwhile } = make()
        const namespace = freshNamespace()
        const tiers = yield* Effect.forEach([0, 1, 2], () => tierOver(below(namespace), { maxStaleness }, bus))
        // the last one is a writer without a tier and without a bus
        const bare = Context.get(yield* Layer.build(Layer.fresh(below(namespace))), CacheBackend)
        const all = [...tiers, bare]
        const { hits, otherOld, ownOld, reads } = yield* attack(all, meanwhile)
        expect({ ownOld, otherOld }).toEqual({ ownOld: 0, otherOld: 0 })
        expect(reads).toBeGreaterThan(operations / 2)
        expect(hits).toBeGreaterThan(reads / 4)
      })
    )
  })
})
