/** `get`, `getMany` and `has`. */
import { Effect, Either, Option } from "effect"
import type { CacheBackendService } from "../../CacheBackend.js"
import type { CacheError } from "../../CacheError.js"
import type { Key, TypedOptions } from "../../CacheOptions.js"
import type { CachedValue, StoredEntry } from "../../CacheStore.js"
import { hitCounters, nothing, plainHit, type Snapshot } from "../entries/EntryReader.js"
import { noVersions } from "../entries/groupVersions.js"
import { type Name, withContext } from "../entries/keyspace.js"
import type { ValueCodec } from "../entries/ValueCodec.js"
import { debugIsOn, now, withFiber } from "../runtime/fiber.js"
import type { Found } from "../stores/Store.js"
import { logAction } from "../telemetry/logs.js"
import type { Access } from "./access.js"

type Hit = Option.Option<unknown>

/** The operations, of values whose type a schema may know. */
interface Untyped extends Pick<CacheBackendService, "has"> {
  readonly get: (key: Key, options?: Partial<TypedOptions<unknown>>) => Effect.Effect<Hit, CacheError>
  readonly getMany: (
    keys: Iterable<Key>,
    options?: Partial<TypedOptions<unknown>>
  ) => Effect.Effect<ReadonlyMap<Key, unknown>, CacheError>
}

const absent = ({ counters }: Access, snapshot: Snapshot, name: Name, undecodable: boolean) =>
  Effect.as(
    Effect.all([
      counters.count("misses", name),
      undecodable || (snapshot.stored !== undefined && snapshot.stored.entry === undefined)
        ? counters.count("undecodable", name)
        : Effect.void,
      logAction("MISS", name.printed)
    ]),
    Option.none()
  )

const present = ({ counters }: Access, snapshot: Snapshot, result: unknown, name: Name): Effect.Effect<Hit> =>
  withFiber((fiber) => {
    hitCounters(counters, snapshot).countOn(fiber, "hits", name)
    const found = Option.some(result)
    return debugIsOn(fiber) ? Effect.as(logAction("HIT", name.printed), found) : Effect.succeed(found)
  })

const decoded = (
  access: Access,
  codec: ValueCodec<unknown>,
  snapshot: Snapshot,
  value: CachedValue | undefined,
  name: Name
): Effect.Effect<Hit> =>
  value === undefined
    ? absent(access, snapshot, name, false)
    : Effect.matchEffect(codec.decode(value.payload), {
        onSuccess: (result) => present(access, snapshot, result, name),
        onFailure: () => absent(access, snapshot, name, true)
      })

export const reads = (access: Access): Pick<CacheBackendService, "get" | "getMany" | "has"> => {
  const { counters, keyspaceOf, reader } = access

  const answer = (found: Found<StoredEntry>, codec: ValueCodec<unknown>, name: Name): Effect.Effect<Hit, CacheError> =>
    Effect.flatMap(reader.withOwnGroups(found), ([snapshot = nothing]) =>
      Effect.flatMap(now, (time) => decoded(access, codec, snapshot, access.freshValue(snapshot, time), name))
    )

  const operations: Untyped = {
    get: (key, options) =>
      withFiber((fiber) => {
        const codec = access.codecOf(options?.schema)
        const named = keyspaceOf(options).name("get", key)
        if (Either.isLeft(named)) return Effect.fail(named.left)
        const name = named.right
        const failed = (error: CacheError) => Effect.fail(withContext("get", error, name.printed))
        const near = reader.nearWithOwnGroups(fiber, [name.finished])?.[0]
        if (near !== undefined) {
          return Effect.flatMap(now, (time) => decoded(access, codec, near, access.freshValue(near, time), name))
        }
        return reader.read(
          fiber,
          [name.finished],
          (found): Effect.Effect<Hit, CacheError> => {
            const alone = { stored: found[0], versions: noVersions, isNear: false }
            const hit = plainHit(fiber, alone, codec, counters, name)
            return hit === undefined
              ? Effect.catchAll(answer(found, codec, name), failed)
              : Effect.succeed(Option.some(hit.right))
          },
          failed
        )
      }),

    getMany: (keys, options) =>
      Effect.suspend(() => {
        const asked = [...keys]
        return Effect.gen(function* () {
          const names = yield* Either.all(asked.map((key) => keyspaceOf(options).name("getMany", key)))
          const values = new Map<Key, unknown>()
          if (asked.length === 0) return values
          const finished = names.map((name) => name.finished)
          const snapshots = yield* withFiber((fiber) => {
            const near = reader.nearWithOwnGroups(fiber, finished)
            return near === undefined ? reader.readWithOwnGroups(finished) : Effect.succeed(near)
          })
          const time = yield* now
          const codec = access.codecOf(options?.schema)
          for (const [index, key] of asked.entries()) {
            const snapshot = snapshots[index]
            const name = names[index]
            if (snapshot === undefined || name === undefined) continue
            const fresh = access.freshValue(snapshot, time)
            const value = yield* decoded(access, codec, snapshot, fresh, name)
            if (Option.isSome(value)) values.set(key, value.value)
          }
          return values
        })
      }),

    has: (key, options) =>
      access.named("has", key, options, (name) =>
        Effect.map(access.readFresh(name), ({ value }) => value !== undefined)
      )
  }
  // What a schema decodes is of its type.
  return operations as Pick<CacheBackendService, "get" | "getMany" | "has">
}
