/** Stores as tests take them: the public contract, or what the engine sees. */
import { Effect } from "effect"
import type { CacheStore } from "../../src/CacheStore.js"
import { withFiber } from "../../src/internal/runtime/fiber.js"
import { fromPlain } from "../../src/internal/stores/fromPlain.js"
import type { Store } from "../../src/internal/stores/Store.js"

export type AnyStore = CacheStore | Store

const isEngineStore = (store: AnyStore): store is Store => "local" in store

export const engineStore = (store: AnyStore): Store => (isEngineStore(store) ? store : fromPlain(store))

/** The six primitives alone: a store whose every read is an Effect. */
export const plain = (store: AnyStore): CacheStore => {
  if (!isEngineStore(store)) return store
  const { local: _local, read, ...others } = store
  return { ...others, read: (keys) => withFiber((fiber) => read(fiber, keys, Effect.succeed, Effect.fail)) }
}
