/**
 * Records as the backend reads them: an entry together with the versions that its groups have now.
 */
import { randomBytes } from "node:crypto"
import { Effect, Either, type Fiber, Option, ParseResult, type Schema } from "effect"
import { CacheError } from "../../CacheError.js"
import type {
  CachedValue,
  CacheStore,
  Entry,
  Found,
  GroupVersion,
  Place,
  Places,
  Reading,
  RejectedItem,
  StoredEntry,
  WriteItem
} from "../../CacheStore.js"
import { hasTracer, nowMillis, storeSpan, storeSpanOn } from "../runtime/instruments.js"
import { isInTransaction } from "../runtime/transaction.js"
import { answering, type Reader, unsafeAwaiting } from "../stores/asking.js"
import { decodePlain, type EncodeRefusal, encodePlain } from "../values/plainData.js"
import { isFresh, settled } from "./entryState.js"

type Stored = Found<StoredEntry>

/** A record and the versions of the asked groups, read at one moment. */
export interface Snapshot {
  readonly stored: StoredEntry | undefined
  /** Sorted by key; `undefined` when a version record is missing. */
  readonly versions: ReadonlyArray<GroupVersion> | undefined
}

/** How values of one kind become payloads and back. */
export interface ValueCodec<A> {
  readonly encode: (value: A) => Effect.Effect<unknown, CacheError>
  readonly decode: (payload: unknown) => Effect.Effect<A, unknown>
}

/** The codec of values that need no schema. */
export interface PlainCodec extends ValueCodec<unknown> {
  readonly encode: (value: unknown) => Either.Either<unknown, CacheError>
  readonly decode: (payload: unknown) => Either.Either<unknown, unknown>
}

const unpredictable = (): string => randomBytes(9).toString("base64url")

const encodeFailure = (description: string, cause?: unknown): CacheError =>
  new CacheError({ reason: "Encode", operation: "encode", description, cause })

const refused = ({ path, problem, cause }: EncodeRefusal): CacheError => encodeFailure(`${path} ${problem}`, cause)

/** A store that keeps references keeps them as they are. */
const references: PlainCodec = { encode: Either.right, decode: Either.right }

const plainBytes: PlainCodec = {
  encode: (value) => Either.mapLeft(encodePlain(value), refused),
  // A store of bytes gives bytes.
  decode: (payload) => decodePlain(payload as Uint8Array)
}

const asTheyAre: Reader<Stored, Stored, CacheError, never> = { found: Effect.succeed, failed: Effect.fail }

export class Records {
  private readonly bytes: boolean
  /** Where values stand that can be had as they are and without suspending. */
  readonly places: Places | undefined

  readonly plainCodec: PlainCodec

  constructor(readonly store: CacheStore) {
    this.bytes = store.payloads === "bytes"
    this.plainCodec = this.bytes ? plainBytes : references
    this.places = this.bytes ? undefined : store.places
  }

  /** The codec of a schema's values, or of plain data. */
  codec<A>(schema?: MemoSchema<A>): ValueCodec<A> {
    // By the contract of a key, what stands under it is of the type that was stored under it.
    if (schema === undefined || !this.bytes) return this.plainCodec as ValueCodec<A>
    const encode = ParseResult.encode(schema)
    const decode = ParseResult.decodeUnknown(schema)
    return {
      encode: (value) =>
        Effect.flatMap(
          Effect.mapError(encode(value), (issue) =>
            encodeFailure(ParseResult.TreeFormatter.formatIssueSync(issue), issue)
          ),
          (plain) => Either.mapLeft(encodePlain(plain), refused)
        ),
      // A store of bytes gives bytes.
      decode: (payload) => Effect.flatMap(decodePlain(payload as Uint8Array), (plain) => decode(plain))
    }
  }

  snapshot(groups: ReadonlyArray<string>, records: Stored): Snapshot {
    return { stored: records[0], versions: this.versions(groups, records, 1) }
  }

  /** One round trip. */
  readMany(keys: ReadonlyArray<string>): Reading<StoredEntry> {
    return Effect.withFiberRuntime((fiber) => this.reading(fiber, keys, asTheyAre))
  }

  /** The same for a fiber at hand, which evaluates the answer at once: the reading has begun. */
  reading<A, E, R>(
    fiber: Fiber.RuntimeFiber<unknown, unknown>,
    keys: ReadonlyArray<string>,
    reader: Reader<Stored, A, E, R>
  ): Effect.Effect<A, E, R> {
    const { store } = this
    const { name, unsafeAsk, unsafeRead } = store
    if (unsafeRead !== undefined) {
      const time = nowMillis(fiber)
      return reader.found(keys.map((key) => unsafeRead.call(store, key, time)))
    }
    if (unsafeAsk === undefined || hasTracer(fiber) || isInTransaction(fiber)) {
      return answering(storeSpan("read", name, keys.length)(store.read(keys)), reader)
    }
    return unsafeAwaiting((asker) => unsafeAsk.call(store, keys, asker), reader)
  }

  /** Writes one entry, for a fiber at hand that evaluates the answer at once: the writing has begun. */
  writing<A, E>(
    fiber: Fiber.RuntimeFiber<unknown, unknown>,
    item: WriteItem,
    reader: Reader<ReadonlyArray<RejectedItem>, A, E, never>
  ): Effect.Effect<A, E> {
    const { store } = this
    const { name, unsafeWrite } = store
    const items = [item]
    if (unsafeWrite === undefined || hasTracer(fiber) || isInTransaction(fiber)) {
      return answering(storeSpanOn(fiber, "write", name, 1, store.write(items)), reader)
    }
    return unsafeAwaiting((asker) => unsafeWrite.call(store, items, nowMillis(fiber), asker), reader)
  }

