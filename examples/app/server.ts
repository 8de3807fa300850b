/** The API, implemented by the repositories. */
import { HttpApiBuilder, HttpServerRequest } from "@effect/platform"
import { Effect, Layer, Schema } from "effect"
import { CacheBackend } from "effect-cached"
import { Api, TenantOfRequest } from "./api.js"
import { Cities } from "./Cities.js"
import { TenantId, TenantMissing } from "./domain.js"
import { Favourites } from "./Favourites.js"

const TenantOfRequestLive = Layer.succeed(
  TenantOfRequest,
  Effect.gen(function* () {
    const { headers } = yield* HttpServerRequest.HttpServerRequest
    const id = yield* Schema.decodeUnknown(TenantId)(headers["x-tenant"])
    return { id }
  }).pipe(Effect.mapError(() => new TenantMissing({ message: "the header x-tenant names no tenant" })))
)

const CitiesLive = HttpApiBuilder.group(
  Api,
  "cities",
  Effect.fnUntraced(function* (handlers) {
    const cities = yield* Cities
    return handlers
      .handle("one", ({ path }) => cities.one(path.id))
      .handle("many", ({ urlParams }) => cities.many(urlParams.ids))
      .handle("search", ({ path, urlParams }) => cities.search(path.country, urlParams.prefix))
      .handle("census", ({ payload }) => cities.census(payload))
  })
)

const FavouritesLive = HttpApiBuilder.group(
  Api,
  "favourites",
  Effect.fnUntraced(function* (handlers) {
    const favourites = yield* Favourites
    return handlers.handle("list", () => favourites.list).handle("add", ({ path }) => favourites.add(path.id))
  })
)

const CacheLive = HttpApiBuilder.group(
  Api,
  "cache",
  Effect.fnUntraced(function* (handlers) {
    const cache = yield* CacheBackend
    return handlers.handle("stats", () => cache.stats)
  })
)

export const ApiLive = HttpApiBuilder.api(Api).pipe(
  Layer.provide([CitiesLive, FavouritesLive, CacheLive]),
  Layer.provide(TenantOfRequestLive)
)
