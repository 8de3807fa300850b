/** What works with `effect` alone: one computation for many callers, and an end to it when the last of them leaves. */
import { Deferred, Effect, Fiber } from "effect"
import { cached, MemoryBackend } from "effect-cached"

const program = Effect.gen(function* () {
  let computed = 0
  const double = cached(
    (n) =>
      Effect.delay(
        Effect.sync(() => [++computed, n * 2]),
        "10 millis"
      ),
    { key: "double" }
  )
  yield* Effect.all(
    Array.from({ length: 100 }, () => double(21)),
    { concurrency: "unbounded" }
  )
  const [times, doubled] = yield* double.requireCache(21)

  const started = yield* Deferred.make()
  let ended = false
  const endless = cached(
    Effect.onInterrupt(Effect.zipRight(Deferred.succeed(started, undefined), Effect.never), () =>
      Effect.sync(() => {
        ended = true
      })
    ),
    { key: "endless" }
  )
  const caller = yield* Effect.fork(endless)
  yield* Deferred.await(started)
  yield* Fiber.interrupt(caller)
  return `${doubled} by ${times} computation, the other ended: ${ended}`
})

process.stdout.write(await Effect.runPromise(program.pipe(Effect.provide(MemoryBackend.layer({ maxEntries: 10 })))))
