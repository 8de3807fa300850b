/** What the page shows, at one moment. Each table is bounded: what is left out is counted. */
import type { CacheBackendService } from "../../CacheBackend.js"
import { engine } from "../memoized/engine.js"
import type { Counters, Counts } from "../telemetry/counters.js"
import { type Entries, escapedName, type Facts } from "./facts.js"
import { shortened } from "./visible.js"

const mostFunctions = 100
const mostComputing = 50

interface FunctionRow {
  readonly name: string
  readonly counts: Counts
  readonly tierHits: number
  /** Milliseconds, of the latest computations. */
  readonly p50: number | null
  readonly p95: number | null
  readonly entries: number | null
}

interface ComputingRow {
  readonly key: string
  /** Milliseconds; `null` before it has its lease. */
  readonly age: number | null
  readonly waiters: number
}

export interface Sample {
  /** Milliseconds on the Clock. */
  readonly time: number
  readonly store: string
  readonly location: "process" | "network"
  readonly counts: Counts
  /** Hits that the tier has answered; `null` without a tier. */
  readonly tierHits: number | null
  readonly size: Facts["size"]
  readonly latency: Facts["latency"]
  readonly breakers: Facts["breakers"]
  readonly functions: ReadonlyArray<FunctionRow>
  readonly otherFunctions: number
  readonly entriesAreEstimate: boolean
  readonly computing: ReadonlyArray<ComputingRow>
  readonly otherComputing: number
}

const calls = ({ hits, misses, staleHits }: Counts): number => hits + staleHits + misses

const isUsed = (counts: Counts): boolean => Object.values(counts).some((count) => count > 0)

const functionRow = (counters: Counters, counts: Counts, entries: Entries | undefined): FunctionRow => {
  const [p50 = null, p95 = null] = counters.times.quantiles(0.5, 0.95)
  return {
    name: shortened(counters.label),
    counts,
    tierHits: counters.tierHits,
    p50,
    p95,
    entries: entries === undefined ? null : (entries.byName.get(escapedName(counters.label)) ?? 0)
  }
}

export const takeSample = (cache: CacheBackendService, facts: Facts, time: number): Sample => {
  const { counters, flights, reader } = cache[engine]
  const { store } = reader
  const used = [...counters.functions()]
    .map((of) => ({ of, counts: of.counts }))
    .filter(({ counts }) => isUsed(counts))
    .sort((one, other) => calls(other.counts) - calls(one.counts))
  const computing: Array<ComputingRow> = []
  for (const { begun, printed, waiters } of flights.running) {
    if (computing.length === mostComputing) break
    computing.push({ key: shortened(printed), age: begun === undefined ? null : Math.max(0, time - begun), waiters })
  }
  return {
    time,
    store: store.name,
    location: store.location,
    counts: counters.counts,
    tierHits: store.local?.near === undefined ? null : used.reduce((sum, { of: { tierHits } }) => sum + tierHits, 0),
    size: facts.size,
    latency: facts.latency,
    breakers: facts.breakers,
    functions: used.slice(0, mostFunctions).map(({ of, counts }) => functionRow(of, counts, facts.entries)),
    otherFunctions: Math.max(0, used.length - mostFunctions),
    entriesAreEstimate: facts.entries?.isEstimate ?? false,
    computing,
    otherComputing: flights.running.size - computing.length
  }
}
