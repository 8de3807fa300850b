/** Every metric that the library can register, with its kind and its labels, as Effect's registry has them. */
import { Effect, Metric, MetricState } from "effect"
import { withFiber } from "../../src/internal/runtime/fiber.js"
import { LayerCounters } from "../../src/internal/telemetry/counters.js"
import { breakerGauge, evictedFrom } from "../../src/internal/telemetry/metrics.js"
import { Warnings } from "../../src/internal/telemetry/warnings.js"

export interface Registered {
  readonly kind: "counter" | "gauge" | "histogram"
  readonly labels: ReadonlySet<string>
}

const kindOf = (state: MetricState.MetricState<unknown>): Registered["kind"] =>
  MetricState.isCounterState(state) ? "counter" : MetricState.isGaugeState(state) ? "gauge" : "histogram"

const store = "registered-test"
const shown = { printed: "f(1)" }

export const registered: Effect.Effect<ReadonlyMap<string, Registered>> = Effect.gen(function* () {
  const counters = new LayerCounters(store, new Warnings())
  const one = counters.of("f")
  for (const event of Object.keys(counters.counts)) {
    // The counts have no other keys; only those of events that are told of are typed.
    yield* one.count(event as "misses", shown)
    yield* one.ofTier.count(event as "misses", shown)
  }
  yield* withFiber((fiber) => {
    one.computedOn(fiber, 1_500, shown)
    return Effect.void
  })
  evictedFrom(store).unsafeUpdate(1, [])
  breakerGauge({ store }).unsafeModify(1, [])
  breakerGauge({ store, server: "one" }).unsafeModify(1, [])

  const found = new Map<string, Registered>()
  for (const { metricKey, metricState } of yield* Metric.snapshot) {
    const names = metricKey.tags.map(({ key }) => key)
    if (!metricKey.tags.some(({ key, value }) => key === "store" && value === store)) continue
    const labels = new Set([...(found.get(metricKey.name)?.labels ?? []), ...names])
    found.set(metricKey.name, { kind: kindOf(metricState), labels })
  }
  return found
})
