/**
 * The internal contract of stores: the primitives of the public `CacheStore`, and two additions for speed.
 *
 * A store in this process has a `local` part of synchronous functions, so a hit needs no operation of the runtime. Reads and
 * writes are fused: the caller passes what it does with the answer, so a driver with callbacks resumes the caller directly.
 * `fromPlain` adapts a public `CacheStore`, `fromBytes` a driver of bytes.
 */
import type { Effect, Option, Scope } from "effect"
import type { ByteItem, ByteStore, StoredBytes } from "../../ByteStore.js"
import type { CacheError } from "../../CacheError.js"
import type { CacheStore, Entry, GroupVersion, RejectedItem, StoredEntry, Token, WriteItem } from "../../CacheStore.js"
import type { CallingFiber } from "../runtime/fiber.js"
import { absent } from "../values/absent.js"
import { KeptFailure } from "../values/failure.js"
import type { ByteTransform } from "./transformed/ByteTransform.js"

/** The answer of a read: one element for each key, in order; `undefined` if the key has no entry. */
export type Found<Stored> = ReadonlyArray<Stored | undefined>

/**
 * An operation on many keys in one round trip that goes on with the Effect of `onAnswer` or `onFailure`: `Effect.matchEffect`
 * fused into the store. These two may run in a callback of the driver, and must not throw. The caller must evaluate the returned
 * Effect at once, on the fiber that it passes.
 */
export type Fused<Request, Answer> = <A, E, R>(
  fiber: CallingFiber,
  requests: ReadonlyArray<Request>,
  onAnswer: (answer: Answer) => Effect.Effect<A, E, R>,
  onFailure: (error: CacheError) => Effect.Effect<A, E, R>
) => Effect.Effect<A, E, R>

export type FusedRead<Stored> = Fused<string, Found<Stored>>

/** The answer names the items that were not written. */
export type FusedWrite<Item> = Fused<Item, ReadonlyArray<RejectedItem>>

/**
 * An entry as a local store keeps it. A caller may remember it and read its value without looking up the key. When the entry is
 * replaced, removed or evicted the store clears it, so a remembered entry is never out of date and keeps no value alive.
 */
export interface LocalEntry extends StoredEntry {
  readonly entry: Entry | undefined
  /** What a hit returns while `hitUntil` is ahead. */
  readonly payload: unknown
  /** What `hitUntil` says of the payload; `noHit` for good once the entry has been cleared. */
  readonly hitUntil: number
  /** `entry.groups`. */
  readonly groups: ReadonlyArray<GroupVersion>
}

/** The `hitUntil` of an entry that answers no hit. */
export const noHit = 0

/** Until when a hit may return this payload, in milliseconds on the Clock. An error, or what is known to be absent, is no hit. */
export const hitUntil = (payload: unknown, freshUntil: number): number =>
  payload instanceof KeptFailure || payload === absent ? noHit : freshUntil

/** The synchronous part of a store in this process. `now` is in milliseconds on the Clock. */
export interface LocalPart {
  /** How many values are kept at most. */
  readonly capacity: number
  /** Reads the entry, which counts as a use. A lease or a group is returned even past its end. */
  readonly read: (key: string, now: number) => StoredEntry | undefined
  /** The entry of a group, which counts as a use. A hit asks for it, so it is found with one look-up. */
  readonly group: (key: string) => StoredEntry | undefined
  /** The entry if it has a value, expired or not. Does not count as a use. */
  readonly find: (key: string) => LocalEntry | undefined
  /** Counts a use of an entry that this store returned. */
  readonly used: (entry: LocalEntry) => void
  /** The keys of all values, in no order that counts; in a tier the groups' too. */
  readonly keys: () => Iterable<string>
  /** Of a tier: its entries are copies of what another store has. */
  readonly near?: NearPart
}

/** The copies in a tier. They answer a caller whole or not at all. */
export interface NearPart {
  /** The copies under all of the keys, if all are there and may answer this caller. */
  readonly whole: (fiber: CallingFiber, keys: ReadonlyArray<string>) => Found<StoredEntry> | undefined
  /** Whether the copy may answer this caller now, with the value that this codec has decoded. */
  readonly answers: (fiber: CallingFiber, entry: LocalEntry, codec: unknown) => boolean
  /** Keeps the decoded value with the copy that was made of this entry, if there is one. */
  readonly learn: (stored: StoredEntry, codec: unknown, decoded: unknown) => void
}

/**
 * A store as the rest of the library sees it: the primitives of the public contract with a fused read, and the local part if the
 * store is in this process.
 */
export interface Store extends Omit<CacheStore, "read" | "write"> {
  readonly local: LocalPart | undefined
  /** The name of its cache, if that is one of several. */
  readonly cache?: string
  /** Whether both are the token of one state of an entry. Default: whether they are the same object or text. */
  readonly sameToken?: (one: Token, other: Token) => boolean
  readonly read: FusedRead<StoredEntry>
  readonly write: FusedWrite<WriteItem>
  /**
   * Whether an operation of this fiber becomes part of its SQL transaction: done with the commit, undone by the rollback.
   * `undefined`: nobody knows that it does.
   */
  readonly joinsTransaction: ((fiber: CallingFiber) => boolean) | undefined
  /**
   * Of a store that queues invalidations in an outage: calls `tell` when the store has them at last, with their keys or `"all"`,
   * and again after it has failed, for as long as the scope lives.
   */
  readonly tellReplayed?: (
    tell: (changed: ReadonlyArray<string> | "all") => Effect.Effect<void, CacheError>
  ) => Effect.Effect<void, never, Scope.Scope>
  /** Of a store whose values are transformed: the store below, and how. A further transformation joins these. */
  readonly transformed?: { readonly below: Store; readonly steps: ReadonlyArray<ByteTransform> }
}

/** The primitive `amend` of a store around another one, if that one has it. */
export const amendThrough = (
  { amend }: Store,
  through: (
    amended: Effect.Effect<Option.Option<Token>, CacheError>,
    key: string
  ) => Effect.Effect<Option.Option<Token>, CacheError>
): Pick<Store, "amend"> =>
  amend === undefined ? {} : { amend: (key, token, entry, before) => through(amend(key, token, entry, before), key) }

/** What a store around another one says of itself as that one does. By name: a spread would lose the members of a class. */
export const identityOf = ({
  joinsTransaction,
  local,
  location,
  name,
  payloads,
  sameToken,
  tellReplayed,
  transformed
}: Store) => ({
  name,
  location,
  payloads,
  local,
  joinsTransaction,
  ...(sameToken === undefined ? {} : { sameToken }),
  ...(tellReplayed === undefined ? {} : { tellReplayed }),
  ...(transformed === undefined ? {} : { transformed })
})

/** A driver of bytes with a fused read: the contract of this library's own stores on servers. */
export interface FusedByteStore extends Omit<ByteStore, "read" | "write"> {
  readonly read: FusedRead<StoredBytes>
  readonly write: FusedWrite<ByteItem>
  /** Both as those of `Store`. */
  readonly sameToken?: (one: Token, other: Token) => boolean
  readonly joinsTransaction?: ((fiber: CallingFiber) => boolean) | undefined
}
