/**
 * Metrics and traces of the cache to a collector of OpenTelemetry, by OTLP: Grafana Alloy, the OpenTelemetry Collector,
 * Prometheus and most services take them. OTEL_EXPORTER_OTLP_ENDPOINT names it.
 */
import { Otlp } from "@effect/opentelemetry"
import { FetchHttpClient } from "@effect/platform"
import { Config, Effect, Layer } from "effect"
import { cached, MemoryBackend } from "effect-cached"

const square = cached((n: number) => Effect.as(Effect.sleep("20 millis"), n * n), { key: "square", ttl: "1 hour" })

const request = (n: number) => square(n).pipe(Effect.withSpan("request", { attributes: { n } }))

const program = Effect.gen(function* () {
  yield* request(12) //                                       computes: a span cache.compute inside of that of the request
  yield* request(12) //                                       a hit: its span has cache.hit: true
  yield* Effect.all([request(13), request(13)], { concurrency: "unbounded" }) // the second one joins: a link to cache.compute
})

const Telemetry = Layer.unwrapEffect(
  Effect.gen(function* () {
    const baseUrl = yield* Config.withDefault(Config.string("OTEL_EXPORTER_OTLP_ENDPOINT"), "http://localhost:4318")
    return Otlp.layerJson({ baseUrl, resource: { serviceName: "squares" } })
  })
).pipe(Layer.provide(FetchHttpClient.layer))

Effect.runPromise(program.pipe(Effect.provide([MemoryBackend.layer({ maxEntries: 10_000 }), Telemetry])))
