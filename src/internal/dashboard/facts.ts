/**
 * What must be asked for: the size of the store, how long it takes to answer, its breakers. Asked in the background, while somebody
 * looks.
 */
import { Effect, Metric, MetricState, Option } from "effect"
import type { CacheBackendService } from "../../CacheBackend.js"
import { isGroupKey } from "../keys/finishKey.js"
import { percentEscape } from "../keys/percentEscape.js"
import { engine } from "../memoized/engine.js"
import { monotonicMillis } from "../runtime/monotonic.js"

export interface Breaker {
  /** Of the store, or of one of its servers. */
  readonly server: string | null
  /** How many layers of this process skip it. */
  readonly open: number
}

export interface Facts {
  readonly size: { readonly entries: number | null; readonly bytes: number | null; readonly evictions: number | null }
  /** How long one read of the store took, in milliseconds; `null` for a store in this process. */
  readonly latency: { readonly millis: number } | { readonly failure: string } | null
  readonly breakers: ReadonlyArray<Breaker>
  /** How many entries of each function are in this process, by the function's name in keys. `undefined`: nobody knows. */
  readonly entries: Entries | undefined
}

export interface Entries {
  readonly byName: ReadonlyMap<string, number>
  /** Scaled up from a part of them. */
  readonly isEstimate: boolean
}

export const noFacts: Facts = {
  size: { entries: null, bytes: null, evictions: null },
  latency: null,
  breakers: [],
  entries: undefined
}

/** A key that nobody has. */
const probeKey = "effect-cached/probe"

const latencyOf = (cache: CacheBackendService): Effect.Effect<Facts["latency"]> =>
  cache[engine].reader.store.location === "process"
    ? Effect.succeed(null)
    : Effect.flatMap(monotonicMillis, (time) =>
        Effect.suspend(() => {
          const sent = time()
          return Effect.match(cache.inspect(probeKey), {
            onFailure: ({ reason }) => ({ failure: reason }),
            onSuccess: () => ({ millis: time() - sent })
          })
        })
      )

/** Breakers are told by metrics alone, which all layers of the process share. */
const breakersOf = (store: string): Effect.Effect<ReadonlyArray<Breaker>> =>
  Effect.map(Metric.snapshot, (pairs) =>
    pairs.flatMap(({ metricKey: { name, tags }, metricState }) => {
      if (name !== "effect_cached_breaker_open" || !MetricState.isGaugeState(metricState)) return []
      const label = (wanted: string) => tags.find(({ key }) => key === wanted)?.value
      return label("store") === store ? [{ server: label("server") ?? null, open: Number(metricState.value) }] : []
    })
  )

const mostCounted = 10_000

/** The name at the beginning of a key, as it is escaped there: between the namespace and the arguments. */
export const nameInKey = (key: string): string => {
  const start = key.indexOf(":", key.indexOf(":") + 1) + 1
  const end = key.indexOf("(", start)
  return end < 0 ? key.slice(start) : key.slice(start, end)
}

export const escapedName = (name: string): string => percentEscape(name)

const countEntries = (keys: Iterable<string>): Entries => {
  const byName = new Map<string, number>()
  let counted = 0
  let all = 0
  for (const key of keys) {
    if (isGroupKey(key)) continue
    all++
    if (counted === mostCounted) continue
    counted++
    const name = nameInKey(key)
    byName.set(name, (byName.get(name) ?? 0) + 1)
  }
  if (all === counted) return { byName, isEstimate: false }
  for (const [name, count] of byName) byName.set(name, Math.round((count * all) / counted))
  return { byName, isEstimate: true }
}

export const askFacts = (cache: CacheBackendService): Effect.Effect<Facts> =>
  Effect.suspend(() => {
    const { local, name } = cache[engine].reader.store
    return Effect.map(
      Effect.all([cache.stats, latencyOf(cache), breakersOf(name)]),
      ([{ bytes, entries, evictions }, latency, breakers]) => ({
        size: {
          entries: Option.getOrNull(entries),
          bytes: Option.getOrNull(bytes),
          evictions: Option.getOrNull(evictions)
        },
        latency,
        breakers,
        entries: local === undefined ? undefined : countEntries(local.keys())
      })
    )
  })
