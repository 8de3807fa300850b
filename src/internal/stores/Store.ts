/**
 * What the engine asks of a store, besides the primitives of the public contract.
 *
 * A store in this process has a `local` part: synchronous functions, so a hit costs no operation of the runtime. The read of
 * every store takes what the caller does with the answer: a driver with callbacks then answers without an Effect in between.
 * `fromPlain` adapts a public `CacheStore`.
 */
import type { Effect } from "effect"
import type { ByteStore, StoredBytes } from "../../ByteStore.js"
import type { CacheError } from "../../CacheError.js"
import type { CachedValue, CacheStore, Entry, GroupVersion, StoredEntry } from "../../CacheStore.js"
import type { CallingFiber } from "../runtime/fiber.js"

/** One for each key that was asked, in order; `undefined` where nothing stands. */
export type Found<Stored> = ReadonlyArray<Stored | undefined>

/**
 * Reads all keys in one round trip and goes on with the caller's own Effect: `Effect.matchEffect` fused into the store.
 * `onFound` and `onFailure` may run in a callback of the driver, and must not throw. The caller evaluates the returned Effect
 * at once, on the fiber that it gives.
 */
export type FusedRead<Stored> = <A, E, R>(
  fiber: CallingFiber,
  keys: ReadonlyArray<string>,
  onFound: (found: Found<Stored>) => Effect.Effect<A, E, R>,
  onFailure: (error: CacheError) => Effect.Effect<A, E, R>
) => Effect.Effect<A, E, R>

/**
 * An entry as a local store keeps it. Whoever remembers it has its value without looking the key up; its content is cleared
 * when it is replaced, removed or evicted, so what is remembered never goes out of date and keeps nothing alive.
 */
export interface LocalEntry extends StoredEntry {
  readonly entry: Entry | undefined
  /** `entry.value`, or `undefined` for good once the entry has been cleared. */
  readonly value: CachedValue | undefined
  /** `entry.groups`. */
  readonly groups: ReadonlyArray<GroupVersion>
}

/** The part of a store that stands in this process. `now` is the Clock's milliseconds. */
export interface LocalPart {
  /** How many values are kept at most. */
  readonly capacity: number
  /** The entry under the key, and counts it as used. A lease may be read past its end. */
  readonly read: (key: string, now: number) => StoredEntry | undefined
  /** The entry that holds the key's value, though it may have expired. Does not count as a use. */
  readonly find: (key: string) => LocalEntry | undefined
  /** Tells the store that the value of an entry which it gave out was used. */
  readonly used: (entry: LocalEntry) => void
}

/**
 * A store as the engine sees it: the primitives of the public contract with a fused read, and the local part if the store has
 * one.
 */
export interface Store extends Omit<CacheStore, "read"> {
  readonly local: LocalPart | undefined
  readonly read: FusedRead<StoredEntry>
}

/** A driver of bytes whose read is fused: what the stores of this library on servers are. */
export interface FusedByteStore extends Omit<ByteStore, "read"> {
  readonly read: FusedRead<StoredBytes>
}
