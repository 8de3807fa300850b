/**
 * `npm run demo`: the main job on real data, in under 30 seconds. `npm run demo -- --backend NAME` for another store, `--tier` with
 * this process's memory in front of it, `--web` for the live view while visitors ask, until it is interrupted.
 */

import { parseArgs } from "node:util"
import { Cause, Clock, Console, Effect, Exit, Fiber, Layer, Logger, LogLevel } from "effect"
import { clear } from "effect-cached"
import { type BackendName, backendNames, isBackendName, start } from "./demo/backends.js"
import { load } from "./demo/cities.js"
import { count, time } from "./demo/format.js"
import { make as makeQuestions } from "./demo/questions.js"
import * as Screen from "./demo/Screen.js"
import * as Scenes from "./demo/scenes.js"
import * as TierScenes from "./demo/tierScenes.js"
import * as Tiers from "./demo/tiers.js"

const usage = `Usage: npm run demo -- [--backend ${backendNames.join("|")}] [--tier] [--web [--port NUMBER]]`

const demo = (name: BackendName, hasTier: boolean, webPort: number | undefined) =>
  Effect.gen(function* () {
    const startedAt = yield* Clock.currentTimeMillis
    const screen = yield* Screen.make(process.stdout.isTTY === true && process.env["CI"] === undefined)
    yield* screen.print()
    yield* screen.print(
      `${screen.bold("effect-cached")} ${screen.dim(`on real data, kept in ${name}${hasTier ? " behind a tier" : ""}. Every figure is counted as it runs.`)}`
    )
    yield* screen.print()
    let cities: Effect.Effect.Success<typeof load> = []
    yield* screen.scene("The cities of the world", () =>
      Effect.gen(function* () {
        const since = yield* Clock.currentTimeMillis
        cities = yield* load
        return [`${count(cities.length)} loaded in ${time((yield* Clock.currentTimeMillis) - since)}`]
      })
    )
    const questions = yield* makeQuestions(cities)
    const backend = yield* start(name)
    const tiers = hasTier ? yield* Tiers.make(backend) : undefined
    const cache = tiers?.here ?? (yield* Layer.build(backend.layer))
    if (webPort !== undefined) {
      const { serve } = yield* Effect.promise(() => import("./demo/web.js"))
      return yield* Effect.provide(serve(screen, questions, cities, webPort), cache)
    }
    const scenes = Effect.gen(function* () {
      // Of an earlier demo on the same server.
      yield* clear
      yield* screen.scene("A question costs once: cold, then hits", Scenes.coldAndHit(questions))
      yield* screen.scene("10,000 callers ask at once what is not cached", Scenes.stampede(questions))
      yield* screen.scene("10,000 callers ask for what is past its time to live", Scenes.stale(questions))
      yield* screen.scene("The first caller is interrupted, the others are not", Scenes.firstLeaves(questions))
      yield* screen.scene("One write invalidates a whole group", Scenes.invalidation(questions, cities))
      if (tiers !== undefined) {
        const number = yield* TierScenes.makeNumber
        yield* screen.scene("A hit in the tier asks nobody", TierScenes.hits(tiers, number))
        if (tiers.bus !== undefined) {
          yield* screen.scene("Another process invalidates, the bus tells", TierScenes.told(tiers, number))
        }
        const title = tiers.bus === undefined ? "there is no bus" : "the bus is cut"
        yield* screen.scene(`Another process invalidates, ${title}`, TierScenes.untold(tiers, number))
      }
      yield* screen.print()
      yield* screen.print(`  ${screen.dim(yield* Scenes.summary)}`)
    })
    yield* Effect.provide(scenes, cache)
    yield* screen.print(`  Every promise kept, in ${time((yield* Clock.currentTimeMillis) - startedAt)}.`)
    yield* screen.print()
  }).pipe(Effect.scoped, Logger.withMinimumLogLevel(LogLevel.Warning))

const parse = () => {
  const { values } = parseArgs({
    options: {
      backend: { type: "string", short: "b" },
      tier: { type: "boolean", short: "t" },
      web: { type: "boolean", short: "w" },
      port: { type: "string", short: "p" },
      help: { type: "boolean", short: "h" }
    }
  })
  return values
}

/** An error says what to do, such as which package to install; a defect also where it is. */
const reasonOf = (cause: Cause.Cause<unknown>): string => {
  const [first] = Cause.failures(cause)
  return first instanceof Error ? first.message : Cause.pretty(cause)
}

const program: Effect.Effect<number> = Effect.gen(function* () {
  const values = yield* Effect.try({
    try: parse,
    catch: (error) => (error instanceof Error ? error.message : `${error}`)
  })
  if (values.help === true) {
    yield* Console.log(usage)
    return 0
  }
  const name = values.backend ?? "memory"
  if (!isBackendName(name)) return yield* Effect.fail(`unknown backend "${name}"; there is ${backendNames.join(", ")}`)
  const port = Number(values.port ?? 0)
  if (!Number.isInteger(port) || port < 0 || port > 65_535) return yield* Effect.fail(`there is no port ${values.port}`)
  return yield* Effect.matchCauseEffect(demo(name, values.tier === true, values.web === true ? port : undefined), {
    onSuccess: () => Effect.succeed(0),
    onFailure: (cause) =>
      Cause.isInterruptedOnly(cause)
        ? Effect.interrupt
        : Effect.as(Console.error(`\nThe demo failed: ${reasonOf(cause)}`), 1)
  })
}).pipe(Effect.catchAll((problem) => Effect.as(Console.error(`${problem}\n${usage}`), 2)))

const interruptedByUser = 130

const fiber = Effect.runFork(program)

// The first Ctrl-C ends the demo in order, a second one at once.
const onSignal = () => {
  process.once("SIGINT", () => process.exit(interruptedByUser))
  Effect.runFork(Fiber.interruptFork(fiber))
}
process.once("SIGINT", onSignal)
process.once("SIGTERM", onSignal)

fiber.addObserver((exit) => {
  process.off("SIGINT", onSignal)
  process.off("SIGTERM", onSignal)
  process.exitCode = Exit.isSuccess(exit) ? exit.value : interruptedByUser
})
