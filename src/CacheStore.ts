/**
 * The small driver under a `CacheBackend`: six primitives, each one atomic operation of the store. All that caching
 * means (fresh and stale, leases, groups, increments) is written once above them, so this is all that a new backend has
 * to bring; `effect-cached/testing` holds the suite that tells whether it does.
 *
 * @since 0.1.0
 */
import type { Effect, Option } from "effect"
import type { CacheError } from "./CacheError.js"

/**
 * The store's proof of which entry was read. Opaque to all but the store that gave it out, and never repeated: not for
 * a rewritten entry, not for one that was removed and created again.
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
 * A cached value and its times, in milliseconds on Effect's `Clock`; `Infinity` is for ever. `payload` is the value
 * itself in a store that keeps references, its bytes in one that does not. `computeMillis` is what computing it took.
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
  /** The finished key under which the group's version stands. */
  readonly key: string
  readonly version: string
}

/**
 * What stands under a key: a value, a lease, or both. A lease whose time has passed, without a value, is a tombstone: it
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
 * When nothing in the entry counts any more, so that the store may drop it (milliseconds on Effect's `Clock`).
 *
 * @since 0.1.0
 * @category models
 */
export const expiresAt = (entry: Entry): number => Math.max(entry.value?.staleUntil ?? 0, entry.lease?.until ?? 0)

/**
 * An entry as it was read. `entry` is `undefined` when its bytes could not be understood (foreign bytes, a later format):
 * a miss that can be overwritten through its token.
 *
 * @since 0.1.0
 * @category models
 */
export interface StoredEntry {
  readonly token: Token
  readonly entry: Entry | undefined
}

/**
 * A driver that keeps `Entry` objects. Keys are finished: 1 to 250 bytes of printable ASCII without a space.
 * Every operation may fail with a `CacheError`; none may hang for ever.
 *
 * Interruption: an operation that was interrupted may or may not have happened; nothing else may be left behind.
 *
 * @since 0.1.0
 * @category models
 */
export interface CacheStore {
  /** `memory`, `postgresql`, …: names the store in logs, metrics and spans. */
  readonly name: string
  /** Where the store is. `network`: it may be away, so a circuit breaker guards it. `process`: it needs none. */
  readonly location: "process" | "network"
  /** Whether payloads are kept by reference, or must be bytes. */
  readonly payloads: "references" | "bytes"
  /**
   * Reads the entries of all keys in one round trip; the answer has one element a key, in order, `undefined` where no
   * entry lives.
   */
  readonly read: (keys: ReadonlyArray<string>) => Effect.Effect<ReadonlyArray<StoredEntry | undefined>, CacheError>
  /**
   * Writes all entries whatever was there, in one round trip; the last of two with the same key wins. The answer names
   * the items that were not written, with the reason; the others were.
   */
  readonly write: (items: ReadonlyArray<WriteItem>) => Effect.Effect<ReadonlyArray<RejectedItem>, CacheError>
  /** Writes the entry only where no live entry stands: of many callers one gets a token, the others `None`. */
  readonly add: (key: string, entry: Entry) => Effect.Effect<Option.Option<Token>, CacheError>
  /** Compare-and-set: writes the entry only over the very entry that `token` was given for. */
  readonly replace: (key: string, token: Token, entry: Entry) => Effect.Effect<Option.Option<Token>, CacheError>
  /** Removes the entries; says how many lived. */
  readonly remove: (keys: ReadonlyArray<string>) => Effect.Effect<number, CacheError>
  /** Removes every entry of this layer's namespace, in all its versions, and no other. */
  readonly clear: Effect.Effect<void, CacheError>
  /** What the store knows of its own size, without a scan. */
  readonly size?: Effect.Effect<StoreSize, CacheError>
}

/**
 * @since 0.1.0
 * @category models
 */
export interface WriteItem {
  readonly key: string
  readonly entry: Entry
}

/**
 * @since 0.1.0
 * @category models
 */
export interface RejectedItem {
  readonly key: string
  readonly error: CacheError
}

/**
 * @since 0.1.0
 * @category models
 */
export interface StoreSize {
  readonly entries: Option.Option<number>
  readonly bytes: Option.Option<number>
  /** Entries dropped for want of room since the layer was built. */
  readonly evictions: Option.Option<number>
}
