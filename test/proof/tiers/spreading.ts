/**
 * How fast an invalidation spreads: three tiers, as three processes have them, read 20 keys again and again. A fourth invalidates
 * one at a time, with a bus and without. For how long does a tier serve the old value?
 */
import { Context, Effect, Layer, type Scope } from "effect"
import { CacheBackend, type CacheBackendService, cached } from "effect-cached"
import { type StoreDescription, storeLayer, withTier } from "../../cluster/stores.js"
import { count, percentile, type Row, type Scenario, storeTitles } from "../scenario.js"

/** The default, in milliseconds. */
const maxStaleness = 1_000
const readers = 3
const keys = 20
const lasting = 15_000
const step = 20

export interface SpreadingFigures {
  readonly bus: boolean
  /** Milliseconds, as all below. */
  readonly maxStaleness: number
  readonly median: number
  readonly p99: number
  readonly longest: number
  readonly samples: number
  /** Which share of the tiers still served the old value so long after the invalidation. */
  readonly stillOld: ReadonlyArray<{ readonly at: number; readonly share: number }>
}

const serviceOf = (store: StoreDescription): Effect.Effect<CacheBackendService, unknown, Scope.Scope> =>
  Effect.map(Layer.build(Layer.fresh(storeLayer(store))), (context) => Context.get(context, CacheBackend))

/** What a reader has yet to see. */
interface Awaited {
  readonly version: number
  /** When the invalidation had returned. */
  readonly at: number
  /** For how many milliseconds after that the old value was read. */
  age: number
}

/** For each invalidation and reader: milliseconds for which the old value was read. */
const agesOf = (tier: StoreDescription) =>
  Effect.gen(function* () {
    const truth = new Array<number>(keys).fill(0)
    const ages: Array<number> = []
    const product = cached((id: number) => Effect.sync(() => truth[id] ?? 0), { key: "product", ttl: "1 hour" })
    const writer = yield* serviceOf(tier)
    const awaited = Array.from({ length: readers }, () => new Map<number, Awaited>())

    const read = (cache: CacheBackendService, mine: Map<number, Awaited>, id: number) =>
      Effect.gen(function* () {
        const begin = performance.now()
        const version = yield* Effect.provideService(product(id), CacheBackend, cache)
        const change = mine.get(id)
        // It began before the invalidation had returned, so either value is right.
        if (change === undefined || begin < change.at) return
        if (version < change.version) {
          change.age = begin - change.at
          return
        }
        ages.push(change.age)
        mine.delete(id)
      })

    const reading = Effect.forEach(
      awaited,
      (mine) =>
        Effect.flatMap(serviceOf(tier), (cache) =>
          Effect.forever(
            Effect.zipRight(
              Effect.forEach(truth, (_version, id) => read(cache, mine, id)),
              Effect.sleep("5 millis")
            )
          )
        ),
      { concurrency: "unbounded", discard: true }
    )

    const writing = Effect.gen(function* () {
      yield* Effect.sleep("1 second")
      const end = performance.now() + lasting
      for (let id = 0; performance.now() < end; id = (id + 1) % keys) {
        yield* Effect.sleep(50 + Math.random() * 100)
        const version = (truth[id] ?? 0) + 1
        truth[id] = version
        yield* Effect.provideService(product.invalidate(id), CacheBackend, writer)
        const at = performance.now()
        for (const mine of awaited) mine.set(id, { version, at, age: 0 })
      }
      yield* Effect.sleep(maxStaleness + 500)
    })
    yield* Effect.raceFirst(writing, reading)
    const unseen = awaited.reduce((sum, mine) => sum + mine.size, 0)
    return { ages, unseen }
  }).pipe(Effect.scoped)

const measure = (store: string, tier: StoreDescription, hasBus: boolean) =>
  Effect.map(agesOf(tier), ({ ages, unseen }): Row => {
    const longest = Math.max(...ages)
    const bus = hasBus ? "with its bus" : "without a bus"
    return {
      what: `an invalidation reaches ${readers} other tiers (maxStaleness ${count(maxStaleness)} ms) ${bus}: how long the old value was read, median; 99 of 100; longest`,
      store,
      measured: `${percentile(ages, 0.5).toFixed(0)} ms; ${percentile(ages, 0.99).toFixed(0)} ms; ${longest.toFixed(0)} ms of ${count(ages.length)}${unseen === 0 ? "" : `, ${unseen} never seen`}`,
      kept: ages.length > 0 && longest < maxStaleness && unseen === 0,
      figures: {
        bus: hasBus,
        maxStaleness,
        median: Math.round(percentile(ages, 0.5)),
        p99: Math.round(percentile(ages, 0.99)),
        longest: Math.round(longest),
        samples: ages.length,
        stillOld: Array.from({ length: maxStaleness / step + 1 }, (_, index) => ({
          at: index * step,
          share: Number((ages.filter((age) => age > index * step).length / ages.length).toFixed(4))
        }))
      } satisfies SpreadingFigures
    }
  })

export const spreading: Scenario = ({ server, store }) =>
  Effect.flatMap(server({ faulty: false }), ({ store: below }) => {
    const tier = withTier(below, maxStaleness)
    const cases: ReadonlyArray<StoreDescription> = tier.bus === undefined ? [tier] : [tier, { ...tier, bus: undefined }]
    return Effect.forEach(cases, (one) =>
      measure(storeTitles[store], one, one._tag === "tiered" && one.bus !== undefined)
    )
  })
