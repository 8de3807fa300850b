/**
 * The questions, memoized. Each call of a function below may compute or not; `computations` counts where they do.
 */
import { Effect, Ref } from "effect"
import { cached } from "effect-cached"
import * as Cities from "./cities.js"

/** Names all that is cached here: when the cities change, one write makes all of it count no more. */
export const group = "cities"

export const make = (cities: ReadonlyArray<Cities.City>) =>
  Effect.gen(function* () {
    const computations = yield* Ref.make(0)
    const counted = <A>(computation: Effect.Effect<A>): Effect.Effect<A> =>
      Effect.zipRight(
        Ref.update(computations, (count) => count + 1),
        computation
      )

    const nearest = cached(
      (latitude: number, longitude: number) => counted(Cities.nearest(cities, latitude, longitude)),
      { key: "nearest", ttl: "1 hour", groups: [group] }
    )

    /** The same from a source that takes its time. */
    const fromAfar = cached(
      (latitude: number, longitude: number) =>
        counted(Effect.delay(Cities.nearest(cities, latitude, longitude), "300 millis")),
      { key: "from afar", ttl: "1 hour", groups: [group] }
    )

    const largest = cached((country: string) => counted(Cities.largest(cities, country)), {
      key: "largest",
      ttl: "1 hour",
      groups: [group]
    })

    const named = cached((text: string) => counted(Cities.named(cities, text)), {
      key: "named",
      ttl: "1 hour",
      groups: [group]
    })

    const byId = new Map(cities.map((city) => [city.id, city]))
    const card = cached((id: number) => counted(Effect.sync(() => byId.get(id))), {
      key: "card",
      ttl: "1 hour",
      groups: [group]
    })

    /**
     * Carries its edition, so that an old answer can be told from a new one. The first is soon past its time to live,
     * the next ones are not, however slow the machine is.
     */
    const editions = yield* Ref.make(0)
    const ranking = cached(
      (country: string) =>
        counted(
          Effect.all({
            edition: Ref.updateAndGet(editions, (edition) => edition + 1),
            top: Cities.largest(cities, country)
          })
        ),
      {
        key: "ranking",
        ttl: ({ edition }) => (edition === 1 ? "500 millis" : "1 hour"),
        stale: "10 minutes",
        groups: [group]
      }
    )

    return { computations: Ref.get(computations), nearest, fromAfar, largest, named, card, ranking }
  })

export type Questions = Effect.Effect.Success<ReturnType<typeof make>>
