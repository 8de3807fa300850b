/** A program with several caches: each has a tag and a layer of its own, and they share nothing. */
import { SqlClient } from "@effect/sql/SqlClient"
import { assert, describe, it } from "@effect/vitest"
import {
  Cause,
  Context,
  Deferred,
  Effect,
  Exit,
  Fiber,
  Layer,
  Metric,
  MetricState,
  Option,
  Request,
  RequestResolver
} from "effect"
import {
  afterCommit,
  asCached,
  CacheBackend,
  type CacheBackendService,
  type CacheError,
  cached,
  cachedMany,
  cachedResolver,
  get,
  MemoryBackend,
  NoopBackend,
  StoreBackend,
  set,
  TieredBackend
} from "effect-cached"
import * as MemcachedBackend from "effect-cached/MemcachedBackend"
import * as RedisBackend from "effect-cached/RedisBackend"
import * as SqlBackend from "effect-cached/SqlBackend"
import { it as plainIt } from "vitest"
import { memcached } from "../servers/memcached.js"
import { redisUrl } from "../servers/redis.js"
import { client, freshTable } from "../stores/postgres/support.js"
import { eventually } from "../suites/cached/ground.js"
import { memoryStore } from "../support/backend.js"
import { Said } from "../support/everythingSaid.js"
import { listening } from "../support/listening.js"
import { plain } from "../support/stores.js"

class Sessions extends CacheBackend.Tag("Sessions")<Sessions>() {}
class Pages extends CacheBackend.Tag("Pages")<Pages>() {}

const caches = <E, R>(layer: Layer.Layer<CacheBackend, E, R>) =>
  Layer.mergeAll(layer, CacheBackend.layerOf(Sessions, layer), CacheBackend.layerOf(Pages, layer))

const all: ReadonlyArray<Context.Tag<CacheBackend | Sessions | Pages, CacheBackendService>> = [
  CacheBackend,
  Sessions,
  Pages
] as never

const counting = () => {
  let runs = 0
  return Effect.sync(() => ++runs)
}

