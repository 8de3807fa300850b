/** Stores as tests take them: the public contract, or what the engine sees. */
import type { CacheStore } from "../../src/CacheStore.js"
import { fromPlain } from "../../src/internal/stores/fromPlain.js"
import { unfused } from "../../src/internal/stores/fused.js"
import type { Store } from "../../src/internal/stores/Store.js"

export type AnyStore = CacheStore | Store

const isEngineStore = (store: AnyStore): store is Store => "local" in store

export const engineStore = (store: AnyStore): Store => (isEngineStore(store) ? store : fromPlain(store))

/** The six primitives alone: a store whose every read is an Effect. */
export const plain = (store: AnyStore): CacheStore => {
  if (!isEngineStore(store)) return store
  const { local: _local, read, write, ...others } = store
  return { ...others, read: unfused(read), write: unfused(write) }
}
