/** `npm run demo -- --web`: the live view over the questions, while visitors ask them, until it is interrupted. */
import { createServer } from "node:http"
import { HttpServer } from "@effect/platform"
import { NodeHttpServer } from "@effect/platform-node"
import { Effect, Layer, Random, Schedule } from "effect"
import { type CacheBackend, cached, invalidateGroup } from "effect-cached"
import * as Dashboard from "effect-cached/Dashboard"
import type { City } from "./cities.js"
import { count } from "./format.js"
import { group, type Questions } from "./questions.js"
import type { Screen } from "./Screen.js"

/** The window of the world that visitors look at: what is asked often is a hit, what is asked rarely is computed. */
const places = 400

const visit = (questions: Questions, cities: ReadonlyArray<City>) => {
  const tide = cached((name: string) => Effect.fail(`no gauge in ${name}`), { key: "tide", ttl: "1 minute" })
  const rated = cached((id: number) => Effect.delay(Effect.succeed(id % 5), "400 millis"), {
    key: "rated",
    ttl: "3 seconds",
    stale: "1 minute",
    revalidate: "background",
    groups: [group]
  })
  return Effect.gen(function* () {
    const city = cities[Math.floor((yield* Random.next) ** 3 * places)]
    if (city === undefined) return
    const chance = yield* Random.next
    if (chance < 0.75) yield* questions.card(city.id)
    else if (chance < 0.95) yield* rated(city.id % 20)
    else if (chance < 0.985) yield* questions.largest(city.country)
    else if (chance < 0.999) yield* questions.nearest(Math.round(city.latitude), Math.round(city.longitude))
    else yield* Effect.ignore(tide(city.name))
  })
}

const visitors = 40

const load = (questions: Questions, cities: ReadonlyArray<City>): Effect.Effect<void, never, CacheBackend> => {
  const visitor = Effect.forever(Effect.zipRight(visit(questions, cities), Effect.sleep("20 millis")))
  // The cities change from time to time.
  const editor = Effect.repeat(Effect.ignore(invalidateGroup(group)), Schedule.spaced("20 seconds"))
  return Effect.asVoid(
    Effect.all([editor, ...Array.from({ length: visitors }, () => visitor)], { concurrency: "unbounded" })
  )
}

export const serve = (
  screen: Screen,
  questions: Questions,
  cities: ReadonlyArray<City>,
  port: number
): Effect.Effect<void, unknown, CacheBackend> => {
  const Server = HttpServer.serve(Dashboard.httpApp({ title: "Cities of the world", allow: "invalidate" })).pipe(
    Layer.provideMerge(NodeHttpServer.layer(createServer, { port, host: "127.0.0.1" }))
  )
  return Effect.gen(function* () {
    yield* HttpServer.addressFormattedWith((address) =>
      screen.print(`  ${count(visitors)} visitors ask. Look at ${screen.bold(address)} and end it with Ctrl-C.`)
    )
    yield* load(questions, cities)
  }).pipe(Effect.provide(Server))
}