describe("the option backend", () => {
  const live = caches(MemoryBackend.layer())

  it.effect("names the cache of a function of many keys, and of a resolver", () =>
    Effect.gen(function* () {
      class NameOf extends Request.TaggedClass("NameOf")<string, never, { readonly id: number }> {}
      const f = cachedMany((ids: ReadonlyArray<number>) => Effect.succeed(ids.map((id) => [id, id] as const)), {
        key: "many",
        backend: Sessions
      })
      yield* f([1, 2])
      yield* f.one(3)
      const resolver = yield* cachedResolver(
        RequestResolver.fromFunction(({ id }: NameOf) => `name ${id}`),
        { key: "name", backend: Pages }
      )
      yield* Effect.request(new NameOf({ id: 4 }), resolver)
      const entries = Effect.forEach([CacheBackend, Sessions, Pages], (tag) =>
        Effect.flatMap(tag as typeof CacheBackend, ({ stats }) => Effect.map(stats, ({ stored }) => stored))
      )
      assert.deepStrictEqual(yield* entries, [0, 3, 1])
      assert.deepStrictEqual(yield* f.requireCache([1, 2]), new Map([1, 2].map((id) => [id, id])))
      yield* f.invalidate([1])
      assert.deepStrictEqual([...(yield* f.requireCache([1, 2])).keys()], [2])
      yield* f.forceRecalc([1])
      assert.deepStrictEqual(yield* entries, [0, 4, 1])
    }).pipe(Effect.provide(live))
  )

  it.effect("names the cache of a function, with all its operations", () =>
    Effect.gen(function* () {
      const run = counting()
      const f = cached((n: number) => Effect.map(run, (count) => n + count), {
        key: "f",
        backend: Sessions,
        groups: ["group"]
      })
      assert.strictEqual(yield* f(100), 101)
      assert.strictEqual(yield* f(100), 101)
      assert.strictEqual(yield* f.requireCache(100), 101)
      assert.deepStrictEqual(yield* (yield* Sessions).get(f.cacheKey(100)), Option.some(101))
      assert.deepStrictEqual(yield* (yield* Pages).get(f.cacheKey(100)), Option.none())
      assert.deepStrictEqual(yield* get(f.cacheKey(100)), Option.none())
      assert.strictEqual(yield* f.forceRecalc(100), 102)
      yield* f.invalidate(100)
      assert.strictEqual((yield* Effect.flip(f.requireCache(100)))._tag, "NoCachedValue")
      assert.strictEqual(yield* f(100), 103)
      yield* (yield* Pages).invalidateGroup("group")
      assert.strictEqual(yield* f(100), 103)
      yield* (yield* Sessions).invalidateGroup("group")
      assert.strictEqual(yield* f(100), 104)
    }).pipe(Effect.provide(live))
  )

  it.effect("of an effect, in a pipe, and of a decorated method", () =>
    Effect.gen(function* () {
      const effect = counting().pipe(cached({ key: "effect", backend: Sessions }))
      assert.deepStrictEqual([yield* effect, yield* effect, yield* effect.forceRecalc], [1, 1, 2])
      assert.strictEqual(yield* cached(Effect.succeed(7), { key: "seven", backend: Sessions }), 7)
      const run = counting()
      const f = cached({ key: "f", backend: Sessions })((_: number) => run)
      assert.deepStrictEqual([yield* f(1), yield* f(1), yield* f(2)], [1, 1, 2])

      class Users {
        @cached({ key: "Users.byId", backend: Sessions })
        byId(_: number): Effect.Effect<number, never, Sessions> {
          return run
        }
      }
      const users = new Users()
      assert.deepStrictEqual([yield* users.byId(1), yield* users.byId(1)], [3, 3])
      yield* asCached(users.byId, Sessions).invalidate(1)
      assert.strictEqual(yield* users.byId(1), 4)
    }).pipe(Effect.provide(live))
  )

  it.effect("a function goes with whichever layer its callers have, hit after hit", () =>
    Effect.gen(function* () {
      const run = counting()
      const f = cached(() => run, { key: "f", backend: Sessions })
      const one = yield* Layer.build(CacheBackend.layerOf(Sessions, MemoryBackend.layer()))
      const two = yield* Layer.build(CacheBackend.layerOf(Sessions, MemoryBackend.layer()))
      for (let round = 0; round < 5; round++) {
        assert.strictEqual(yield* Effect.provide(f(), one), 1)
        assert.strictEqual(yield* Effect.provide(f(), two), 2)
      }
    }).pipe(Effect.scoped)
  )

  it.effect("without its layer the call dies, and says which cache is missing", () =>
    Effect.gen(function* () {
      const f = cached(() => Effect.void, { key: "f", backend: Sessions })
      // As a program would be without types.
      const exit = yield* Effect.exit(Effect.provide(f(), MemoryBackend.layer()) as Effect.Effect<void>)
      assert.include(Exit.match(exit, { onFailure: Cause.pretty, onSuccess: String }), "CacheBackend/Sessions")
    })
  )

  // With services of a test the caller would have services of his own, which are closed when he has left.
  plainIt("is no service that a computation in the background could lose with the caller who started it", () =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      let runs = 0
      const f = cached(
        () =>
          Effect.suspend(() =>
            runs++ === 0 ? Effect.succeed("old") : Effect.zipRight(Deferred.await(gate), Effect.fail("no"))
          ),
        { key: "f", backend: Sessions, ttl: "1 millis", stale: "1 hour", lease: "1 hour", revalidate: "background" }
      )
      yield* f()
      yield* Effect.sleep("5 millis")
      assert.strictEqual(yield* Fiber.join(yield* Effect.fork(f())), "old")
      yield* Deferred.succeed(gate, undefined)
      const sessions = yield* Sessions
      yield* eventually(sessions.stats, ({ failed }) => failed === 1)
      // It has failed by itself: nobody tries again until its lease ends.
      assert.isTrue(Option.isSome(Option.getOrThrow(yield* sessions.inspect(f.cacheKey())).lease))
      assert.strictEqual(yield* f(), "old")
      assert.strictEqual(runs, 2)
    }).pipe(Effect.provide(CacheBackend.layerOf(Sessions, MemoryBackend.layer())), Effect.runPromise)
  )
})

describe("the operations as functions", () => {
  it.effect("are those of whichever cache is provided to them", () =>
    Effect.gen(function* () {
      const inSessions = Effect.provideServiceEffect(CacheBackend, Sessions)
      yield* inSessions(set("a", 1))
      assert.deepStrictEqual(yield* inSessions(get("a")), Option.some(1))
      assert.deepStrictEqual(yield* get("a"), Option.none())
      assert.deepStrictEqual(yield* Effect.flatMap(Sessions, (sessions) => sessions.get("a")), Option.some(1))
    }).pipe(Effect.provide(caches(MemoryBackend.layer())))
  )
})

