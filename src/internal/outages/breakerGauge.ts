/** The metric that shows which breakers are open. */
import { Metric, MetricKey, MetricLabel } from "effect"

/** For a store, or for one of its servers. */
export const breakerGauge = (labels: Readonly<Record<"store", string> & Partial<Record<"server", string>>>) =>
  Metric.fromMetricKey(
    MetricKey.taggedWithLabels(
      MetricKey.gauge("effect_cached_breaker_open", {
        description: "how many layers' calls skip the store because it fails"
      }),
      Object.entries(labels).map(([name, value]) => MetricLabel.make(name, value))
    )
  )
