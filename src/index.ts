/**
 * Memoize any Effect in a shared cache, so that no stampede, no stale write and no dead cache server ever reaches the
 * user.
 *
 * @since 0.1.0
 */
export * from "./accessors.js"
export * from "./afterCommit.js"
export * as ByteStore from "./ByteStore.js"
export * from "./CacheBackend.js"
export * from "./CacheBus.js"
export * from "./CachedFunction.js"
export * from "./CachedManyFunction.js"
export * from "./CacheError.js"
export * from "./CacheEvent.js"
export * as CacheStore from "./CacheStore.js"
export * from "./cached.js"
export * from "./cachedMany.js"
export * from "./cachedResolver.js"
export * as MemoryBackend from "./MemoryBackend.js"
export * as NoopBackend from "./NoopBackend.js"
export * as StoreBackend from "./StoreBackend.js"
export * as TieredBackend from "./TieredBackend.js"
