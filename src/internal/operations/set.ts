/** `set` and `setMany`: they store values, whatever was there. */
import { Effect, Either } from "effect"
import type { CacheBackendService } from "../../CacheBackend.js"
import type { CacheError } from "../../CacheError.js"
import type { Key } from "../../CacheOptions.js"
import type { Entry, WriteItem } from "../../CacheStore.js"
import { noVersions } from "../entries/groupVersions.js"
import { type Name, withContext } from "../entries/keyspace.js"
import type { AnySchema } from "../entries/ValueCodec.js"
import { logFailure } from "../outages/storeFailure.js"
import { type CallingFiber, withFiber } from "../runtime/fiber.js"
import { type Access, type Times, versionLife } from "./access.js"
import { countStored, newEntry, newTypedEntry } from "./newEntry.js"

type Writes = Pick<CacheBackendService, "set" | "setMany">

/** One `set`. A class: what stands in an object literal here would be kept alive for long, see ARCHITECTURE.md. */
class Setting {
  constructor(
    private readonly access: Access,
    private readonly fiber: CallingFiber,
    private readonly name: Name,
    private readonly times: Times
  ) {}

  fail(error: CacheError): Effect.Effect<never, CacheError> {
    return Effect.fail(withContext("set", error, this.name.printed))
  }

  encodeAndWrite(
    value: unknown,
    schema: AnySchema | undefined,
    versions: Entry["groups"]
  ): Effect.Effect<void, CacheError> {
    const { access, fiber, name, times } = this
    if (schema !== undefined) {
      return Effect.matchEffect(newTypedEntry(access, schema, fiber, name, value, times, versions), {
        onFailure: (error) => this.fail(error),
        onSuccess: (entry) => this.write(entry)
      })
    }
    const entry = newEntry(access, fiber, name, value, times, versions)
    return Either.isLeft(entry) ? this.fail(entry.left) : this.write(entry.right)
  }

  private write(entry: Entry): Effect.Effect<void, CacheError> {
    const { access, fiber, name } = this
    const { invalidation } = access
    if (this.times.ttl <= 0)
      return Effect.catchAll(Effect.asVoid(invalidation.keys([name])), (error) => this.fail(error))
    return invalidation.write(
      fiber,
      [{ key: name.finished, entry }],
      ([rejected]) => (rejected === undefined ? countStored(access, fiber, name) : this.fail(rejected.error)),
      (error) => this.fail(error)
    )
  }
}

const noGroups: ReadonlyArray<string> = []

/** A function of its own: its callbacks keep alive what stands in the function around them. */
const withVersions = (
  setting: Setting,
  value: unknown,
  schema: AnySchema | undefined,
  captured: Effect.Effect<Entry["groups"], CacheError>
): Effect.Effect<void, CacheError> =>
  Effect.matchEffect(captured, {
    onFailure: (error) => setting.fail(error),
    onSuccess: (versions) => setting.encodeAndWrite(value, schema, versions)
  })

/** The entries to be written and the errors of those that can't be, by finished key. */
interface Sorted {
  readonly items: Map<string, WriteItem>
  readonly failed: Map<string, CacheError>
}

/** If a key is there several times, its last value counts; no earlier one is stored instead when the last one can't be. */
const sort = (names: ReadonlyArray<Name>, entries: ReadonlyArray<Either.Either<Entry, CacheError>>): Sorted => {
  const items = new Map<string, WriteItem>()
  const failed = new Map<string, CacheError>()
  for (const [index, entry] of entries.entries()) {
    const key = names[index]?.finished ?? ""
    items.delete(key)
    failed.delete(key)
    if (Either.isRight(entry)) items.set(key, { key, entry: entry.right })
    else failed.set(key, entry.left)
  }
  return { items, failed }
}

export const writes = (access: Access): Writes => {
  const { invalidation, keyspaceOf, reader } = access

  const write = ({ failed, items }: Sorted): Effect.Effect<void, CacheError> =>
    items.size === 0
      ? Effect.void
      : withFiber((fiber) =>
          invalidation.write(
            fiber,
            [...items.values()],
            (rejected) => {
              for (const { key, error } of rejected) failed.set(key, error)
              return Effect.void
            },
            Effect.fail
          )
        )

  return {
    set: (key, value, options) =>
      withFiber((fiber) => {
        const keyspace = keyspaceOf(options)
        const named = keyspace.name("set", key)
        if (Either.isLeft(named)) return Effect.fail(named.left)
        const name = named.right
        const times = access.times("set", options)
        if (Either.isLeft(times)) return Effect.fail(withContext("set", times.left, name.printed))
        const groups = keyspace.groups("set", options?.groups ?? noGroups)
        if (Either.isLeft(groups)) return Effect.fail(withContext("set", groups.left, name.printed))
        const setting = new Setting(access, fiber, name, times.right)
        if (groups.right.length === 0) return setting.encodeAndWrite(value, options?.schema, noVersions)
        return withVersions(setting, value, options?.schema, reader.capture(groups.right, versionLife(times.right)))
      }),

    setMany: (entries, options) =>
      Effect.suspend(() => {
        const keyspace = keyspaceOf(options)
        const values = [...entries]
        return Effect.gen(function* () {
          const times = yield* access.times("setMany", options)
          const groups = yield* keyspace.groups("setMany", options?.groups ?? [])
          const names = yield* Either.all(values.map(([key]) => keyspace.name("setMany", key)))
          if (values.length === 0) return []
          const versions = yield* reader.capture(groups, versionLife(times))
          const schema = options?.schema
          const named = names.map((name, index) => [name, values[index]?.[1]] as const)
          const encoded = yield* withFiber((fiber) =>
            schema === undefined
              ? Effect.succeed(named.map(([name, value]) => newEntry(access, fiber, name, value, times, versions)))
              : Effect.forEach(named, ([name, value]) =>
                  Effect.either(newTypedEntry(access, schema, fiber, name, value, times, versions))
                )
          )
          const sorted = sort(names, encoded)
          const { failed } = sorted
          if (times.ttl > 0) yield* write(sorted)
          else yield* invalidation.keys(names.filter((name) => !failed.has(name.finished)))
          const rejected: Array<Key> = []
          for (const [index, [key]] of values.entries()) {
            const name = names[index]
            if (name === undefined) continue
            const error = failed.get(name.finished)
            if (error !== undefined) {
              rejected.push(key)
              yield* logFailure(access.warnings, "Cache could not store", name.printed, error)
            } else yield* withFiber((fiber) => countStored(access, fiber, name))
          }
          return rejected
        })
      })
  }
}
