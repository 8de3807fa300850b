/** What the application speaks of: cities, tenants, and what may be wrong with a request. */
import { HttpApiSchema } from "@effect/platform"
import { Model } from "@effect/sql"
import { Context, Schema } from "effect"

export const CityId = Schema.Int.pipe(Schema.positive(), Schema.brand("CityId"))
export type CityId = typeof CityId.Type

/** ISO 3166, two letters. */
export const Country = Schema.String.pipe(Schema.pattern(/^[A-Z]{2}$/), Schema.brand("Country"))
export type Country = typeof Country.Type

/** A row of the table `cities`. `City.json` is what HTTP answers. */
export class City extends Model.Class<City>("City")({
  id: Model.GeneratedByApp(CityId),
  name: Schema.NonEmptyString,
  country: Country,
  population: Schema.NonNegativeInt,
  updated: Model.DateTimeUpdateFromDate
}) {}

/** One line of a census. */
export class Change extends Schema.Class<Change>("Change")({ id: CityId, population: Schema.NonNegativeInt }) {}

export class CityNotFound extends Schema.TaggedError<CityNotFound>()(
  "CityNotFound",
  { id: CityId },
  HttpApiSchema.annotations({ status: 404 })
) {}

export const TenantId = Schema.String.pipe(Schema.pattern(/^[a-z]{1,20}$/), Schema.brand("TenantId"))
export type TenantId = typeof TenantId.Type

/** On whose behalf a request is made. A service of one request: a middleware provides it. */
export class Tenant extends Context.Tag("app/Tenant")<Tenant, { readonly id: TenantId }>() {}

export class TenantMissing extends Schema.TaggedError<TenantMissing>()(
  "TenantMissing",
  { message: Schema.String },
  HttpApiSchema.annotations({ status: 401 })
) {}
