/**
 * Counts what the cache does: for `stats` in plain numbers of the layer, for dashboards in Effect metrics (`metrics.ts`), and tells
 * it to those who listen (`Events.ts`). All of it synchronously, because an operation of the runtime would cost more than a memory
 * hit.
 */
import { Effect, GlobalValue, type Metric } from "effect"
import { CacheEvent } from "../../CacheEvent.js"
import { type CallingFiber, hasTracer, metricLabels, withFiber } from "../runtime/fiber.js"
import { Events } from "./Events.js"
import { computeHistogram, eventCounter } from "./metrics.js"
import { RecentTimes } from "./RecentTimes.js"
import { markHit } from "./spans.js"
import { Warnings } from "./warnings.js"

const descriptions = {
  hits: "fresh values served from the cache",
  staleHits: "stale values served while another caller recomputes",
  misses: "calls that found no value, or a stale one that they recomputed",
  joined: "calls answered by a computation that another caller had started",
  computed: "computations that succeeded",
  failed: "computations that ended in an error or a defect",
  stored: "results written to the store",
  discarded: "results not stored, because the key was invalidated, set or leased anew meanwhile",
  refused: "values not stored, because they can't be encoded or their ttl is no duration",
  undecodable: "entries read that could not be decoded",
  storeErrors: "store operations that failed under a call that went on without the cache"
} as const

export type Event = keyof typeof descriptions

/** What is told by the key alone. */
type Told = Exclude<Event, "computed">

export type Counts = { -readonly [E in Event]: number }

// Object.keys widens to string; the object above has no other keys.
const countedEvents = Object.keys(descriptions) as ReadonlyArray<Event>

const zero = (): Counts => ({
  hits: 0,
  staleHits: 0,
  misses: 0,
  joined: 0,
  computed: 0,
  failed: 0,
  stored: 0,
  discarded: 0,
  refused: 0,
  undecodable: 0,
  storeErrors: 0
})

/** The events that tell whether a call was answered from the cache. */
const answers: Partial<Record<Event, boolean>> = { hits: true, staleHits: true, misses: false }

/** What of a key is shown. */
export interface Shown {
  readonly printed: string
}

/** The event that is told of a key. */
const told: { readonly [E in Told]: (key: string, tier: boolean) => CacheEvent } = {
  hits: (key, tier) => CacheEvent.Hit({ key, tier }),
  staleHits: (key) => CacheEvent.StaleHit({ key }),
  misses: (key) => CacheEvent.Miss({ key }),
  joined: (key) => CacheEvent.Joined({ key }),
  failed: (key) => CacheEvent.Failed({ key }),
  stored: (key) => CacheEvent.Stored({ key }),
  discarded: (key) => CacheEvent.Discarded({ key }),
  refused: (key) => CacheEvent.Refused({ key }),
  undecodable: (key) => CacheEvent.Undecodable({ key }),
  storeErrors: (key) => CacheEvent.StoreError({ key })
}

/** The counters of one memoized function: its metrics carry its key. What the layer counts is the sum of them all. */
export class Counters {
  private readonly own = zero()
  /** How long the latest computations took. */
  readonly times = new RecentTimes()
  private readonly metrics: { readonly [E in Event]: Metric.Metric.Counter<number> }
  private readonly computeTime: Metric.Metric.Histogram<number>
  private tier: Counters | undefined

  constructor(
    private readonly store: string,
    /** The name of the function, or `other`: their number is bounded. */
    readonly label: string,
    readonly events: Events,
    /** The name of the cache, if it is one of several. */
    readonly cache: string | undefined,
    private readonly inTier = false
  ) {
    const labels = {
      key: label,
      store,
      ...(cache === undefined ? {} : { cache }),
      ...(inTier ? { tier: "memory" } : {})
    }
    // One counter for each event, as the type says; `fromEntries` loses the names.
    this.metrics = Object.fromEntries(
      countedEvents.map((event) => [event, eventCounter(event, descriptions[event], labels)])
    ) as unknown as { readonly [E in Event]: Metric.Metric.Counter<number> }
    this.computeTime = computeHistogram(labels)
  }

  /** Counts the hits in a tier, under the same name: their metrics have the label `tier` in addition. */
  get ofTier(): Counters {
    this.tier ??= new Counters(this.store, this.label, this.events, this.cache, true)
    return this.tier
  }

  /** Adds what is counted here, in the tier too, to `sum`. */
  addTo(sum: Counts): Counts {
    for (const event of countedEvents) sum[event] += this.own[event]
    return this.tier === undefined ? sum : this.tier.addTo(sum)
  }

