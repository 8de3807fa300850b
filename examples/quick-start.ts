/** A function, memoized: computed once, served from the cache, invalidated. */
import { Console, Effect } from "effect"
import { cached, invalidateGroup, MemoryBackend } from "effect-cached"

let queries = 0

const findCity = (slug: string) =>
  Effect.gen(function* () {
    queries++
    yield* Effect.sleep("50 millis") // the database
    return { slug, population: 545_796 }
  })

const cityBySlug = cached(findCity, { key: "city", ttl: "1 day", groups: ["cities"] })

const program = Effect.gen(function* () {
  yield* cityBySlug("lisbon") // computes
  yield* cityBySlug("lisbon") // from the cache
  yield* Effect.all(
    Array.from({ length: 1_000 }, () => cityBySlug("porto")),
    { concurrency: "unbounded" }
  ) // computes once for all of them
  yield* Console.log(`1,002 calls, ${queries} queries`)

  yield* cityBySlug.invalidate("lisbon") // this entry
  yield* invalidateGroup("cities") // all of them, in one write
  yield* cityBySlug("lisbon")
  yield* Console.log(`after invalidation: ${queries} queries; the key is ${cityBySlug.cacheKey("lisbon")}`)
})

Effect.runPromise(program.pipe(Effect.provide(MemoryBackend.layer({ maxEntries: 10_000 }))))
