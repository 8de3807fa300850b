/**
 * The contract of a driver that keeps bytes. A driver for another server (Redis, DynamoDB, …) implements its six primitives;
 * `toCacheStore` makes a `CacheStore` of it.
 *
 * @since 0.1.0
 */
import { Effect, type Option } from "effect"
import type { CacheError } from "./CacheError.js"
import type { CacheStore, RejectedItem, StoreSize, Token } from "./CacheStore.js"
import { toStoredEntries } from "./internal/records/entryCodec.js"
import { overBytes, toItems } from "./internal/records/records.js"
import { now } from "./internal/runtime/fiber.js"
import { attempt, checkRead } from "./internal/stores/answers.js"

/**
 * The bytes to be stored, and their `lifetime` on the store's own clock: milliseconds, a whole number of at least 1, or `Infinity`
 * for ever. A store with a coarser clock must round up; the exact times are in the bytes.
 *
 * @since 0.1.0
 * @category models
 */
export interface ByteRecord {
  readonly bytes: Uint8Array
  readonly lifetime: number
}

/**
 * A record that differs from the one that stands in the store in its first bytes only.
 *
 * @since 0.1.0
 * @category models
 */
export interface AmendedRecord extends ByteRecord {
  /** How many bytes at the start of `bytes` are the new ones. What follows stands in the store already. */
  readonly head: number
  /** How many bytes at the start of what stands in the store they take the place of. */
  readonly replaces: number
}

/**
 * The bytes as they were read, and the token for `replace`.
 *
 * @since 0.1.0
 * @category models
 */
export interface StoredBytes {
  readonly token: Token
  readonly bytes: Uint8Array
}

/**
 * One record to be written.
 *
 * @since 0.1.0
 * @category models
 */
export interface ByteItem {
  readonly key: string
  readonly record: ByteRecord
}

/**
 * The primitives mean the same as those of `CacheStore`, which describes each of them: here they keep bytes, there entries. Each
 * should take 1 round trip.
 *
 * @example
 * import { Clock, Effect, Option } from "effect"
 * import type { ByteStore } from "effect-cached"
 *
 * // A driver over a Map. A real one runs the command of its server in each primitive.
 * const records = new Map<string, ByteStore.StoredBytes & { readonly endsAt: number }>()
 *
 * const live = (key: string, now: number) => {
 *   const stored = records.get(key)
 *   return stored === undefined || stored.endsAt <= now ? undefined : stored
 * }
 *
 * const put = (key: string, { bytes, lifetime }: ByteStore.ByteRecord, now: number) => {
 *   const token = Symbol(key)
 *   records.set(key, { bytes, token, endsAt: now + lifetime })
 *   return Option.some(token)
 * }
 *
 * const driver: ByteStore.ByteStore = {
 *   name: "map",
 *   read: (keys) => Effect.map(Clock.currentTimeMillis, (now) => keys.map((key) => live(key, now))),
 *   write: (items) =>
 *     Effect.map(Clock.currentTimeMillis, (now) => {
 *       for (const { key, record } of items) put(key, record, now)
 *       return []
 *     }),
 *   add: (key, record) =>
 *     Effect.map(Clock.currentTimeMillis, (now) =>
 *       live(key, now) === undefined ? put(key, record, now) : Option.none()
 *     ),
 *   replace: (key, token, record) =>
 *     Effect.map(Clock.currentTimeMillis, (now) =>
 *       live(key, now)?.token === token ? put(key, record, now) : Option.none()
 *     ),
 *   remove: (keys) =>
 *     Effect.map(
 *       Clock.currentTimeMillis,
 *       (now) => keys.filter((key) => live(key, now) !== undefined && records.delete(key)).length
 *     ),
 *   clear: Effect.sync(() => records.clear())
 * }
 *
 * @since 0.1.0
 * @category models
 */
export interface ByteStore {
  /** Names the store in logs, metrics and spans. */
  readonly name: string
  readonly read: (keys: ReadonlyArray<string>) => Effect.Effect<ReadonlyArray<StoredBytes | undefined>, CacheError>
  readonly write: (items: ReadonlyArray<ByteItem>) => Effect.Effect<ReadonlyArray<RejectedItem>, CacheError>
  readonly add: (key: string, record: ByteRecord) => Effect.Effect<Option.Option<Token>, CacheError>
  readonly replace: (key: string, token: Token, record: ByteRecord) => Effect.Effect<Option.Option<Token>, CacheError>
  /**
   * Optional. The same as `replace`, where a store can put a new head before the rest of the bytes that it has: it is sent
   * `bytes.subarray(0, head)`.
   */
  readonly amend?: (key: string, token: Token, record: AmendedRecord) => Effect.Effect<Option.Option<Token>, CacheError>
  readonly remove: (keys: ReadonlyArray<string>) => Effect.Effect<number, CacheError>
  readonly clear: Effect.Effect<void, CacheError>
  readonly size?: Effect.Effect<StoreSize, CacheError>
}

/**
 * Makes a `CacheStore` of a driver that keeps bytes. Its location is `network`, its payloads are `Uint8Array`s. The lifetime of a
 * record is counted from now on Effect's `Clock`. A record names its key. Bytes that are no record of
 * the key that was read are `entry: undefined`: a miss that can be overwritten. A read whose answer has another shape than the
 * contract fails with `StoreFailed`.
 *
 * @example
 * import { Effect } from "effect"
 * import { ByteStore, StoreBackend } from "effect-cached"
 *
 * declare const driver: ByteStore.ByteStore
 *
 * const layer = StoreBackend.layer(Effect.succeed(ByteStore.toCacheStore(driver)))
 *
 * @since 0.1.0
 * @category constructors
 */
export const toCacheStore = (byteStore: ByteStore): CacheStore => {
  const store = attempted(byteStore)
  return {
    ...overBytes(store),
    read: (keys) =>
      Effect.flatMap(
        store.read(keys),
        checkRead(store.name, keys, (found: ReadonlyArray<StoredBytes | undefined>) => toStoredEntries(keys, found))
      ),
    write: (items) => Effect.flatMap(now, (time) => store.write(toItems(items, time)))
  }
}

/** The driver, whose throws are its failures. */
const attempted = (store: ByteStore): ByteStore => ({
  ...attemptedAmend(store),
  name: store.name,
  read: (keys) => attempt(store.name, "read", () => store.read(keys)),
  write: (items) => attempt(store.name, "write", () => store.write(items)),
  add: (key, record) => attempt(store.name, "add", () => store.add(key, record)),
  replace: (key, token, record) => attempt(store.name, "replace", () => store.replace(key, token, record)),
  remove: (keys) => attempt(store.name, "remove", () => store.remove(keys)),
  clear: store.clear,
  ...(store.size === undefined ? {} : { size: store.size })
})

const attemptedAmend = (store: ByteStore): Pick<ByteStore, "amend"> =>
  store.amend === undefined
    ? {}
    : {
        amend: (key, token, record) =>
          attempt(store.name, "amend", () => store.amend?.(key, token, record) ?? store.replace(key, token, record))
      }