  /** The record under the key and the versions of the groups (finished, sorted), in one round trip. */
  read(key: string, groups: ReadonlyArray<string>): Effect.Effect<Snapshot, CacheError> {
    return Effect.map(this.readMany(groups.length === 0 ? [key] : [key, ...groups]), (records) =>
      this.snapshot(groups, records)
    )
  }

  /** The value at a place, if it is fresh and counts. */
  unsafeFresh(place: Place, groups: ReadonlyArray<string>, time: number): CachedValue | undefined {
    const { value } = place
    if (value === undefined || !isFresh(value, time)) return undefined
    if (!this.unsafeMadeUnder(place.groups, groups, time)) return undefined
    this.places?.use(place)
    return value
  }

  /** `madeUnder`, without the lists that it compares: they are a fifth of a hit with a group. */
  private unsafeMadeUnder(own: ReadonlyArray<GroupVersion>, groups: ReadonlyArray<string>, time: number): boolean {
    if (own.length !== groups.length) return false
    for (let index = 0; index < groups.length; index++) {
      const group = own[index]
      if (group === undefined || group.key !== groups[index]) return false
      if (this.version(this.store.unsafeRead?.(group.key, time)) !== group.version) return false
    }
    return true
  }

  /** Entries with the versions that their own groups have now: one round trip, two if any entry has groups. */
  readWithOwnGroups(keys: ReadonlyArray<string>): Effect.Effect<ReadonlyArray<Snapshot>, CacheError> {
    return Effect.flatMap(this.readMany(keys), (records) => this.withOwnGroups(records))
  }

  /** Another round trip if any of the entries has groups. */
  withOwnGroups(records: Stored): Effect.Effect<ReadonlyArray<Snapshot>, CacheError> {
    const groups = new Set<string>()
    for (const record of records) {
      for (const group of record?.entry?.groups ?? []) groups.add(group.key)
    }
    if (groups.size === 0) return Effect.succeed(records.map((stored) => ({ stored, versions: noVersions })))
    const asked = [...groups]
    return Effect.map(this.readMany(asked), (versionRecords) => {
      const current = new Map(asked.map((group, index) => [group, this.version(versionRecords[index])]))
      return records.map((stored) => {
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

  /**
   * The versions that the groups have, before a computation or a write begins; a missing one is created, at random, so
   * that what was made under an earlier one can't come alive again.
   */
  capture(groups: ReadonlyArray<string>): Effect.Effect<ReadonlyArray<GroupVersion>, CacheError> {
    if (groups.length === 0) return Effect.succeed(noVersions)
    return Effect.flatMap(this.readMany(groups), (records) =>
      Effect.forEach(groups, (key, index) =>
        Effect.map(this.establish(key, records[index]), (version) => ({ key, version }))
      )
    )
  }

  /** A new version for the group: whatever was made under another is invalid from here on. */
  renewVersion(group: string): Effect.Effect<void, CacheError> {
    return Effect.flatMap(this.store.write([{ key: group, entry: this.versionEntry(unpredictable()) }]), (rejected) => {
      const first = rejected[0]
      return first === undefined ? Effect.void : Effect.fail(first.error)
    })
  }

  private establish(group: string, stored: StoredEntry | undefined): Effect.Effect<string, CacheError> {
    const version = this.version(stored)
    if (version !== undefined) return Effect.succeed(version)
    const fresh = unpredictable()
    const entry = this.versionEntry(fresh)
    const created = stored === undefined ? this.store.add(group, entry) : this.store.replace(group, stored.token, entry)
    return Effect.flatMap(
      created,
      Option.match({
        onSome: () => Effect.succeed(fresh),
        onNone: () => Effect.flatMap(this.readMany([group]), (again) => this.establish(group, again[0]))
      })
    )
  }

  private versionEntry(version: string): Entry {
    return settled(
      {
        payload: this.bytes ? Buffer.from(version, "latin1") : version,
        freshUntil: Number.POSITIVE_INFINITY,
        staleUntil: Number.POSITIVE_INFINITY,
        computeMillis: 0
      },
      noVersions
    )
  }

  private version(stored: StoredEntry | undefined): string | undefined {
    const payload = stored?.entry?.value?.payload
    if (typeof payload === "string") return payload
    return payload instanceof Uint8Array
      ? Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength).toString("latin1")
      : undefined
  }

  private versions(
    groups: ReadonlyArray<string>,
    records: Stored,
    offset: number
  ): ReadonlyArray<GroupVersion> | undefined {
    if (groups.length === 0) return noVersions
    const versions: Array<GroupVersion> = []
    for (let index = 0; index < groups.length; index++) {
      const key = groups[index]
      const version = this.version(records[index + offset])
      if (key === undefined || version === undefined) return undefined
      versions.push({ key, version })
    }
    return versions
  }
}

// The schema's encoded side is its own affair; see MemoOptions.schema.
// biome-ignore lint/suspicious/noExplicitAny: see above
export type MemoSchema<A> = Schema.Schema<A, any>

const noVersions: ReadonlyArray<GroupVersion> = []

/** Milliseconds on the fiber's Clock. */
export const now: Effect.Effect<number> = Effect.withFiberRuntime((fiber) => Effect.succeed(nowMillis(fiber)))
