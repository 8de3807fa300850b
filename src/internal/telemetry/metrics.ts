/**
 * The names of all metrics:
 *
 * - `effect_cached_<event>_total`, counters with the labels `key` and `store`; the events are in `counters.ts`
 * - `effect_cached_compute_seconds`, a histogram with the same labels
 * - `effect_cached_evicted_total`, a counter with the label `store`
 * - `effect_cached_breaker_open`, a gauge with the label `store`, and `server` where it is about one server of several
 *
 * docs/production.md lists them all; a test compares.
 */
import { Metric, MetricBoundaries, MetricKey, MetricLabel } from "effect"

type Labels = Readonly<Record<string, string>>

const toLabels = (labels: Labels): ReadonlyArray<MetricLabel.MetricLabel> =>
  Object.entries(labels).map(([name, value]) => MetricLabel.make(name, value))

const counter = (name: string, description: string, labels: Labels) =>
  Metric.fromMetricKey(
    MetricKey.taggedWithLabels(MetricKey.counter(name, { description, incremental: true }), toLabels(labels))
  )

const snake = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)

export const eventCounter = (event: string, description: string, labels: Readonly<Record<"key" | "store", string>>) =>
  counter(`effect_cached_${snake(event)}_total`, description, labels)

/** From 1 millisecond to 9 minutes. */
const computeBoundaries = MetricBoundaries.exponential({ start: 0.001, factor: 2, count: 20 })

export const computeHistogram = (labels: Readonly<Record<"key" | "store", string>>) =>
  Metric.fromMetricKey(
    MetricKey.taggedWithLabels(
      MetricKey.histogram("effect_cached_compute_seconds", computeBoundaries, "time that computations took"),
      toLabels(labels)
    )
  )

/** Counts the entries that a store drops for want of room. */
export const evictedFrom = (store: string) =>
  counter("effect_cached_evicted_total", "entries dropped for want of room", { store })

/** Shows which circuit breakers are open: that of a store, or that of one of its servers. */
export const breakerGauge = (labels: { readonly store: string; readonly server?: string }) =>
  Metric.fromMetricKey(
    MetricKey.taggedWithLabels(
      MetricKey.gauge("effect_cached_breaker_open", {
        description: "how many layers' calls skip the store because it fails"
      }),
      toLabels({ ...labels })
    )
  )
