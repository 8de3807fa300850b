/** Counting what a store drops for want of room. */
import { Metric, MetricKey, MetricLabel } from "effect"

export const evictedFrom = (store: string) =>
  Metric.fromMetricKey(
    MetricKey.taggedWithLabels(
      MetricKey.counter("effect_cached_evicted_total", {
        description: "entries dropped for want of room",
        incremental: true
      }),
      [MetricLabel.make("store", store)]
    )
  )
