/** `delete`, `deleteMany` and `invalidateGroup`. */
import { Effect, Either } from "effect"
import type { CacheBackendService } from "../../CacheBackend.js"
import { now } from "../runtime/fiber.js"
import type { Access } from "./access.js"

type Removals = Pick<CacheBackendService, "delete" | "deleteMany" | "invalidateGroup">

export const removals = (access: Access): Removals => {
  const { invalidation, keyspaceOf, reader } = access
  return {
    delete: (key, options) =>
      access.named("delete", key, options, (name) =>
        Effect.zipWith(
          Effect.map(access.readFresh(name), ({ value }) => value !== undefined),
          Effect.suspend(() => invalidation.keys([name])),
          (fresh, removed) => fresh && removed > 0
        )
      ),

    deleteMany: (keys, options) =>
      Effect.suspend(() => {
        const asked = [...keys]
        return Effect.gen(function* () {
          const names = yield* Either.all(asked.map((key) => keyspaceOf(options).name("deleteMany", key)))
          if (names.length === 0) return 0
          const unique = [...new Map(names.map((name) => [name.finished, name])).values()]
          const snapshots = yield* reader.readWithOwnGroups(unique.map((name) => name.finished))
          const time = yield* now
          const fresh = snapshots.filter((snapshot) => access.freshValue(snapshot, time) !== undefined).length
          return Math.min(fresh, yield* invalidation.keys(unique))
        })
      }),

    invalidateGroup: (name, options) =>
      Effect.suspend(() => {
        const keyspace = keyspaceOf(options)
        return Effect.flatMap(keyspace.group("invalidateGroup", name), (key) =>
          invalidation.group(key, keyspace.showGroup(name))
        )
      })
  }
}
