/**
 * `npm run demo`: the main job on real data, in under 30 seconds. `npm run demo -- --backend NAME` for another store.
 */

import { parseArgs } from "node:util"
import { Cause, Clock, Console, Effect, Exit, Fiber, Logger, LogLevel } from "effect"
import { type BackendName, backendNames, isBackendName, loadBackend } from "./demo/backends.js"
import { load } from "./demo/cities.js"
import { count, time } from "./demo/format.js"
import { make as makeQuestions } from "./demo/questions.js"
import * as Screen from "./demo/Screen.js"
import * as Scenes from "./demo/scenes.js"

const usage = `Usage: npm run demo -- [--backend ${backendNames.join("|")}]`

const demo = (name: BackendName) =>
  Effect.gen(function* () {
    const start = yield* Clock.currentTimeMillis
    const screen = yield* Screen.make(process.stdout.isTTY === true && process.env["CI"] === undefined)
    yield* screen.print()
    yield* screen.print(
      `${screen.bold("effect-cached")} ${screen.dim(`on real data, kept in ${name}. Every figure is counted as it runs.`)}`
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
    const cache = yield* loadBackend(name)
    const scenes = Effect.gen(function* () {
      yield* screen.scene("A question costs once: cold, then hits", Scenes.coldAndHit(questions))
      yield* screen.scene("10,000 callers ask at once what is not cached", Scenes.stampede(questions))
      yield* screen.scene("10,000 callers ask for what is past its time to live", Scenes.stale(questions))
      yield* screen.scene("The first caller is interrupted, the others are not", Scenes.firstLeaves(questions))
      yield* screen.scene("One write invalidates a whole group", Scenes.invalidation(questions, cities))
      yield* screen.print()
      yield* screen.print(`  ${screen.dim(yield* Scenes.summary)}`)
    })
    yield* Effect.provide(scenes, cache)
    yield* screen.print(`  Every promise kept, in ${time((yield* Clock.currentTimeMillis) - start)}.`)
    yield* screen.print()
  }).pipe(Effect.scoped, Logger.withMinimumLogLevel(LogLevel.Warning))

const parse = () => {
  const { values } = parseArgs({
    options: { backend: { type: "string", short: "b" }, help: { type: "boolean", short: "h" } }
  })
  return values
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
  return yield* Effect.matchCauseEffect(demo(name), {
    onSuccess: () => Effect.succeed(0),
    onFailure: (cause) =>
      Cause.isInterruptedOnly(cause)
        ? Effect.interrupt
        : Effect.as(Console.error(`\nThe demo failed: ${Cause.pretty(cause)}`), 1)
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
