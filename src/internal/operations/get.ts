/** `get`, `getMany` and `has`. */
import { Effect, Either, Option } from "effect"
import type { CacheBackendService } from "../../CacheBackend.js"
import type { CacheError } from "../../CacheError.js"
import type { Key, TypedOptions } from "../../CacheOptions.js"
import type { CachedValue, StoredEntry } from "../../CacheStore.js"
import { hitCounters, keysOf, nothing, plainHit, type Snapshot, snapshotOf } from "../entries/EntryReader.js"
import { type Name, withContext } from "../entries/keyspace.js"
import type { ValueCodec } from "../entries/ValueCodec.js"
import { type CallingFiber, debugIsOn, now, withFiber } from "../runtime/fiber.js"
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

const noGroups: ReadonlyArray<string> = []

/** One `get`. A class: what stands in an object literal here would be kept alive for long, see ARCHITECTURE.md. */
class Getting {
  constructor(
    private readonly access: Access,
    private readonly fiber: CallingFiber,
    private readonly codec: ValueCodec<unknown>,
    private readonly name: Name
  ) {}

  read(): Effect.Effect<Hit, CacheError> {
    const { access, codec, fiber, name } = this
    const keys = keysOf(name.finished, noGroups)
    const near = access.reader.nearWithOwnGroups(fiber, keys)?.[0]
    if (near !== undefined) return this.decoded(near)
    return access.reader.read(
      fiber,
      keys,
      (found) => {
        const hit = plainHit(fiber, snapshotOf(noGroups, found), codec, access.counters, name)
        return hit === undefined ? this.answer(found) : Effect.succeed(Option.some(hit.right))
      },
      (error) => this.fail(error)
    )
  }

  /** What is no plain hit: its groups are read, too. */
  private answer(found: Found<StoredEntry>): Effect.Effect<Hit, CacheError> {
    return Effect.matchEffect(this.access.reader.withOwnGroups(found), {
      onFailure: (error) => this.fail(error),
      onSuccess: ([snapshot = nothing]) => this.decoded(snapshot)
    })
  }

  private decoded(snapshot: Snapshot): Effect.Effect<Hit> {
    const { access, codec, name } = this
    return Effect.flatMap(now, (time) => decoded(access, codec, snapshot, access.freshValue(snapshot, time), name))
  }

  private fail(error: CacheError): Effect.Effect<never, CacheError> {
    return Effect.fail(withContext("get", error, this.name.printed))
  }
}

export const reads = (access: Access): Pick<CacheBackendService, "get" | "getMany" | "has"> => {
  const { keyspaceOf, reader } = access

  const operations: Untyped = {
    get: (key, options) =>
      withFiber((fiber) => {
        const named = keyspaceOf(options).name("get", key)
        if (Either.isLeft(named)) return Effect.fail(named.left)
        return new Getting(access, fiber, access.codecOf(options?.schema), named.right).read()
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
