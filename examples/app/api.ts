/** What the application answers over HTTP. The server implements it, and clients are derived from it. */
import { HttpApi, HttpApiEndpoint, HttpApiGroup, HttpApiMiddleware, HttpApiSchema } from "@effect/platform"
import { Schema } from "effect"
import { Change, City, CityId, CityNotFound, Country, Tenant, TenantMissing } from "./domain.js"

/** Takes the tenant from the header `x-tenant`. */
export class TenantOfRequest extends HttpApiMiddleware.Tag<TenantOfRequest>()("app/TenantOfRequest", {
  provides: Tenant,
  failure: TenantMissing
}) {}

const CityIdFromString = Schema.compose(Schema.NumberFromString, CityId)
const id = HttpApiSchema.param("id", CityIdFromString)
const country = HttpApiSchema.param("country", Country)

const cities = HttpApiGroup.make("cities")
  .add(HttpApiEndpoint.get("one")`/cities/${id}`.addSuccess(City.json).addError(CityNotFound))
  .add(
    HttpApiEndpoint.get("many", "/cities")
      .setUrlParams(Schema.Struct({ ids: Schema.compose(Schema.split(","), Schema.Array(CityIdFromString)) }))
      .addSuccess(Schema.Array(City.json))
  )
  .add(
    HttpApiEndpoint.get("search")`/countries/${country}/cities`
      .setUrlParams(Schema.Struct({ prefix: Schema.String }))
      .addSuccess(Schema.Array(City.json))
  )
  .add(HttpApiEndpoint.post("census", "/census").setPayload(Schema.NonEmptyArray(Change)).addError(CityNotFound))
  .middleware(TenantOfRequest)

const favourites = HttpApiGroup.make("favourites")
  .add(HttpApiEndpoint.get("list", "/favourites").addSuccess(Schema.Array(City.json)))
  .add(HttpApiEndpoint.put("add")`/favourites/${id}`.addError(CityNotFound))
  .middleware(TenantOfRequest)

const cache = HttpApiGroup.make("cache").add(
  HttpApiEndpoint.get("stats", "/cache").addSuccess(
    Schema.Struct({ hits: Schema.Number, misses: Schema.Number, joined: Schema.Number, computed: Schema.Number })
  )
)

export class Api extends HttpApi.make("cities").add(cities).add(favourites).add(cache) {}
