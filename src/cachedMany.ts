/**
 * Memoizes functions that load many keys at once.
 *
 * @since 0.1.0
 */
import type { Effect, Schema } from "effect"
import type { CacheBackend } from "./CacheBackend.js"
import type { CachedManyFunctionOf, CachedManyOptions } from "./CachedManyFunction.js"
import type { Unscoped } from "./CacheOptions.js"
import type { BackendOption } from "./cached.js"
import { cachedMany as untyped } from "./internal/memoized/lifting/liftMany.js"

/**
 * A memoized function of many keys in the program's `CacheBackend`. `CachedManyFunctionOf` says what its operations do.
 *
 * @example
 * import { Effect } from "effect"
 * import { cachedMany } from "effect-cached"
 *
 * const square = cachedMany(
 *   (numbers: ReadonlyArray<number>) => Effect.sync(() => numbers.map((n) => [n, n * n] as const)),
 *   { key: "square", ttl: "1 hour" }
 * )
 *
 * const program = Effect.gen(function* () {
 *   yield* square([12, 7]) //              Map { 12 => 144, 7 => 49 }
 *   yield* square.one(12) //               Option.some(144)
 *   yield* square.invalidate([12])
 *   yield* square.forceRecalc([12, 7]) //  Map { 12 => 144, 7 => 49 }, computed again
 *   yield* square.requireCache([12, 5]) // Map { 12 => 144 }
 *   return square.cacheKey(12) //          "square(12)"
 * })
 *
 * @since 0.1.0
 * @category models
 */
export interface CachedManyFunction<in out K, out A, out E, out R>
  extends CachedManyFunctionOf<CacheBackend, K, A, E, R> {}

/** A short name for the usual case. */
type FunctionIn<Backend, K, A, E, R> = [Backend] extends [CacheBackend]
  ? CachedManyFunction<K, A, E, R>
  : CachedManyFunctionOf<Backend, K, A, E, R>

/**
 * Memoizes a function that loads many keys at once, key by key. What is cached is read in one round trip; what is not is loaded in
 * one `load`, each key by one caller of all processes. Its keys and options mean what they mean for `cached`: stale values are
 * served while one caller reloads them, each key has groups of its own, and what is invalidated during a load is not stored.
 *
 * A load that fails fails those calls that need its keys. It is interrupted when none of its keys has a waiting caller. Inside a
 * SQL transaction it reads the cache, loads what is missing, and stores nothing.
 *
 * @param load returns pairs of a key and its value; a key that it leaves out has none. An equal key will do, it need not be the
 *   same object.
 *
 * @example
 * import { Effect } from "effect"
 * import { cachedMany, MemoryBackend } from "effect-cached"
 *
 * interface City {
 *   readonly slug: string
 *   readonly name: string
 * }
 * declare const findCities: (slugs: ReadonlyArray<string>) => Effect.Effect<ReadonlyArray<City>>
 *
 * const citiesBySlug = cachedMany(
 *   (slugs: ReadonlyArray<string>) => Effect.map(findCities(slugs), (rows) => rows.map((city) => [city.slug, city] as const)),
 *   { key: "city", ttl: "1 day", missing: "1 minute", groups: (slug) => ["cities", `city ${slug}`] }
 * )
 *
 * const program = citiesBySlug(["lisbon", "porto", "atlantis"]) // a Map of two
 *
 * Effect.runPromise(program.pipe(Effect.provide(MemoryBackend.layer({ maxEntries: 1_000 }))))
 *
 * @since 0.1.0
 * @category combinators
 */
export const cachedMany: <K, B extends A, E, R, A = B, Backend = CacheBackend>(
  load: ((keys: ReadonlyArray<K>) => Effect.Effect<Iterable<readonly [K, B]>, E, R>) & Unscoped<R>,
  options: CachedManyOptions<NoInfer<A>, NoInfer<K>, NoInfer<E>> &
    BackendOption<Backend> & {
      // biome-ignore lint/suspicious/noExplicitAny: as in `MemoOptions`
      readonly schema?: Schema.Schema<A, any>
    }
) => FunctionIn<Backend, K, A, E, R> =
  // The implementation is untyped.
  untyped as never
