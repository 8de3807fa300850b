/**
 * Counting, logging and tracing what the cache does. Counters are plain numbers beside Effect metrics, because a memory
 * hit can't afford more.
 */
import {
  Clock,
  DefaultServices,
  Effect,
  type Fiber,
  FiberRef,
  LogLevel,
  Metric,
  MetricBoundaries,
  MetricKey,
  MetricLabel,
  Tracer
} from "effect"
import type { CacheError } from "../../CacheError.js"
import { CircuitOpen } from "../outages/outage.js"

const descriptions = {
  hits: "fresh values served from the cache",
  staleHits: "stale values served while another caller recomputes",
  misses: "calls that found nothing to serve",
  joined: "calls answered by a computation that another caller had started",
  computed: "computations that succeeded",
  failed: "computations that ended in an error or a defect",
  stored: "results written to the store",
  discarded: "results not stored, because the key was invalidated, set or leased anew meanwhile",
  undecodable: "records met that could not be decoded",
  storeErrors: "store operations that failed under a call that went on without the cache"
} as const

export type Event = keyof typeof descriptions

export type Counts = { -readonly [E in Event]: number }

// Object.keys widens to string; the object above has no other keys.
const events = Object.keys(descriptions) as ReadonlyArray<Event>

const zero = (): Counts => ({
  hits: 0,
  staleHits: 0,
  misses: 0,
  joined: 0,
  computed: 0,
  failed: 0,
  stored: 0,
  discarded: 0,
  undecodable: 0,
  storeErrors: 0
})

const counter = (name: string, description: string, labels: ReadonlyArray<MetricLabel.MetricLabel>) =>
  Metric.fromMetricKey(MetricKey.taggedWithLabels(MetricKey.counter(name, { description, incremental: true }), labels))

const computeBoundaries = MetricBoundaries.exponential({ start: 1, factor: 2, count: 20 })

/** The meters of one cached function: its metrics carry its key, and the layer's own counts rise along. */
export class Meters {
  private readonly counters: { readonly [E in Event]: Metric.Metric.Counter<number> }
  private readonly computeTime: Metric.Metric.Histogram<number>

  constructor(
    private readonly counts: Counts,
    store: string,
    label: string
  ) {
    const labels = [MetricLabel.make("key", label), MetricLabel.make("store", store)]
    // Built from the same list of events that its type names.
    this.counters = Object.fromEntries(
      events.map((event) => [event, counter(`effect_cached_${snake(event)}_total`, descriptions[event], labels)])
    ) as unknown as { readonly [E in Event]: Metric.Metric.Counter<number> }
    this.computeTime = Metric.fromMetricKey(
      MetricKey.taggedWithLabels(
        MetricKey.histogram("effect_cached_compute_milliseconds", computeBoundaries, "time that computations took"),
        labels
      )
    )
  }

  unsafeCount(fiber: Fiber.RuntimeFiber<unknown, unknown>, event: Event): void {
    this.counts[event]++
    this.counters[event].unsafeUpdate(1, fiber.getFiberRef(FiberRef.currentMetricLabels))
  }

  count(event: Event): Effect.Effect<void> {
    return Effect.withFiberRuntime((fiber) => {
      this.unsafeCount(fiber, event)
      return Effect.void
    })
  }

  unsafeComputed(fiber: Fiber.RuntimeFiber<unknown, unknown>, millis: number): void {
    this.unsafeCount(fiber, "computed")
    this.computeTime.unsafeUpdate(millis, fiber.getFiberRef(FiberRef.currentMetricLabels))
  }

  computed(millis: number): Effect.Effect<void> {
    return Effect.withFiberRuntime((fiber) => {
      this.unsafeComputed(fiber, millis)
      return Effect.void
    })
  }
}

const snake = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)

/** The meters of a layer, by the key of the cached function; `direct` for the operations of the service itself. */
export class Instruments {
  readonly counts = zero()
  readonly direct: Meters
  private readonly byLabel = new Map<string, Meters>()

  constructor(private readonly store: string) {
    this.direct = this.meters("direct")
  }

  meters(label: string): Meters {
    let meters = this.byLabel.get(label)
    if (meters === undefined) {
      meters = new Meters(this.counts, this.store, label)
      this.byLabel.set(label, meters)
    }
    return meters
  }
}

export const debugIsOn = (fiber: Fiber.RuntimeFiber<unknown, unknown>): boolean =>
  fiber.getFiberRef(FiberRef.currentMinimumLogLevel).ordinal <= LogLevel.Debug.ordinal

export const logAction = (
  action: "HIT" | "MISS" | "STALE" | "SET" | "DELETE" | "DISCARD",
  printed: string
): Effect.Effect<void> =>
  // Logging asks for the level only after it has put the message together.
  Effect.withFiberRuntime((fiber) => (debugIsOn(fiber) ? Effect.logDebug(`Cache ${action} ${printed}`) : Effect.void))

/** An open breaker has told of itself when it opened; the calls that skip the store need not repeat it. */
export const isTold = (fiber: Fiber.RuntimeFiber<unknown, unknown>, error: CacheError): boolean =>
  error.cause instanceof CircuitOpen && !debugIsOn(fiber)

export const logFailure = (what: string, error: CacheError): Effect.Effect<void> =>
  Effect.withFiberRuntime((fiber) => {
    if (isTold(fiber, error)) return Effect.void
    const skipped = error.cause instanceof CircuitOpen
    return Effect.annotateLogs(
      Effect.logWithLevel(skipped ? LogLevel.Debug : LogLevel.Warning, `${what}: ${error.message}`),
      { reason: error.reason, operation: error.operation }
    )
  })

// Effect's default tracer keeps spans for nobody, and a span costs as much as a fast store's answer.
const defaultTracer = DefaultServices.liveServices.unsafeMap.get(Tracer.Tracer.key)

type AnyFiber = Fiber.RuntimeFiber<unknown, unknown>

/** Whether someone keeps the spans. */
export const hasTracer = (fiber: AnyFiber): boolean => fiber.currentTracer !== defaultTracer

const inSpan = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  name: string,
  options: Tracer.SpanOptions
): Effect.Effect<A, E, R> =>
  // The span satisfies ParentSpan, which is the only requirement that withSpan takes away.
  Effect.withSpan(effect, name, options) as Effect.Effect<A, E, R>

/** A span around a store operation, where a tracer is installed. */
export const storeSpan =
  (operation: string, store: string, keys: number) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.withFiberRuntime((fiber) => storeSpanOn(fiber, operation, store, keys, effect))

/** The same for a fiber at hand. */
export const storeSpanOn = <A, E, R>(
  fiber: AnyFiber,
  operation: string,
  store: string,
  keys: number,
  effect: Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> =>
  hasTracer(fiber)
    ? inSpan(effect, `cache.${operation}`, {
        kind: "client",
        attributes: { "cache.store": store, "cache.keys": keys }
      })
    : effect

/** A span around a computation in this fiber, where a tracer is installed or the caller has a span of its own. */
export const computeSpan = <A, E, R>(
  fiber: AnyFiber,
  printed: string,
  computation: Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> =>
  hasTracer(fiber) || fiber.currentSpan !== undefined
    ? inSpan(computation, "cache.compute", { attributes: { "cache.key": printed } })
    : computation

export const nowMillis = (fiber: Fiber.RuntimeFiber<unknown, unknown>): number => {
  // Every fiber carries the default services; the map is untyped.
  const clock = fiber.currentDefaultServices.unsafeMap.get(Clock.Clock.key) as Clock.Clock
  return clock.unsafeCurrentTimeMillis()
}
