/** Reads an entry together with the versions that its groups have now, in one round trip where the groups are known. */
import { Effect, Either } from "effect"
import type { CacheError } from "../../CacheError.js"
import type { GroupVersion, StoredEntry } from "../../CacheStore.js"
import { type CallingFiber, debugIsOn, hasTracer, nowMillis, withFiber } from "../runtime/fiber.js"
import { traced } from "../stores/fused.js"
import type { Found, Store } from "../stores/Store.js"
import type { Counters, Shown } from "../telemetry/counters.js"
import { CapturedVersions, type VersionLife } from "./CapturedVersions.js"
import { isFresh, madeUnder } from "./entryState.js"
import { noVersions, versionIn, versionsIn } from "./groupVersions.js"
import type { SharedVersions } from "./livingVersions.js"
import type { ValueCodec } from "./ValueCodec.js"

/** An entry and the current versions of its groups, read in one round trip. */
export interface Snapshot {
  readonly stored: StoredEntry | undefined
  /** Sorted by the groups' keys; `undefined` when a version is missing. */
  readonly versions: ReadonlyArray<GroupVersion> | undefined
  /** What was read: the entry, then those of its groups. */
  readonly found: Found<StoredEntry>
  /** Set where many entries were read together. */
  readonly shared?: SharedVersions
  /** Whether a tier has answered. */
  readonly isNear: boolean
}

export const nothing: Snapshot = { stored: undefined, versions: undefined, found: [], isNear: false }

export const snapshotOf = (groups: ReadonlyArray<string>, found: Found<StoredEntry>, isNear = false): Snapshot => ({
  stored: found[0],
  versions: groups.length === 0 ? noVersions : versionsIn(groups, found, 1),
  found,
  isNear
})

/** Those that count a hit: a tier has its own. */
export const hitCounters = (counters: Counters, { isNear }: Pick<Snapshot, "isNear">): Counters =>
  isNear ? counters.ofTier : counters

/** The value, if it decodes synchronously. */
export const decodedAtOnce = <A>(codec: ValueCodec<A>, payload: unknown): Either.Right<never, A> | undefined => {
  const decoded = codec.decode(payload)
  // It is a `Right`: `isEither` narrows to `Either<unknown, unknown>`, which loses A.
  return Either.isEither(decoded) && Either.isRight(decoded) ? (decoded as Either.Right<never, A>) : undefined
}

/**
 * The most usual answer, without an operation of the runtime: a fresh value that decodes synchronously. Returns `undefined` for
 * every other answer, and when debug logs are on.
 *
 * @param counted what such an answer counts as
 */
export const plainHit = <A>(
  fiber: CallingFiber,
  snapshot: Omit<Snapshot, "found">,
  codec: ValueCodec<A>,
  counters: Counters,
  name: Shown,
  counted: "hits" | "joined" = "hits"
): Either.Right<never, A> | undefined => {
  const { stored, versions } = snapshot
  const entry = stored?.entry
  const value = entry?.value
  if (entry === undefined || value === undefined || versions === undefined || debugIsOn(fiber)) return undefined
  if (!isFresh(value, nowMillis(fiber)) || !madeUnder(entry, versions)) return undefined
  const decoded = decodedAtOnce(codec, value.payload)
  if (decoded !== undefined) hitCounters(counters, snapshot).countOn(fiber, counted, name)
  return decoded
}

/** Whether each of the entries was made under the versions of those of its groups that are among them. */
const isConsistent = (keys: ReadonlyArray<string>, found: Found<StoredEntry>): boolean =>
  found.every((stored) =>
    (stored?.entry?.groups ?? []).every(({ key, version }) => {
      const place = keys.indexOf(key)
      return place < 0 || versionIn(found[place]) === version
    })
  )

export class EntryReader {
  /** Whether a read leaves this process, or may: that of a tier does where the copies make no hit. */
  readonly asksOthers: boolean

  constructor(readonly store: Store) {
    this.asksOthers = store.local === undefined || store.local.near !== undefined
  }

  /** One round trip; `fiber` evaluates the returned Effect at once. The span ends with the store's answer. */
  read<A, E, R>(
    fiber: CallingFiber,
    keys: ReadonlyArray<string>,
    onFound: (found: Found<StoredEntry>) => Effect.Effect<A, E, R>,
    onFailure: (error: CacheError) => Effect.Effect<A, E, R>
  ): Effect.Effect<A, E, R> {
    const { store } = this
    return this.asksOthers && hasTracer(fiber)
      ? traced(store, "read", store.read, fiber, keys, onFound, onFailure)
      : store.read(fiber, keys, onFound, onFailure)
  }

