/**
 * The contract of a store: six primitives, each one atomic operation, and a seventh that a store may have. Everything else (fresh
 * and stale, leases, groups, increments) is written once above them, so a new backend needs nothing more. A store that keeps bytes
 * implements `ByteStore` instead. The suite in `effect-cached/testing` tells whether a backend keeps the contract.
 *
 * @since 0.1.0
 */
import type { Effect, Option } from "effect"
import type { CacheError } from "./CacheError.js"

/**
 * Identifies one write of an entry, for compare-and-set. Only its store understands it. A store never returns the same token for
 * two writes, not even after the entry was removed and created again.
 *
 * @since 0.1.0
 * @category models
 */
export type Token = unknown

/**
 * The exclusive right to recompute a key, until `until` (milliseconds on Effect's `Clock`) unless renewed.
 *
 * @since 0.1.0
 * @category models
 */
export interface Lease {
  readonly id: string
  readonly until: number
}

/**
 * A cached value and its times, in milliseconds on Effect's `Clock`; `Infinity` is for ever. `payload` is the value itself in a
 * store that keeps references, else its bytes. `computeMillis` is how long computing it took.
 *
 * @since 0.1.0
 * @category models
 */
export interface CachedValue {
  readonly payload: unknown
  readonly freshUntil: number
  readonly staleUntil: number
  readonly computeMillis: number
}

/**
 * The version that a group had when the entry's computation began.
 *
 * @since 0.1.0
 * @category models
 */
export interface GroupVersion {
  /** The finished key of the group's own entry. */
  readonly key: string
  readonly version: string
}

/**
 * What a store keeps under a key: a value, a lease, or both. A lease that has run out, without a value, is a tombstone: the key
 * counts as absent.
 *
 * @since 0.1.0
 * @category models
 */
export interface Entry {
  readonly value: CachedValue | undefined
  readonly lease: Lease | undefined
  readonly groups: ReadonlyArray<GroupVersion>
}

/**
 * When the entry ends, in milliseconds on Effect's `Clock`: then neither its value nor its lease counts, and the store may drop it.
 *
 * @since 0.1.0
 * @category models
 */
export const expiresAt = (entry: Entry): number => Math.max(entry.value?.staleUntil ?? 0, entry.lease?.until ?? 0)

/**
 * An entry as it was read. `entry` is `undefined` if its bytes can't be decoded (foreign bytes, a later format): a miss that can be
 * overwritten with its token.
 *
 * @since 0.1.0
 * @category models
 */
export interface StoredEntry {
  readonly token: Token
  readonly entry: Entry | undefined
}

/**
 * A store of `Entry` objects. Keys are finished: 1 to 250 bytes of printable ASCII without a space. Every operation may fail with a
 * `CacheError`; none may hang for ever. An operation that was interrupted may or may not have happened; it must leave nothing else
 * behind. Each operation should take 1 round trip.
 *
 * @example
 * import { Clock, Effect, Option } from "effect"
 * import { CacheStore, StoreBackend } from "effect-cached"
 *
 * const entries = new Map<string, CacheStore.StoredEntry>()
 *
 * const live = (key: string, now: number) => {
 *   const stored = entries.get(key)
 *   return stored?.entry === undefined || CacheStore.expiresAt(stored.entry) <= now ? undefined : stored
 * }
 *
 * const put = (key: string, entry: CacheStore.Entry) => {
 *   const token = Symbol(key)
 *   entries.set(key, { token, entry })
 *   return Option.some(token)
 * }
 *
 * const store: CacheStore.CacheStore = {
 *   name: "map",
 *   location: "process",
 *   payloads: "references",
 *   read: (keys) => Effect.map(Clock.currentTimeMillis, (now) => keys.map((key) => live(key, now))),
 *   write: (items) =>
 *     Effect.sync(() => {
 *       for (const { key, entry } of items) put(key, entry)
 *       return []
 *     }),
 *   add: (key, entry) =>
 *     Effect.map(Clock.currentTimeMillis, (now) => (live(key, now) === undefined ? put(key, entry) : Option.none())),
 *   replace: (key, token, entry) =>
 *     Effect.sync(() => (entries.get(key)?.token === token ? put(key, entry) : Option.none())),
 *   remove: (keys) =>
 *     Effect.map(
 *       Clock.currentTimeMillis,
 *       (now) => keys.filter((key) => live(key, now) !== undefined && entries.delete(key)).length
 *     ),
 *   clear: Effect.sync(() => entries.clear())
 * }
 *
 * const layer = StoreBackend.layer(Effect.succeed(store))
 *
 * @since 0.1.0
 * @category models
 */
export interface CacheStore {
  /** `memory`, `postgresql`, …: names the store in logs, metrics and spans. */
  readonly name: string
  /** Where the store is. `network`: it may have outages, so a circuit breaker guards it. `process`: it needs none. */
  readonly location: "process" | "network"
  /** Whether the store keeps references to values, or needs their bytes. */
  readonly payloads: "references" | "bytes"
  /**
   * Reads the entries of all keys in one round trip. Returns one element for each key, in order: `undefined` if the key has no
   * live entry.
   */
  readonly read: (keys: ReadonlyArray<string>) => Effect.Effect<ReadonlyArray<StoredEntry | undefined>, CacheError>
  /**
   * Writes all entries, whatever was there, in one round trip. Of two with the same key the last one counts. Returns the items that
   * could not be written, with the error; all others are written.
   */
  readonly write: (items: ReadonlyArray<WriteItem>) => Effect.Effect<ReadonlyArray<RejectedItem>, CacheError>
  /** Writes the entry only if the key has no live one: of many callers one gets a token, the others `None`. */
  readonly add: (key: string, entry: Entry) => Effect.Effect<Option.Option<Token>, CacheError>
  /** Compare-and-set: writes the entry only if the key still has the write that `token` identifies; else `None`. */
  readonly replace: (key: string, token: Token, entry: Entry) => Effect.Effect<Option.Option<Token>, CacheError>
  /**
   * Optional. The same as `replace`, for an `entry` that differs from `before`, the one that `token` is of, in its times and its
   * lease only: payload and groups are the same. A store offers it if it can change these without being sent the payload again.
   * Where it is missing, `replace` is called.
   */
  readonly amend?: (
    key: string,
    token: Token,
    entry: Entry,
    before: Entry
  ) => Effect.Effect<Option.Option<Token>, CacheError>
  /** Removes the entries; returns how many of them were live. */
  readonly remove: (keys: ReadonlyArray<string>) => Effect.Effect<number, CacheError>
  /** Removes every entry of this layer's namespace, in all its versions, and no other. */
  readonly clear: Effect.Effect<void, CacheError>
  /** The size of the store, as far as it knows it without a scan. */
  readonly size?: Effect.Effect<StoreSize, CacheError>
}

/**
 * One entry to be written.
 *
 * @since 0.1.0
 * @category models
 */
export interface WriteItem {
  readonly key: string
  readonly entry: Entry
}

/**
 * An entry that could not be written, and why.
 *
 * @since 0.1.0
 * @category models
 */
export interface RejectedItem {
  readonly key: string
  readonly error: CacheError
}

/**
 * The size of a store; `None` for what it does not know.
 *
 * @since 0.1.0
 * @category models
 */
export interface StoreSize {
  readonly entries: Option.Option<number>
  readonly bytes: Option.Option<number>
  /** Entries dropped for want of room since the layer was built. */
  readonly evictions: Option.Option<number>
}
