/** Reads an entry together with the versions that its groups have now, in one round trip where the groups are known. */
import { Effect, Either, Option } from "effect"
import { CacheError } from "../../CacheError.js"
import type { GroupVersion, StoredEntry } from "../../CacheStore.js"
import type { Counters } from "../runtime/counters.js"
import { type CallingFiber, debugIsOn, hasTracer, nowMillis, withFiber } from "../runtime/fiber.js"
import { isInTransaction } from "../runtime/transaction.js"
import { traced } from "../stores/fused.js"
import type { Found, Store } from "../stores/Store.js"
import { isFresh, madeUnder } from "./entryState.js"
import { newVersion, noVersions, versionEntry, versionIn, versionsIn } from "./groupVersions.js"
import type { ValueCodec } from "./ValueCodec.js"

/** An entry and the current versions of its groups, read in one round trip. */
export interface Snapshot {
  readonly stored: StoredEntry | undefined
  /** Sorted by the groups' keys; `undefined` when a version is missing. */
  readonly versions: ReadonlyArray<GroupVersion> | undefined
}

export const nothing: Snapshot = { stored: undefined, versions: undefined }

export const snapshotOf = (groups: ReadonlyArray<string>, found: Found<StoredEntry>): Snapshot => ({
  stored: found[0],
  versions: groups.length === 0 ? noVersions : versionsIn(groups, found, 1)
})

/**
 * The most usual answer, without an operation of the runtime: a fresh value that decodes synchronously. It counts the hit.
 * Returns `undefined` for every other answer, and when debug logs are on.
 */
export const plainHit = <A>(
  fiber: CallingFiber,
  { stored, versions }: Snapshot,
  codec: ValueCodec<A>,
  counters: Counters
): Either.Right<unknown, A> | undefined => {
  const entry = stored?.entry
  const value = entry?.value
  if (entry === undefined || value === undefined || versions === undefined || debugIsOn(fiber)) return undefined
  if (!isFresh(value, nowMillis(fiber)) || !madeUnder(entry, versions)) return undefined
  const decoded = codec.decode(value.payload)
  if (!Either.isEither(decoded) || Either.isLeft(decoded)) return undefined
  counters.countOn(fiber, "hits")
  // It is a `Right`: `isEither` narrows to `Either<unknown, unknown>`, which loses A.
  return decoded as Either.Right<unknown, A>
}

/** So often is a write tried again that another one came before. Only a store that breaks its contract needs as many. */
export const maxAttempts = 100

export const neverReplaced = (operation: string): CacheError =>
  new CacheError({
    reason: "StoreFailed",
    operation,
    description: "the store replaces no entry with the token it gave"
  })

export class EntryReader {
  constructor(readonly store: Store) {}

  /** One round trip; `fiber` evaluates the returned Effect at once. The span ends with the store's answer. */
  read<A, E, R>(
    fiber: CallingFiber,
    keys: ReadonlyArray<string>,
    onFound: (found: Found<StoredEntry>) => Effect.Effect<A, E, R>,
    onFailure: (error: CacheError) => Effect.Effect<A, E, R>
  ): Effect.Effect<A, E, R> {
    const { store } = this
    return store.local === undefined && hasTracer(fiber)
      ? traced(store, "read", store.read, fiber, keys, onFound, onFailure)
      : store.read(fiber, keys, onFound, onFailure)
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
    if (groups.size === 0) return Effect.succeed(found.map((stored) => ({ stored, versions: noVersions })))
    const asked = [...groups]
    return Effect.map(this.readMany(asked), (versionsFound) => {
      const current = new Map(asked.map((group, index) => [group, versionIn(versionsFound[index])]))
      return found.map((stored) => {
        const versions: Array<GroupVersion> = []
        for (const { key } of stored?.entry?.groups ?? []) {
          const version = current.get(key)
          if (version === undefined) return { stored, versions: undefined }
          versions.push({ key, version })
        }
        return { stored, versions }
      })
    })
  }

  /** The current versions of the groups, to be read before a computation or a write begins. Creates those that are missing. */
  capture(groups: ReadonlyArray<string>): Effect.Effect<ReadonlyArray<GroupVersion>, CacheError> {
    if (groups.length === 0) return Effect.succeed(noVersions)
    return Effect.flatMap(this.readMany(groups), (found) =>
      Effect.forEach(groups, (key, index) =>
        Effect.map(this.versionOf(key, found[index]), (version) => ({ key, version }))
      )
    )
  }

  private versionOf(
    group: string,
    stored: StoredEntry | undefined,
    attempts = maxAttempts
  ): Effect.Effect<string, CacheError> {
    const version = versionIn(stored)
    if (version !== undefined) return Effect.succeed(version)
    if (attempts === 0) return Effect.fail(neverReplaced("read"))
    const { store } = this
    const created = newVersion()
    const entry = versionEntry(created, store.payloads)
    return withFiber((fiber) => {
      // written, not added: `add` would hold the group for all others until the commit
      if (isInTransaction(fiber)) {
        return store.write(
          fiber,
          [{ key: group, entry }],
          ([rejected]) => (rejected === undefined ? Effect.succeed(created) : Effect.fail(rejected.error)),
          Effect.fail
        )
      }
      return Effect.flatMap(
        stored === undefined ? store.add(group, entry) : store.replace(group, stored.token, entry),
        Option.match({
          onSome: () => Effect.succeed(created),
          onNone: () => Effect.flatMap(this.readMany([group]), (found) => this.versionOf(group, found[0], attempts - 1))
        })
      )
    })
  }
}

export const keysOf = (key: string, groups: ReadonlyArray<string>): ReadonlyArray<string> =>
  groups.length === 0 ? [key] : [key, ...groups]
