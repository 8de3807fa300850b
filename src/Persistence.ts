/**
 * The `Persistence` of `@effect/experimental` over any `CacheBackend`: for `PersistedCache`, `RequestResolver.persisted`, and what
 * else is made for it. Needs the packages `@effect/experimental` and `@effect/platform`.
 *
 * @since 0.1.0
 */
import * as Persistence from "@effect/experimental/Persistence"
import { Array as Arr, Duration, Effect, Layer, Option } from "effect"
import { CacheBackend, type CacheBackendService, type Key } from "./CacheBackend.js"
import { CacheError } from "./CacheError.js"

const failing =
  (method: string) =>
  <A>(operation: Effect.Effect<A, CacheError>): Effect.Effect<A, Persistence.PersistenceError> =>
    Effect.mapError(operation, (error) => Persistence.PersistenceBackingError.make(method, error))

/** A value without a time to live stays until it is removed or evicted. */
const ttlOf = (ttl: Option.Option<Duration.Duration>): Duration.Duration =>
  Option.getOrElse(ttl, () => Duration.infinity)

const notStored = (rejected: number, all: number): CacheError =>
  new CacheError({
    reason: "Encode",
    operation: "setMany",
    description: `${rejected} of ${all} values can't be stored; the log says why`
  })

type Entries = Parameters<Persistence.BackingPersistenceStore["setMany"]>[0]

const storeOn = (cache: CacheBackendService, storeId: string): Persistence.BackingPersistenceStore => {
  const group = `persistence:${storeId}`
  const groups = [group]
  const named = (key: string): Key => ["persistence", storeId, key]

  /** One write for all values with the same time to live. Of two with the same key the last one counts. */
  const setMany = (entries: Entries): Effect.Effect<void, CacheError> =>
    Effect.suspend(() => {
      const last = new Map(entries.map((entry) => [entry[0], entry]))
      const byTtl = Arr.groupBy(last.values(), ([, , ttl]) => `${Duration.toMillis(ttlOf(ttl))}`)
      return Effect.flatMap(
        Effect.forEach(Object.values(byTtl), (together) =>
          cache.setMany(
            together.map(([key, value]) => [named(key), value]),
            { ttl: ttlOf(together[0][2]), groups }
          )
        ),
        (rejected) => {
          const count = rejected.flat().length
          return count === 0 ? Effect.void : Effect.fail(notStored(count, last.size))
        }
      )
    })

  return {
    get: (key) => failing("get")(cache.get(named(key))),
    getMany: (keys) =>
      failing("getMany")(
        Effect.suspend(() => {
          const names = keys.map(named)
          return Effect.map(cache.getMany(names), (found) =>
            names.map((name) => (found.has(name) ? Option.some(found.get(name)) : Option.none()))
          )
        })
      ),
    set: (key, value, ttl) => failing("set")(cache.set(named(key), value, { ttl: ttlOf(ttl), groups })),
    setMany: (entries) => failing("setMany")(setMany(entries)),
    remove: (key) => failing("remove")(Effect.asVoid(cache.delete(named(key)))),
    clear: failing("clear")(cache.invalidateGroup(group))
  }
}

/**
 * `BackingPersistence` over the cache that is provided. A `storeId` is a group of the cache: its `clear` is one write, and touches
 * no other store.
 *
 * A value without a time to live stays until it is removed, or evicted where the cache is bounded. Values are what the schemas
 * encode; what a cache in bytes can't store, and each `CacheError`, is a `PersistenceBackingError` with that `cause`. `setMany`
 * stores what it can before it fails.
 *
 * Round trips: `get`, `getMany` and `set` 2, `setMany` 2 for each different time to live, `remove` 3, `clear` 1.
 *
 * @example
 * import { PersistedCache } from "@effect/experimental"
 * import { Effect, Layer, PrimaryKey, Schema } from "effect"
 * import * as Persistence from "effect-cached/Persistence"
 * import * as RedisBackend from "effect-cached/RedisBackend"
 *
 * class CityById extends Schema.TaggedRequest<CityById>()("CityById", {
 *   payload: { id: Schema.Number },
 *   success: Schema.String,
 *   failure: Schema.String
 * }) {
 *   [PrimaryKey.symbol]() {
 *     return `${this.id}`
 *   }
 * }
 *
 * const program = Effect.gen(function* () {
 *   const cities = yield* PersistedCache.make({
 *     storeId: "cities",
 *     lookup: ({ id }: CityById) => Effect.succeed(`city ${id}`),
 *     timeToLive: () => "1 hour"
 *   })
 *   return yield* cities.get(new CityById({ id: 1 }))
 * })
 *
 * const Live = Persistence.layerResult.pipe(Layer.provide(RedisBackend.layer({ url: "redis://10.0.0.1" })))
 *
 * Effect.runPromise(Effect.scoped(program).pipe(Effect.provide(Live)))
 *
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<Persistence.BackingPersistence, never, CacheBackend> = Layer.effect(
  Persistence.BackingPersistence,
  Effect.map(CacheBackend, (cache) =>
    Persistence.BackingPersistence.of({
      [Persistence.BackingPersistenceTypeId]: Persistence.BackingPersistenceTypeId,
      make: (storeId) => Effect.succeed(storeOn(cache, storeId))
    })
  )
)

/**
 * `ResultPersistence` over the cache that is provided: what `PersistedCache` and `RequestResolver.persisted` ask for.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerResult: Layer.Layer<Persistence.ResultPersistence, never, CacheBackend> =
  Persistence.layerResult.pipe(Layer.provide(layer))
