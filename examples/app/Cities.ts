/** The cities, which are the same for all tenants: one by its id, many by theirs, a search, and a census that changes them. */
import { SqlClient, SqlSchema } from "@effect/sql"
import { Effect, Option, Schema } from "effect"
import { afterCommit, CacheBackend } from "effect-cached"
import { Change, City, CityId, CityNotFound, Country, Tenant } from "./domain.js"

const groupOf = (country: Country) => `cities of ${country}`

export class Cities extends Effect.Service<Cities>()("app/Cities", {
  effect: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const cache = yield* CacheBackend

    // The queries.

    const withIds = SqlSchema.findAll({
      Request: Schema.Array(CityId),
      Result: City,
      execute: (ids) => sql`SELECT * FROM cities WHERE ${sql.in("id", ids)}`
    })
    const withPrefix = SqlSchema.findAll({
      Request: Schema.Struct({ country: Country, prefix: Schema.String }),
      Result: City,
      execute: ({ country, prefix }) =>
        sql`SELECT * FROM cities WHERE country = ${country} AND starts_with(lower(name), lower(${prefix}))
            ORDER BY population DESC, id LIMIT 20`
    })
    const change = SqlSchema.findOne({
      Request: Change,
      Result: Schema.Struct({ country: Country }),
      execute: ({ id, population }) =>
        sql`UPDATE cities SET population = ${population}, updated = now() WHERE id = ${id} RETURNING country`
    })

    // What is cached.

    const cached = cache.cachedMany(
      (ids: ReadonlyArray<CityId>) =>
        Effect.map(Effect.orDie(withIds(ids)), (cities) => cities.map((city) => [city.id, city] as const)),
      { key: "city", ttl: "1 day", missing: "1 minute", schema: City }
    )

    const search = cache.cached(
      (country: Country, prefix: string) =>
        withPrefix({ country, prefix }).pipe(
          Effect.orDie,
          // The tenant is no part of the key, so it must not change the answer: it is that of whoever asked first.
          Effect.tap((cities) =>
            Effect.flatMap(Tenant, ({ id }) => Effect.logDebug(`${cities.length} cities read on behalf of ${id}`))
          )
        ),
      {
        key: "search",
        ttl: "1 hour",
        keyArgs: (country, prefix) => [country, prefix.toLowerCase()],
        groups: (country) => [groupOf(country)],
        schema: Schema.Array(City)
      }
    )

    return {
      one: (id: CityId) =>
        Effect.flatMap(
          cached.one(id),
          Option.match({ onNone: () => Effect.fail(new CityNotFound({ id })), onSome: Effect.succeed })
        ),

      /** In the order of the ids, without those that there are not. */
      many: (ids: ReadonlyArray<CityId>) => Effect.map(cached(ids), (cities) => [...cities.values()]),

      search,

      /** All or nothing: an unknown id undoes the changes before it. */
      census: (changes: ReadonlyArray<Change>) =>
        Effect.gen(function* () {
          const countries = new Set<Country>()
          for (const { id, population } of changes) {
            const changed = yield* Effect.orDie(change({ id, population }))
            const { country } = yield* Effect.mapError(changed, () => new CityNotFound({ id }))
            countries.add(country)
          }
          // These are part of the transaction: the commit makes them true in all processes, and a rollback undoes them.
          yield* cached.invalidate(changes.map(({ id }) => id))
          yield* Effect.forEach(countries, (country) => cache.invalidateGroup(groupOf(country)))
        }).pipe(
          sql.withTransaction,
          // The memory of this process forgets them before the answer is sent: who asks again sees what was written.
          afterCommit,
          Effect.catchTag("SqlError", "CacheError", Effect.die)
        )
    }
  })
}) {}
