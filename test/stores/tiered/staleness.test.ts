/** What a tier promises: in the own process nothing older than an invalidation, in others nothing older than `maxStaleness`. */
import { afterAll, describe, expect, it } from "@effect/vitest"
import { Context, Effect, Exit, Layer, Scope } from "effect"
import { CacheBackend, type CacheBusService } from "effect-cached"
import * as MemcachedBackend from "effect-cached/MemcachedBackend"
import * as RedisBackend from "effect-cached/RedisBackend"
import { memcachedServers } from "../../servers/memcached.js"
import { redisUrl } from "../../servers/redis.js"
import { sized, whole } from "../../support/size.js"
import { freshNamespace } from "../memcached/support.js"
import { attack } from "./attack.js"
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

const maxStaleness = 150
const operations = sized(whole ? 6_000 : 3_000, 100_000)

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
        const { hits, otherOld, ownOld, reads } = yield* attack(all, { operations, maxStaleness, meanwhile })
        expect({ ownOld, otherOld }).toEqual({ ownOld: 0, otherOld: 0 })
        expect(reads).toBeGreaterThan(operations / 2)
        expect(hits).toBeGreaterThan(reads / 4)
      })
    )
  })
})
