/**
 * The operations of `CacheBackend` as functions, for calls without `yield* CacheBackend`.
 *
 * @since 0.1.0
 */
import { type Duration, Effect, type Option, type Schema, Stream } from "effect"
import {
  CacheBackend,
  type CacheInspection,
  type CacheStats,
  type GetOrSetOptions,
  type Key,
  type SetOptions,
  type TypedOptions,
  type Unscoped,
  type VersionOption
} from "./CacheBackend.js"
import type { CacheError, NoCachedValue } from "./CacheError.js"
import type { CacheEvent } from "./CacheEvent.js"

/** See `CacheBackendService.get`. @since 0.1.0 */
export function get<A>(key: Key, options: TypedOptions<A>): Effect.Effect<Option.Option<A>, CacheError, CacheBackend>
export function get(key: Key, options?: VersionOption): Effect.Effect<Option.Option<unknown>, CacheError, CacheBackend>
export function get(key: Key, options?: VersionOption) {
  return Effect.flatMap(CacheBackend, (cache) => cache.get(key, options))
}

/** See `CacheBackendService.getMany`. @since 0.1.0 */
export function getMany<A>(
  keys: Iterable<Key>,
  options: TypedOptions<A>
): Effect.Effect<ReadonlyMap<Key, A>, CacheError, CacheBackend>
export function getMany(
  keys: Iterable<Key>,
  options?: VersionOption
): Effect.Effect<ReadonlyMap<Key, unknown>, CacheError, CacheBackend>
export function getMany(keys: Iterable<Key>, options?: VersionOption) {
  return Effect.flatMap(CacheBackend, (cache) => cache.getMany(keys, options))
}

/** See `CacheBackendService.has`. @since 0.1.0 */
export const has = (key: Key, options?: VersionOption): Effect.Effect<boolean, CacheError, CacheBackend> =>
  Effect.flatMap(CacheBackend, (cache) => cache.has(key, options))

/** See `CacheBackendService.set`. @since 0.1.0 */
export const set = <A = unknown>(
  key: Key,
  value: NoInfer<A>,
  options?: SetOptions<A>
): Effect.Effect<void, CacheError, CacheBackend> =>
  Effect.flatMap(CacheBackend, (cache) => cache.set(key, value, options))

/** See `CacheBackendService.setMany`. @since 0.1.0 */
export const setMany = <A = unknown>(
  entries: Iterable<readonly [Key, NoInfer<A>]>,
  options?: SetOptions<A>
): Effect.Effect<ReadonlyArray<Key>, CacheError, CacheBackend> =>
  Effect.flatMap(CacheBackend, (cache) => cache.setMany(entries, options))

/** See `CacheBackendService.add`. @since 0.1.0 */
export const add = <A = unknown>(
  key: Key,
  value: NoInfer<A>,
  options?: SetOptions<A>
): Effect.Effect<boolean, CacheError, CacheBackend> =>
  Effect.flatMap(CacheBackend, (cache) => cache.add(key, value, options))

/** See `CacheBackendService.getOrSet`. @since 0.1.0 */
export const getOrSet = <B extends A, E, R, A = B>(
  key: Key,
  effect: Effect.Effect<B, E, R> & Unscoped<R>,
  options?: GetOrSetOptions<NoInfer<A>, NoInfer<E>, NoInfer<R>> & {
    // biome-ignore lint/suspicious/noExplicitAny: as in `MemoOptions`
    readonly schema?: Schema.Schema<A, any>
  }
): Effect.Effect<A, E | CacheError, R | CacheBackend> =>
  Effect.flatMap(CacheBackend, (cache) => cache.getOrSet(key, effect, options))

/** See `CacheBackendService.touch`. @since 0.1.0 */
export const touch = (
  key: Key,
  ttl?: Duration.DurationInput,
  options?: VersionOption
): Effect.Effect<boolean, CacheError, CacheBackend> =>
  Effect.flatMap(CacheBackend, (cache) => cache.touch(key, ttl, options))

/** See `CacheBackendService.increment`. @since 0.1.0 */
export const increment = (
  key: Key,
  by?: number,
  options?: VersionOption
): Effect.Effect<number, CacheError | NoCachedValue, CacheBackend> =>
  Effect.flatMap(CacheBackend, (cache) => cache.increment(key, by, options))

const delete_ = (key: Key, options?: VersionOption): Effect.Effect<boolean, CacheError, CacheBackend> =>
  Effect.flatMap(CacheBackend, (cache) => cache.delete(key, options))

export {
  /** See `CacheBackendService.delete`. @since 0.1.0 */
  delete_ as delete
}

/** See `CacheBackendService.deleteMany`. @since 0.1.0 */
export const deleteMany = (
  keys: Iterable<Key>,
  options?: VersionOption
): Effect.Effect<number, CacheError, CacheBackend> =>
  Effect.flatMap(CacheBackend, (cache) => cache.deleteMany(keys, options))

/** See `CacheBackendService.invalidateGroup`. @since 0.1.0 */
export const invalidateGroup = (name: string, options?: VersionOption): Effect.Effect<void, CacheError, CacheBackend> =>
  Effect.flatMap(CacheBackend, (cache) => cache.invalidateGroup(name, options))

/** See `CacheBackendService.clear`. @since 0.1.0 */
export const clear: Effect.Effect<void, CacheError, CacheBackend> = Effect.flatMap(CacheBackend, (cache) => cache.clear)

/** See `CacheBackendService.stats`. @since 0.1.0 */
export const stats: Effect.Effect<CacheStats, never, CacheBackend> = Effect.flatMap(
  CacheBackend,
  (cache) => cache.stats
)

/** See `CacheBackendService.inspect`. @since 0.1.0 */
export const inspect = (
  key: Key,
  options?: VersionOption
): Effect.Effect<Option.Option<CacheInspection>, CacheError, CacheBackend> =>
  Effect.flatMap(CacheBackend, (cache) => cache.inspect(key, options))

/** See `CacheBackendService.events`. @since 0.1.0 */
export const events: Stream.Stream<CacheEvent, never, CacheBackend> = Stream.unwrap(
  Effect.map(CacheBackend, (cache) => cache.events)
)
