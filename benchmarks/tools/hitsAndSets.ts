/** What the benchmarks of servers with keys and values have in common: the library's own subjects, and which are compared. */
import { Context, Effect, Layer } from "effect"
import { CacheBackend, cached } from "effect-cached"
import { contest, everyHitIsOne, ofEffect, type Subject } from "./contest.js"

export const value = { id: 4711, slug: "lisbon", name: "Lisboa", population: 517_802, tags: ["capital", "harbour"] }
export const text = JSON.stringify(value)

export type Entrant = Subject<"hit" | "set">

/** The library as users call it, over the backend at this address. */
const own = (layer: (address: string) => Layer.Layer<CacheBackend, unknown>): Readonly<Record<string, Entrant>> => {
  const direct: Entrant = (address) =>
    Effect.gen(function* () {
      const cache = Context.get(yield* Layer.build(layer(address)), CacheBackend)
      yield* everyHitIsOne(cache)
      const set = cache.set("direct", value, { ttl: "1 hour" })
      const get = cache.get("direct")
      yield* set
      return { hit: () => ofEffect(() => get), set: () => ofEffect(() => set) }
    })
  const memoized =
    (groups: ReadonlyArray<string>): Entrant =>
    (address) =>
      Effect.gen(function* () {
        const context = yield* Layer.build(layer(address))
        const lookUp = cached(() => Effect.succeed(value), {
          key: `memoized in ${groups.length} groups`,
          ttl: "1 hour",
          groups
        })
        return { hit: () => ofEffect(lookUp, context) }
      })
  return {
    "effect-cached": direct,
    "effect-cached, cached": memoized([]),
    "effect-cached, cached in a group": memoized(["cities"])
  }
}

/** Compares hits and sets of the others with those of the library, at 1 and 64 callers. */
export const hitsAndSets = (options: {
  readonly server: Parameters<typeof contest>[0]["server"]
  readonly layer: (address: string) => Layer.Layer<CacheBackend, unknown>
  readonly others: Readonly<Record<string, Entrant>>
  /** The name of one of the others. */
  readonly reference: string
}) =>
  contest<"hit" | "set">({
    server: options.server,
    subjects: { ...options.others, ...own(options.layer) },
    program: ({ compare }) =>
      Effect.gen(function* () {
        for (const discipline of ["hit", "set"] as const) {
          for (const lanes of [1, 64]) {
            yield* compare({
              title: `${discipline}, ${lanes} at a time`,
              discipline,
              size: 1,
              lanes,
              reference: options.reference
            })
          }
        }
      })
  })