  get counts(): Counts {
    return this.addTo(zero())
  }

  /** Hits that the tier has answered. */
  get tierHits(): number {
    return this.tier?.own.hits ?? 0
  }

  /** Counts, and tells it of the key. */
  countOn(fiber: CallingFiber, event: Told, of: Shown): void {
    this.add(fiber, event)
    if (this.events.isListened) this.tell(event, of)
  }

  /** Tells it of the key, which is counted already. */
  tell(event: Told, { printed }: Shown): void {
    this.events.tell(told[event](printed, this.inTier))
  }

  /** Counts so many of them alone. */
  add(fiber: CallingFiber, event: Event, times = 1): void {
    this.own[event] += times
    if (hasTracer(fiber)) {
      const hit = answers[event]
      if (hit !== undefined) markHit(fiber, hit)
    }
    this.metrics[event].unsafeUpdate(times, metricLabels(fiber))
  }

  count(event: Told, of: Shown): Effect.Effect<void> {
    return withFiber((fiber) => {
      this.countOn(fiber, event, of)
      return Effect.void
    })
  }

  computedOn(fiber: CallingFiber, millis: number, { printed }: Shown): void {
    this.add(fiber, "computed")
    if (this.events.isListened) this.events.tell(CacheEvent.Computed({ key: printed, millis }))
    this.times.add(millis)
    this.computeTime.unsafeUpdate(millis / 1_000, metricLabels(fiber))
  }
}

/** Effect's registry keeps a metric for ever, and a program may make functions without end. */
const mostLabels = 1_000

/** The registry is one for the process, and a program may make layers without end, for instance one a request. */
const mostOfProcess = 10_000
const labelsOfProcess = GlobalValue.globalValue("effect-cached/labels", () => new Set<string>())
const warningsOfProcess = GlobalValue.globalValue("effect-cached/labelWarnings", () => new Warnings())

/** Whether the label of this store and cache is in the registry, or there is room for it. */
const isRegistered = (store: string, cache: string | undefined, label: string): boolean => {
  const registered = cache === undefined ? `${store} ${label}` : `${store} of ${cache} ${label}`
  if (labelsOfProcess.has(registered)) return true
  if (labelsOfProcess.size >= mostOfProcess) return false
  labelsOfProcess.add(registered)
  return true
}

/** The counters of a layer, by the name of the memoized function; `direct` is for the operations of the service. */
export class LayerCounters {
  readonly direct: Counters
  /** For all functions beyond the names that there is room for. */
  readonly other: Counters
  private readonly cache: string | undefined
  private readonly byLabel = new Map<string, Counters>()

  /**
   * @param warnings of the layer
   * @param cache the name of the cache, if it is one of several
   */
  constructor(
    private readonly store: string,
    private readonly warnings: Warnings,
    readonly events = new Events(),
    cache?: string
  ) {
    this.cache = cache === undefined || isRegistered(store, cache, "direct") ? cache : "other"
    this.direct = new Counters(store, "direct", events, this.cache)
    this.other = new Counters(store, "other", events, this.cache)
  }

  /** The counters of all functions that were called. */
  *functions(): Iterable<Counters> {
    yield this.direct
    yield* this.byLabel.values()
    yield this.other
  }

  /** The sum of them all. */
  get counts(): Counts {
    const sum = zero()
    for (const counters of this.functions()) counters.addTo(sum)
    return sum
  }

  of(label: string): Counters {
    const known = this.byLabel.get(label)
    if (known !== undefined) return known
    if (label === this.direct.label) return this.direct
    if (this.byLabel.size >= mostLabels || !isRegistered(this.store, this.cache, label)) return this.other
    const counters = new Counters(this.store, label, this.events, this.cache)
    this.byLabel.set(label, counters)
    return counters
  }

  /** Tells that functions count as `other`: once a minute for the layer, or for all layers if they have too many names together. */
  get warnTooManyNames(): Effect.Effect<void> {
    return this.byLabel.size >= mostLabels
      ? this.warnings.warn("names", () => tooManyNames("This cache has", mostLabels))
      : warningsOfProcess.warn("names", () => tooManyNames("The caches of this process have", mostOfProcess))
  }
}

const tooManyNames = (whose: string, most: number) =>
  `${whose} met more than ${most} names of functions. The metrics of all further ones are under "other". A name must ` +
  'not hold an id: an effect that depends on one has the option key: ["city", id] instead of key: "city:" + id'
