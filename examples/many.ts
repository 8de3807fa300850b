/** Many keys in one load: a list of cities, and one city beside it. `npx tsx examples/many.ts` */
import { Console, Effect, Request, RequestResolver } from "effect"
import { cachedMany, cachedResolver, MemoryBackend } from "effect-cached"

interface City {
  readonly slug: string
  readonly name: string
}

const cities: ReadonlyArray<City> = [
  { slug: "lisbon", name: "Lisbon" },
  { slug: "porto", name: "Porto" },
  { slug: "braga", name: "Braga" }
]

/** Stands for `SELECT … WHERE slug IN (…)`. */
const findCities = (slugs: ReadonlyArray<string>) =>
  Effect.as(
    Console.log(`query for ${slugs.join(", ")}`),
    cities.filter(({ slug }) => slugs.includes(slug))
  )

const citiesBySlug = cachedMany(
  (slugs: ReadonlyArray<string>) =>
    Effect.map(findCities(slugs), (rows) => rows.map((city) => [city.slug, city] as const)),
  { key: "city", ttl: "1 day", groups: (slug) => ["cities", `city ${slug}`], missing: "1 minute" }
)

class LengthOf extends Request.TaggedClass("LengthOf")<number, never, { readonly slug: string }> {}

const lengths = RequestResolver.makeBatched((requests: ReadonlyArray<LengthOf>) =>
  Effect.zipRight(
    Console.log(`batch of ${requests.length}`),
    Effect.forEach(requests, (request) => Request.succeed(request, request.slug.length), { discard: true })
  )
)

const program = Effect.gen(function* () {
  yield* citiesBySlug(["lisbon", "porto", "atlantis"]) // query for lisbon, porto, atlantis
  const found = yield* citiesBySlug(["braga", "atlantis", "porto"]) // query for braga
  yield* Console.log([...found.keys()]) // braga, porto
  yield* citiesBySlug.invalidate(["porto"])
  yield* Effect.all([citiesBySlug.one("lisbon"), citiesBySlug.one("porto")], { concurrency: "unbounded" }) // query for porto

  const resolver = yield* cachedResolver(lengths, { key: "length", ttl: "1 hour" })
  const all = Effect.forEach(["lisbon", "porto"], (slug) => Effect.request(new LengthOf({ slug }), resolver), {
    batching: true
  })
  yield* all // batch of 2
  yield* Console.log(yield* all) // 6, 5
})

Effect.runPromise(program.pipe(Effect.provide(MemoryBackend.layer({ maxEntries: 1_000 }))))