  /**
   * The answer of a tier: the copies under the keys, if they make a hit. Otherwise all keys are asked below. `undefined` also
   * where the store is no tier.
   *
   * @param keys an entry and its groups, or entries with the groups that any of them has
   */
  near(fiber: CallingFiber, keys: ReadonlyArray<string>): Found<StoredEntry> | undefined {
    const copies = this.store.local?.near?.whole(fiber, keys)
    return copies !== undefined && isConsistent(keys, copies) ? copies : undefined
  }

  /** The same of entries with the groups that they have themselves. */
  nearWithOwnGroups(fiber: CallingFiber, keys: ReadonlyArray<string>): ReadonlyArray<Snapshot> | undefined {
    const near = this.store.local?.near
    const copies = near?.whole(fiber, keys)
    if (near === undefined || copies === undefined) return undefined
    const groups = new Set(copies.flatMap((copy) => copy?.entry?.groups.map(({ key }) => key) ?? []))
    const asked = [...groups]
    const versions = near.whole(fiber, asked)
    if (versions === undefined || !isConsistent([...keys, ...asked], [...copies, ...versions])) return undefined
    return copies.map((copy) => {
      const own = (copy?.entry?.groups ?? []).map(({ key }) => key)
      return snapshotOf(own, [copy, ...own.map((key) => versions[asked.indexOf(key)])], true)
    })
  }

  /** Keeps a decoded value beside the copy of a tier. */
  learn(stored: StoredEntry | undefined, codec: unknown, decoded: unknown): void {
    if (stored !== undefined) this.store.local?.near?.learn(stored, codec, decoded)
  }

  readMany(keys: ReadonlyArray<string>): Effect.Effect<Found<StoredEntry>, CacheError> {
    return withFiber((fiber) => this.read(fiber, keys, Effect.succeed, Effect.fail))
  }

  /** The entry of the key and the versions of the groups (finished keys, sorted), in one round trip. */
  snapshot(key: string, groups: ReadonlyArray<string>): Effect.Effect<Snapshot, CacheError> {
    return Effect.map(this.readMany(keysOf(key, groups)), (found) => snapshotOf(groups, found))
  }

  /** Entries with the current versions of their own groups: one round trip, two if any entry has groups. */
  readWithOwnGroups(keys: ReadonlyArray<string>): Effect.Effect<ReadonlyArray<Snapshot>, CacheError> {
    return Effect.flatMap(this.readMany(keys), (found) => this.withOwnGroups(found))
  }

  /** Adds the current versions of the entries' groups: one round trip if any entry has groups, else none. */
  withOwnGroups(found: Found<StoredEntry>): Effect.Effect<ReadonlyArray<Snapshot>, CacheError> {
    const groups = new Set<string>()
    for (const stored of found) {
      for (const group of stored?.entry?.groups ?? []) groups.add(group.key)
    }
    if (groups.size === 0) {
      return Effect.succeed(found.map((stored) => ({ stored, versions: noVersions, found: [stored], isNear: false })))
    }
    const asked = [...groups]
    return Effect.map(this.readMany(asked), (versionsFound) => {
      const current = new Map(asked.map((group, index) => [group, versionsFound[index]]))
      return found.map((stored) => {
        const own = (stored?.entry?.groups ?? []).map(({ key }) => key)
        return snapshotOf(own, [stored, ...own.map((key) => current.get(key))])
      })
    })
  }

  /**
   * The current versions of the groups, to be read before a write begins. Those that are missing are created; those that would
   * end too early are renewed. One round trip, one more each for creating and renewing.
   */
  capture(groups: ReadonlyArray<string>, life: VersionLife): Effect.Effect<ReadonlyArray<GroupVersion>, CacheError> {
    if (groups.length === 0 || life.granted <= 0) return Effect.succeed(noVersions)
    const { store } = this
    return Effect.flatMap(this.readMany(groups), (found) =>
      Effect.flatMap(CapturedVersions.create(store, groups, found, 0, life), (captured) =>
        withFiber((fiber) => Effect.as(captured.outlive(nowMillis(fiber), life) ?? Effect.void, captured.versions))
      )
    )
  }
}

/** With groups it is no literal: V8 may put arrays that are made by one into old space, where they keep alive what they hold. */
export const keysOf = (key: string, groups: ReadonlyArray<string>): ReadonlyArray<string> =>
  groups.length === 0 ? [key] : Array.of(key, ...groups)
