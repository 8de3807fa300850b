/**
 * The six primitives as a store outside this process sees them: bytes under a key, with a lifetime. A driver for
 * another server (Redis, DynamoDB, …) implements this and becomes a `CacheStore` through `toCacheStore`.
 *
 * @since 0.1.0
 */
import { Effect, type Option } from "effect"
import type { CacheError } from "./CacheError.js"
import type { CacheStore, RejectedItem, StoreSize, Token } from "./CacheStore.js"
import { overBytes, toStoredEntry } from "./internal/records/records.js"

/**
 * What is to be stored: the bytes, and for how long in milliseconds by the store's own clock (more than 0; `Infinity`
 * is for ever). A store with a coarser clock rounds up: the bytes know their exact times.
 *
 * @since 0.1.0
 * @category models
 */
export interface ByteRecord {
  readonly bytes: Uint8Array
  readonly lifetime: number
}

/**
 * @since 0.1.0
 * @category models
 */
export interface StoredBytes {
  readonly token: Token
  readonly bytes: Uint8Array
}

/**
 * @since 0.1.0
 * @category models
 */
export interface ByteItem {
  readonly key: string
  readonly record: ByteRecord
}

/**
 * See `CacheStore` for the meaning of each primitive: the two differ only in what a record is.
 *
 * @since 0.1.0
 * @category models
 */
export interface ByteStore {
  readonly name: string
  readonly read: (keys: ReadonlyArray<string>) => Effect.Effect<ReadonlyArray<StoredBytes | undefined>, CacheError>
  readonly write: (items: ReadonlyArray<ByteItem>) => Effect.Effect<ReadonlyArray<RejectedItem>, CacheError>
  readonly add: (key: string, record: ByteRecord) => Effect.Effect<Option.Option<Token>, CacheError>
  readonly replace: (key: string, token: Token, record: ByteRecord) => Effect.Effect<Option.Option<Token>, CacheError>
  readonly remove: (keys: ReadonlyArray<string>) => Effect.Effect<number, CacheError>
  readonly clear: Effect.Effect<void, CacheError>
  readonly size?: Effect.Effect<StoreSize, CacheError>
}

/**
 * A `CacheStore` over a driver that keeps bytes. Its payloads are `Uint8Array`s; lifetimes are counted from Effect's
 * `Clock`. A record whose bytes are no entry reads as one with `entry: undefined`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const toCacheStore = (byteStore: ByteStore): CacheStore => ({
  ...overBytes(byteStore),
  read: (keys) => Effect.map(byteStore.read(keys), (records) => records.map(toStoredEntry))
})
