/** What the operations on single records have in common. */
import { Effect, Either } from "effect"
import type { Key, SetOptions, VersionOption } from "../../CacheBackend.js"
import { CacheError } from "../../CacheError.js"
import type { CachedValue } from "../../CacheStore.js"
import type { PlainCodec, Records, Snapshot } from "../entries/EntryReader.js"
import { judge } from "../entries/entryState.js"
import { during, type Name, type Names } from "../entries/keyspace.js"
import { durationMillis } from "../options.js"
import type { Invalidation } from "../readThrough/invalidation.js"
import { type Instruments, nowMillis } from "../runtime/instruments.js"

export interface Times {
  readonly ttl: number
  readonly stale: number
}

/** A record with the value in it that is fresh, if one is, at the moment when it was read. */
export interface FreshRecord {
  readonly snapshot: Snapshot
  readonly value: CachedValue | undefined
  readonly time: number
}

export const nothing: Snapshot = { stored: undefined, versions: undefined }

export const freshValue = ({ stored, versions }: Snapshot, time: number): CachedValue | undefined => {
  const verdict = judge(stored?.entry, versions, time)
  return verdict._tag === "Fresh" ? verdict.value : undefined
}

export class DirectAccess {
  readonly codec: PlainCodec
  /** What the last `ttl` means that was a text: most say the same, and reading it takes longer than encoding a small value. */
  private lastSpelled: { readonly ttl: string; readonly times: Either.Right<CacheError, Times> } | undefined

  constructor(
    readonly records: Records,
    readonly invalidation: Invalidation,
    readonly instruments: Instruments,
    readonly namesOf: (options: VersionOption | undefined) => Names,
    private readonly defaultTtl: number
  ) {
    this.codec = records.plainCodec
  }

  get meters() {
    return this.instruments.direct
  }

  named<A, E, R>(
    operation: string,
    key: Key,
    options: VersionOption | undefined,
    use: (name: Name) => Effect.Effect<A, E, R>
  ): Effect.Effect<A, E | CacheError, R> {
    return Effect.suspend(() => {
      const name = this.namesOf(options).name(operation, key)
      return Either.isLeft(name)
        ? Effect.fail(name.left)
        : Effect.mapError(use(name.right), (error) =>
            error instanceof CacheError ? during(operation, error, name.right.printed) : error
          )
    })
  }

  times(operation: string, options: SetOptions | undefined): Either.Either<Times, CacheError> {
    const { stale, ttl } = options ?? {}
    const spelled = typeof ttl === "string" && stale === undefined ? ttl : undefined
    if (spelled !== undefined && spelled === this.lastSpelled?.ttl) return this.lastSpelled.times
    const times = Either.zipWith(
      ttl === undefined ? Either.right(this.defaultTtl) : durationMillis(operation, "ttl", ttl),
      stale === undefined ? Either.right(0) : durationMillis(operation, "stale", stale),
      (ttlMillis, staleMillis) => ({ ttl: ttlMillis, stale: staleMillis })
    )
    if (spelled !== undefined && Either.isRight(times)) this.lastSpelled = { ttl: spelled, times }
    return times
  }

  readFresh(name: Name): Effect.Effect<FreshRecord, CacheError> {
    return Effect.flatMap(this.records.readWithOwnGroups([name.finished]), (snapshots) =>
      Effect.withFiberRuntime((fiber) => {
        const time = nowMillis(fiber)
        const snapshot = snapshots[0] ?? nothing
        return Effect.succeed({ snapshot, value: freshValue(snapshot, time), time })
      })
    )
  }
}
