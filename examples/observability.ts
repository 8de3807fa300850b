/** What the cache does, seen in three ways: log lines at debug level, metrics by function, and the layer's own counts. */
import { Console, Effect, Logger, LogLevel, Metric, MetricState } from "effect"
import { cached, MemoryBackend, stats } from "effect-cached"

const square = cached((n: number) => Effect.succeed(n * n), { key: "square", ttl: "1 hour" })

const program = Effect.gen(function* () {
  yield* square(12)
  yield* square(12)
  yield* square.invalidate(12)
  yield* square(12)

  for (const { metricKey, metricState } of yield* Metric.snapshot) {
    if (!metricKey.name.startsWith("effect_cached_") || !MetricState.isCounterState(metricState)) continue
    const key = metricKey.tags.find((tag) => tag.key === "key")?.value
    if (key === "square") yield* Console.log(`${metricKey.name}{key=${key}} ${metricState.count}`)
  }

  const { hits, misses, computed } = yield* stats
  yield* Console.log(`stats: hits ${hits}, misses ${misses}, computed ${computed}`)
})

Effect.runPromise(
  program.pipe(
    Effect.provide(MemoryBackend.layer({ maxEntries: 10_000 })),
    Logger.withMinimumLogLevel(LogLevel.Debug),
    Effect.provide(Logger.replace(Logger.defaultLogger, Logger.logfmtLogger.pipe(Logger.withConsoleLog)))
  )
)