const share = (
  name: string,
  built: Effect.Effect<Layer.Layer<CacheBackend | Sessions | Pages, unknown>, unknown, never>
) =>
  it.scopedLive(`on ${name}`, () =>
    Effect.gen(function* () {
      const context = yield* Layer.build(yield* built)
      const services = all.map(
        (tag) => Context.unsafeGet(context as Context.Context<unknown>, tag as never) as CacheBackendService
      )
      for (const [index, cache] of services.entries()) {
        yield* cache.set("a", index, { groups: ["group"] })
        yield* cache.set("b", index)
      }
      const values = (key: string) => Effect.forEach(services, (cache) => Effect.map(cache.get(key), Option.getOrNull))
      assert.deepStrictEqual(yield* values("a"), [0, 1, 2])
      yield* services[1]?.invalidateGroup("group") ?? Effect.void
      assert.deepStrictEqual(yield* values("a"), [0, null, 2])
      yield* services[2]?.delete("b") ?? Effect.void
      assert.deepStrictEqual(yield* values("b"), [0, 1, null])
      yield* services[0]?.clear ?? Effect.void
      assert.deepStrictEqual(yield* values("a"), [null, null, 2])
      assert.deepStrictEqual(yield* values("b"), [null, 1, null])
      yield* services[1]?.clear ?? Effect.void
      assert.deepStrictEqual(yield* values("a"), [null, null, 2])
      assert.deepStrictEqual(yield* values("b"), [null, null, null])
    }).pipe(Effect.orDie)
  )

describe("caches of one layer share nothing, whatever is invalidated or cleared", () => {
  share("memory", Effect.succeed(caches(MemoryBackend.layer())))
  share(
    "PostgreSQL",
    Effect.sync(() => Layer.provide(caches(SqlBackend.layer({ table: freshTable() })), client()))
  )
  share(
    "a tier over PostgreSQL",
    Effect.sync(() =>
      Layer.provide(caches(Layer.provide(TieredBackend.layer(), SqlBackend.layer({ table: freshTable() }))), client())
    )
  )
  const withMemcached = Layer.unwrapScoped(
    Effect.map(memcached(), ({ address }) => caches(MemcachedBackend.layer({ servers: address, timeout: "1 minute" })))
  )
  share("memcached", Effect.succeed(withMemcached))
  const withRedis = Layer.unwrapScoped(Effect.map(redisUrl, (url) => caches(RedisBackend.layer({ url }))))
  share("Redis", Effect.succeed(withRedis))
})

it.effect("a namespace that the layer has is its own affair, and so is that of a store of one's own", () =>
  Effect.gen(function* () {
    const store = yield* memoryStore
    const plainStore = plain(store)
    const seen: Array<string> = []
    const spying = {
      ...plainStore,
      read: (keys: ReadonlyArray<string>) => {
        seen.push(...keys)
        return plainStore.read(keys)
      }
    }
    const asked = <E>(layer: Layer.Layer<CacheBackend, E>) =>
      Effect.provide(
        Effect.flatMap(Sessions, (sessions) => sessions.get("a")),
        CacheBackend.layerOf(Sessions, layer)
      )
    yield* asked(StoreBackend.layer(Effect.succeed(spying)))
    yield* asked(StoreBackend.layer(Effect.succeed(spying), { namespace: "shop" }))
    assert.deepStrictEqual(seen, ["v1:default:a", "v1:shop:a"])
  }).pipe(Effect.scoped)
)

