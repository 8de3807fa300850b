/**
 * A process of the cluster. Its arguments and messages say what to do. It uses the public API, and ends by itself when nothing
 * keeps it alive: anything that the library leaves behind would.
 */
import { Deferred, Effect, Exit, FiberRef, Layer, Metric, Scope } from "effect"
import { CacheBackend } from "effect-cached"
import { steppedClock } from "./clocks.js"
import { stamp } from "./history.js"
import type { Assignment, Command, Leftovers, Report } from "./messages.js"
import { openRecorder, type Recorder, recordWarnings } from "./recorder.js"
import { storeLayer } from "./stores.js"
import { work } from "./work.js"

const report = (message: Report) => Effect.sync(() => process.send?.(message))

/** Without the fiber that counts. */
const activeFibers = Effect.map(Metric.value(Metric.counter("effect_fiber_active")), ({ count }) => count - 1)

/** Of the channel to the runner, and of the file of standard error. */
const ownResources = new Set(["Pipe", "PipeWrap", "TTYWrap", "FSReqCallback"])

const leftovers = Effect.map(activeFibers, (fibers) => ({
  resources: process.getActiveResourcesInfo().filter((name) => !ownResources.has(name)),
  fibers
}))

const tick = 100
/** If a timer is late by so much, the process did not run. */
const late = 200

const noticeStarvation = (recorder: Recorder) => {
  let last = stamp()
  return setInterval(() => {
    const now = stamp()
    if (now - last > tick + late) recorder.write({ _tag: "Pause", begin: last, end: now, cause: "starved" })
    last = now
  }, tick)
}

/**
 * Reads a key, again and again, and records when that took so long that a lease may run out before its holder knows that it has
 * one.
 */
const noticeSlowReads = (recorder: Recorder, lease: number) =>
  Effect.gen(function* () {
    const cache = yield* CacheBackend
    const begin = stamp()
    yield* Effect.ignore(cache.has("probe"))
    const end = stamp()
    if (end - begin > lease / 4) recorder.write({ _tag: "SlowRead", begin, end })
    yield* Effect.sleep(tick)
  }).pipe(Effect.forever)

const isNothing = ({ fibers, resources }: Leftovers) => fibers <= 0 && resources.length === 0

const main = Effect.gen(function* () {
  // Written by the runner.
  const { index, life, plan, record, store } = JSON.parse(process.argv[2] ?? "") as Assignment
  const recorder = yield* openRecorder(record)
  const { clock, step } = steppedClock()
  const started = yield* Deferred.make<number>()
  const finished = yield* Deferred.make<void>()
  const obey = (command: Command) => {
    switch (command._tag) {
      case "Run":
        return Deferred.unsafeDone(started, Exit.succeed(command.until))
      case "Finish":
        return Deferred.unsafeDone(finished, Exit.void)
      case "Clock":
        return step(command.offset)
      case "Block": {
        const begin = stamp()
        const end = begin + command.lasting
        // Before it: the process may be killed meanwhile.
        recorder.write({ _tag: "Pause", begin, end, cause: "block" })
        while (stamp() < end);
        return
      }
    }
  }
  process.on("message", obey)
  const watched = noticeStarvation(recorder)

  yield* Effect.gen(function* () {
    const scope = yield* Scope.make()
    const context = yield* Layer.buildWithScope(storeLayer(store), scope)
    yield* report({ _tag: "Ready" })
    const until = yield* Deferred.await(started)
    yield* work(
      plan,
      index,
      life,
      recorder
    )(until).pipe(Effect.raceFirst(noticeSlowReads(recorder, plan.lease)), Effect.provide(context))
    yield* report({ _tag: "Done" })
    yield* Deferred.await(finished)
    yield* Scope.close(scope, Exit.void)
  }).pipe(Effect.provide(recordWarnings(recorder)), Effect.withClock(clock))

  clearInterval(watched)
  // Sockets and statements need a moment to end, and a connection that is being made to listen on needs up to 10 seconds.
  yield* Effect.repeat(Effect.delay(leftovers, "20 millis"), { until: isNothing, times: 1_000 })
  yield* report({ _tag: "Drained", leftovers: yield* leftovers })
  process.removeAllListeners("message")
  process.removeAllListeners("disconnect")
  process.disconnect()
})

// The runner has died: so must its workers.
process.on("disconnect", () => process.exit(1))

Effect.runFork(
  Effect.scoped(main).pipe(
    Effect.catchAllCause((cause) =>
      Effect.sync(() => {
        process.stderr.write(`${String(cause)}\n`)
        process.exit(1)
      })
    ),
    Effect.locally(FiberRef.currentMaxOpsBeforeYield, 2048)
  )
)
