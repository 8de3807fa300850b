import { Effect, Schema } from "effect"
import { cached, invalidateGroup, MemoryBackend } from "effect-cached"

class City extends Schema.Class<City>("City")({ slug: Schema.String, population: Schema.Number }) {}

class CityRepo extends Effect.Service<CityRepo>()("CityRepo", {
  succeed: { bySlug: (slug: string) => Effect.succeed(new City({ slug, population: 545_796 })) }
}) {}

const cityBySlug = cached((slug: string) => Effect.flatMap(CityRepo, (repo) => repo.bySlug(slug)), {
  key: "city",
  ttl: "1 day",
  groups: ["cities"],
  schema: City
})

const program = Effect.gen(function* () {
  yield* cityBySlug("lisbon") //              computes and stores: Effect<City, never, CityRepo | CacheBackend>
  yield* cityBySlug("lisbon") //              from the cache
  yield* cityBySlug.requireCache("lisbon") // never computes: fails with NoCachedValue
  yield* cityBySlug.forceRecalc("lisbon") //  computes now, stores, returns
  yield* cityBySlug.invalidate("lisbon") //   this entry
  yield* invalidateGroup("cities") //         every entry of the group, in one write
  return cityBySlug.cacheKey("lisbon") //     'city("lisbon")'
})

Effect.runPromise(
  program.pipe(Effect.provide(CityRepo.Default), Effect.provide(MemoryBackend.layer({ maxEntries: 10_000 })))
)
