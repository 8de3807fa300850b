/** The cities that a tenant has chosen. They differ from tenant to tenant, so the tenant is an argument of what is cached. */
import { SqlClient, SqlSchema } from "@effect/sql"
import { Effect, Schema } from "effect"
import { afterCommit, CacheBackend } from "effect-cached"
import { Cities } from "./Cities.js"
import { CityId, Tenant, TenantId } from "./domain.js"

export class Favourites extends Effect.Service<Favourites>()("app/Favourites", {
  effect: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const cache = yield* CacheBackend
    const cities = yield* Cities

    const ofTenant = SqlSchema.findAll({
      Request: TenantId,
      Result: Schema.Struct({ city: CityId }),
      execute: (tenant) => sql`SELECT city FROM favourites WHERE tenant = ${tenant} ORDER BY added, city`
    })
    const insert = SqlSchema.void({
      Request: Schema.Struct({ tenant: TenantId, city: CityId }),
      execute: (favourite) => sql`INSERT INTO favourites ${sql.insert(favourite)} ON CONFLICT DO NOTHING`
    })

    /** Ids alone: the cities have entries of their own, which all tenants share. */
    const idsOf = cache.cached(
      (tenant: TenantId) => Effect.map(Effect.orDie(ofTenant(tenant)), (rows) => rows.map(({ city }) => city)),
      { key: "favourites", ttl: "1 hour", schema: Schema.Array(CityId) }
    )

    return {
      list: Effect.gen(function* () {
        const tenant = yield* Tenant
        return yield* cities.many(yield* idsOf(tenant.id))
      }),

      add: (city: CityId) =>
        Effect.gen(function* () {
          const { id: tenant } = yield* Tenant
          yield* cities.one(city)
          yield* Effect.zipRight(insert({ tenant, city }), idsOf.invalidate(tenant)).pipe(
            sql.withTransaction,
            afterCommit,
            Effect.orDie
          )
        })
    }
  })
}) {}