describe("what tells caches apart", () => {
  const tagged = (name: string, label: string) =>
    Effect.map(Metric.snapshot, (pairs) =>
      pairs
        .filter(
          ({ metricKey }) =>
            metricKey.name === name && metricKey.tags.some(({ key, value }) => key === "key" && value === label)
        )
        .map(({ metricKey, metricState }) => [
          metricKey.tags.find(({ key }) => key === "cache")?.value,
          MetricState.isCounterState(metricState) ? metricState.count : undefined
        ])
    )

  it.effect("the label `cache` of metrics, and the attribute `cache.name` of spans", () => {
    const said = new Said()
    return Effect.gen(function* () {
      const label = "namedCaches"
      yield* cached(Effect.void, { key: label })
      yield* cached(Effect.void, { key: label, backend: Sessions })
      yield* (yield* Pages).cached(Effect.void, { key: label })
      assert.sameDeepMembers(yield* tagged("effect_cached_misses_total", label), [
        [undefined, 1],
        ["Sessions", 1],
        ["Pages", 1]
      ])
      yield* Effect.flatMap(Sessions, (sessions) => sessions.invalidateGroup("a"))
      const named = (cache: string) =>
        said.lines.filter((line) => line.includes("cache.name") && line.includes(cache)).length
      // The spans of the computation and of the invalidation.
      assert.deepStrictEqual([named("Sessions"), named("Pages"), said.quoting("cache.name").length], [2, 1, 3])
    }).pipe(Effect.provide(caches(MemoryBackend.layer())), Effect.provide(said.layer))
  })

  it.effect("the stream of events", () =>
    Effect.gen(function* () {
      const sessions = yield* listening(yield* Sessions)
      const pages = yield* listening(yield* Pages)
      yield* cached(Effect.void, { key: "f", backend: Sessions })
      yield* sessions.about("f", 2)
      assert.deepStrictEqual(pages.events, [])
    }).pipe(Effect.scoped, Effect.provide(caches(MemoryBackend.layer())))
  )
})

describe("afterCommit", () => {
  it.scoped("carries out again what was invalidated in each of them", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const f = cached(() => Effect.succeed("new"), { key: "f", backend: Sessions })
      const g = (yield* Pages).cached(() => Effect.succeed("new"), { key: "g" })
      yield* f()
      yield* g()
      yield* afterCommit(
        sql.withTransaction(
          Effect.gen(function* () {
            yield* f.invalidate()
            yield* g.invalidate()
            // Another process stores the old rows before the commit.
            yield* (yield* Sessions).set(f.cacheKey(), "old")
            yield* (yield* Pages).set(g.cacheKey(), "old")
          })
        )
      )
      assert.deepStrictEqual([yield* f(), yield* g()], ["new", "new"])
    }).pipe(Effect.provide(Layer.merge(caches(MemoryBackend.layer()), client())))
  )

  it.scoped("a cache in the database of the transaction is part of it, with the program's client", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const sessions = yield* Sessions
      yield* sessions.set("a", 1)
      const rolledBack = sql.withTransaction(Effect.zipRight(sessions.delete("a"), Effect.fail("no")))
      assert.strictEqual(yield* Effect.flip(rolledBack), "no")
      assert.deepStrictEqual(yield* sessions.get("a"), Option.some(1))
      yield* sql.withTransaction(sessions.delete("a"))
      assert.deepStrictEqual(yield* sessions.get("a"), Option.none())
    }).pipe(
      Effect.provide(
        Layer.provideMerge(CacheBackend.layerOf(Sessions, SqlBackend.layer({ table: freshTable() })), client())
      )
    )
  )
})

it.effect("a cache that is switched off, and a layer that fails", () =>
  Effect.gen(function* () {
    const run = counting()
    const f = cached(() => run, { key: "f", backend: Sessions })
    const off = Effect.provide(Effect.all([f(), f()]), CacheBackend.layerOf(Sessions, NoopBackend.layer))
    assert.deepStrictEqual(yield* off, [1, 2])
    const failing = CacheBackend.layerOf(Sessions, MemoryBackend.layer({ maxEntries: 0 }))
    const error: CacheError = yield* Effect.flip(Effect.provide(f(), failing))
    assert.strictEqual(error.reason, "InvalidOption")
  })
)

it.effect("the layer of a cache is built once, and closes with its program", () =>
  Effect.gen(function* () {
    let builds = 0
    const layer = Layer.merge(
      MemoryBackend.layer(),
      Layer.scopedDiscard(
        Effect.acquireRelease(
          Effect.sync(() => builds++),
          () => Effect.sync(() => builds--)
        )
      )
    )
    const sessions = CacheBackend.layerOf(Sessions, layer)
    const user = Layer.effectDiscard(Effect.flatMap(Sessions, (cache) => cache.set("a", 1)))
    yield* Effect.provide(
      Effect.gen(function* () {
        assert.strictEqual(builds, 1)
        assert.deepStrictEqual(yield* (yield* Sessions).get("a"), Option.some(1))
      }),
      Layer.merge(sessions, Layer.merge(Layer.provide(user, sessions), Layer.provide(user, sessions)))
    )
    assert.strictEqual(builds, 0)
  })
)
