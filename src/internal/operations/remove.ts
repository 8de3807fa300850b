/** `delete`, `deleteMany` and `invalidateGroup`. */
import { Effect, Either } from "effect"
import type { CacheBackendService } from "../../CacheBackend.js"
import { now } from "../entries/EntryReader.js"
import { type DirectAccess, freshValue } from "./access.js"

type Removals = Pick<CacheBackendService, "delete" | "deleteMany" | "invalidateGroup">

export const removals = (access: DirectAccess): Removals => {
  const { invalidation, namesOf, records } = access
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
          const names = yield* Either.all(asked.map((key) => namesOf(options).name("deleteMany", key)))
          if (names.length === 0) return 0
          const unique = [...new Map(names.map((name) => [name.finished, name])).values()]
          const snapshots = yield* records.readWithOwnGroups(unique.map((name) => name.finished))
          const time = yield* now
          const fresh = snapshots.filter((snapshot) => freshValue(snapshot, time) !== undefined).length
          return Math.min(fresh, yield* invalidation.keys(unique))
        })
      }),

    invalidateGroup: (name, options) =>
      Effect.flatMap(
        Effect.suspend(() => namesOf(options).group("invalidateGroup", name)),
        (key) => invalidation.group(key, name)
      )
  }
}
