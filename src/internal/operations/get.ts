/** `get`, `getMany` and `has`. */
import { Effect, Either, type Fiber, Option } from "effect"
import type { CacheBackendService, Key } from "../../CacheBackend.js"
import type { CacheError } from "../../CacheError.js"
import type { CachedValue, Found, StoredEntry } from "../../CacheStore.js"
import { now, type Snapshot } from "../entries/EntryReader.js"
import { isFresh } from "../entries/entryState.js"
import { during } from "../entries/keyspace.js"
import { debugIsOn, logAction, nowMillis } from "../runtime/instruments.js"
import type { Reader } from "../stores/asking.js"
import { type DirectAccess, freshValue, nothing } from "./access.js"

type AnyFiber = Fiber.RuntimeFiber<unknown, unknown>
type Hit = Option.Option<unknown>

const absent = ({ meters }: DirectAccess, snapshot: Snapshot, printed: string, undecodable: boolean) =>
  Effect.as(
    Effect.all([
      meters.count("misses"),
      undecodable || (snapshot.stored !== undefined && snapshot.stored.entry === undefined)
        ? meters.count("undecodable")
        : Effect.void,
      logAction("MISS", printed)
    ]),
    Option.none()
  )

const present = ({ meters }: DirectAccess, result: unknown, printed: string): Effect.Effect<Hit> =>
  Effect.withFiberRuntime((fiber) => {
    meters.unsafeCount(fiber, "hits")
    const found = Option.some(result)
    return debugIsOn(fiber) ? Effect.as(logAction("HIT", printed), found) : Effect.succeed(found)
  })

const decoded = (
  access: DirectAccess,
  snapshot: Snapshot,
  value: CachedValue | undefined,
  printed: string
): Effect.Effect<Hit> =>
  value === undefined
    ? absent(access, snapshot, printed, false)
    : Effect.matchEffect(access.codec.decode(value.payload), {
        onSuccess: (result) => present(access, result, printed),
        onFailure: () => absent(access, snapshot, printed, true)
      })

/** What `get` does about the record that it read. A class for the reason that `Waiter` in gather.ts is one. */
class Get implements Reader<Found<StoredEntry>, Hit, CacheError, never> {
  constructor(
    private readonly access: DirectAccess,
    private readonly fiber: AnyFiber,
    private readonly printed: string
  ) {}

  found(records: Found<StoredEntry>): Effect.Effect<Hit, CacheError> {
    const { access, printed } = this
    const hit = this.plainHit(records[0])
    if (hit !== undefined) return Effect.succeed(hit)
    return access.records.withOwnGroups(records).pipe(
      Effect.flatMap((snapshots) =>
        Effect.flatMap(now, (time) => {
          const snapshot = snapshots[0] ?? nothing
          return decoded(access, snapshot, freshValue(snapshot, time), printed)
        })
      ),
      Effect.mapError((error) => during("get", error, printed))
    )
  }

  failed(error: CacheError): Effect.Effect<never, CacheError> {
    return Effect.fail(during("get", error, this.printed))
  }

  /** A fresh value without groups that decodes: by far the most usual answer, without a detour. */
  private plainHit(stored: StoredEntry | undefined): Hit | undefined {
    const { access, fiber } = this
    const entry = stored?.entry
    if (entry?.value === undefined || entry.groups.length > 0 || debugIsOn(fiber)) return undefined
    if (!isFresh(entry.value, nowMillis(fiber))) return undefined
    const value = access.codec.decode(entry.value.payload)
    if (Either.isLeft(value)) return undefined
    access.meters.unsafeCount(fiber, "hits")
    return Option.some(value.right)
  }
}

export const reads = (access: DirectAccess): Pick<CacheBackendService, "get" | "getMany" | "has"> => {
  const { namesOf, records } = access
  return {
    get: (key, options) =>
      Effect.withFiberRuntime((fiber) => {
        const named = namesOf(options).name("get", key)
        if (Either.isLeft(named)) return Effect.fail(named.left)
        const { finished, printed } = named.right
        return records.reading(fiber, [finished], new Get(access, fiber, printed))
      }),

    getMany: (keys, options) =>
      Effect.suspend(() => {
        const asked = [...keys]
        return Effect.gen(function* () {
          const names = yield* Either.all(asked.map((key) => namesOf(options).name("getMany", key)))
          const found = new Map<Key, unknown>()
          if (asked.length === 0) return found
          const snapshots = yield* records.readWithOwnGroups(names.map((name) => name.finished))
          const time = yield* now
          for (const [index, key] of asked.entries()) {
            const snapshot = snapshots[index]
            if (snapshot === undefined) continue
            const value = yield* decoded(access, snapshot, freshValue(snapshot, time), names[index]?.printed ?? "")
            if (Option.isSome(value)) found.set(key, value.value)
          }
          return found
        })
      }),

    has: (key, options) =>
      access.named("has", key, options, (name) =>
        Effect.map(access.readFresh(name), ({ value }) => value !== undefined)
      )
  }
}
