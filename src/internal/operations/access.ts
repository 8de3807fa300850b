/** What the direct operations share: names, times, and the read of a fresh value. */
import { Effect, Either } from "effect"
import { CacheError } from "../../CacheError.js"
import type { Key, SetOptions, VersionOption } from "../../CacheOptions.js"
import type { CachedValue } from "../../CacheStore.js"
import { lifeFor, type VersionLife } from "../entries/CapturedVersions.js"
import { type EntryReader, nothing, type Snapshot } from "../entries/EntryReader.js"
import { stateOf } from "../entries/entryState.js"
import { type Keyspace, type Name, withContext } from "../entries/keyspace.js"
import { type AnySchema, directCodec, type PlainCodec, plainCodec, type ValueCodec } from "../entries/ValueCodec.js"
import { durationMillis } from "../options.js"
import type { Invalidation } from "../readThrough/invalidations/Invalidation.js"
import { nowMillis, withFiber } from "../runtime/fiber.js"
import type { Counters } from "../telemetry/counters.js"
import type { Warnings } from "../telemetry/warnings.js"
import { isAbsent } from "../values/absent.js"
import { isFailure } from "../values/failure.js"

/** Milliseconds. */
export interface Times {
  readonly ttl: number
  readonly stale: number
}

/** How long the versions of an entry's groups live. */
export const versionLife = ({ stale, ttl }: Times): VersionLife => lifeFor(ttl + stale)

/** An entry as it was read, its fresh value if it has one, and the time of the read. */
export interface FreshEntry {
  readonly snapshot: Snapshot
  readonly value: CachedValue | undefined
  readonly time: number
}

const none = Either.right(0)

export class Access {
  readonly codec: PlainCodec
  private readonly bySchema = new WeakMap<AnySchema, ValueCodec<unknown>>()

  constructor(
    readonly reader: EntryReader,
    readonly invalidation: Invalidation,
    /** The counters of the direct operations. */
    readonly counters: Counters,
    readonly warnings: Warnings,
    readonly keyspaceOf: (options: VersionOption | undefined) => Keyspace,
    /** Milliseconds. */
    readonly defaultTtl: number
  ) {
    this.codec = plainCodec(reader.store.payloads)
  }

  /** Runs `use` with the finished key. Its errors name the operation and the key as the user knows it. */
  named<A, E, R>(
    operation: string,
    key: Key,
    options: VersionOption | undefined,
    use: (name: Name) => Effect.Effect<A, E, R>
  ): Effect.Effect<A, E | CacheError, R> {
    return Effect.suspend(() => {
      const name = this.keyspaceOf(options).name(operation, key)
      return Either.isLeft(name)
        ? Effect.fail(name.left)
        : Effect.mapError(use(name.right), (error) =>
            error instanceof CacheError ? withContext(operation, error, name.right.printed) : error
          )
    })
  }

  times(operation: string, { stale, ttl }: SetOptions = {}): Either.Either<Times, CacheError> {
    const fresh = ttl === undefined ? Either.right(this.defaultTtl) : durationMillis(operation, "ttl", ttl)
    if (Either.isLeft(fresh)) return Either.left(fresh.left)
    const then = stale === undefined ? none : durationMillis(operation, "stale", stale)
    return Either.isLeft(then) ? Either.left(then.left) : Either.right({ ttl: fresh.right, stale: then.right })
  }

  /** The codec of plain data, or of a schema. */
  codecOf(schema: AnySchema | undefined): ValueCodec<unknown> {
    if (schema === undefined) return this.codec
    const known = this.bySchema.get(schema)
    if (known !== undefined) return known
    const codec = directCodec(this.reader.store.payloads, schema)
    this.bySchema.set(schema, codec)
    return codec
  }

  /** The value if it is fresh. A kept error is no value, nor is what is kept of a key that has none. */
  freshValue({ stored, versions }: Snapshot, time: number): CachedValue | undefined {
    const { payloads } = this.reader.store
    const state = stateOf(stored?.entry, versions, time)
    if (state._tag !== "Fresh") return undefined
    const { payload } = state.value
    return isFailure(payloads, payload) || isAbsent(payloads, payload) ? undefined : state.value
  }

  readFresh(name: Name): Effect.Effect<FreshEntry, CacheError> {
    return Effect.flatMap(this.reader.readWithOwnGroups([name.finished]), (snapshots) =>
      withFiber((fiber) => {
        const time = nowMillis(fiber)
        const snapshot = snapshots[0] ?? nothing
        return Effect.succeed({ snapshot, value: this.freshValue(snapshot, time), time })
      })
    )
  }
}
