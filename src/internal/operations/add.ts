/** `add`: stores a value only if the key has no fresh one that can be decoded. */
import { Effect, Either, Option } from "effect"
import type { CacheBackendService } from "../../CacheBackend.js"
import type { CacheError } from "../../CacheError.js"
import type { Entry } from "../../CacheStore.js"
import { maxAttempts, neverReplaced } from "../entries/attempts.js"
import type { Name } from "../entries/keyspace.js"
import type { AnySchema } from "../entries/ValueCodec.js"
import { type CallingFiber, withFiber } from "../runtime/fiber.js"
import { type Access, type Times, versionLife } from "./access.js"
import { countStored, newEntry, newTypedEntry } from "./newEntry.js"

export const additions = (access: Access): Pick<CacheBackendService, "add"> => {
  const { invalidation, keyspaceOf, reader } = access
  const { store } = reader

  /** A value that can't be decoded is none to `get` either. */
  const readDecodable = (name: Name, schema: AnySchema | undefined) =>
    Effect.flatMap(access.readFresh(name), ({ snapshot, value }) =>
      value === undefined
        ? Effect.succeed({ snapshot, isPresent: false })
        : Effect.map(Effect.isSuccess(access.codecOf(schema).decode(value.payload)), (isPresent) => ({
            snapshot,
            isPresent
          }))
    )

  const entryOf = (
    fiber: CallingFiber,
    name: Name,
    value: unknown,
    schema: AnySchema | undefined,
    times: Times,
    versions: Entry["groups"]
  ) =>
    schema === undefined
      ? newEntry(access, fiber, name, value, times, versions)
      : newTypedEntry(access, schema, fiber, name, value, times, versions)

  /** Tries again when another write came between its read and its write. */
  const attempt = (
    name: Name,
    value: unknown,
    schema: AnySchema | undefined,
    times: Times,
    groups: ReadonlyArray<string>,
    attempts = maxAttempts
  ): Effect.Effect<boolean, CacheError> =>
    Effect.flatMap(readDecodable(name, schema), ({ isPresent, snapshot }) => {
      if (isPresent) return Effect.succeed(false)
      return Effect.flatMap(reader.capture(groups, versionLife(times)), (versions) =>
        withFiber((fiber) =>
          Effect.flatMap(entryOf(fiber, name, value, schema, times, versions), (entry) => {
            if (times.ttl <= 0) return Effect.succeed(true)
            const before = snapshot.stored
            const written =
              before === undefined ? store.add(name.finished, entry) : store.replace(name.finished, before.token, entry)
            return Effect.flatMap(invalidation.detaching([name.finished], written), (token) =>
              Option.isSome(token)
                ? Effect.as(countStored(access, fiber, name), true)
                : attempts > 0
                  ? attempt(name, value, schema, times, groups, attempts - 1)
                  : Effect.fail(neverReplaced("add"))
            )
          })
        )
      )
    })

  return {
    add: (key, value, options) =>
      access.named("add", key, options, (name) =>
        Effect.flatMap(
          Either.all([access.times("add", options), keyspaceOf(options).groups("add", options?.groups ?? [])]),
          ([times, groups]) => attempt(name, value, options?.schema, times, groups)
        )
      )
  }
}
