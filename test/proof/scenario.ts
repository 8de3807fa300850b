/** One scenario of the proof: its rows of the table, and whether the promise was kept. */
import type { Effect, Scope } from "effect"
import type { Watchdog } from "../cluster/children.js"
import type { Server, ServerOptions } from "../cluster/servers.js"
import type { ServerDescription } from "../cluster/stores.js"

export const storeNames = ["sql", "memcached", "redis"] as const
export type StoreName = (typeof storeNames)[number]
export const storeTitles: Readonly<Record<StoreName, string>> = {
  sql: "PostgreSQL",
  memcached: "memcached",
  redis: "Redis"
}

export interface Row {
  readonly what: string
  readonly store: string
  readonly measured: string
  /** `undefined` if nothing is promised: the counts of other libraries, for comparison. */
  readonly kept: boolean | undefined
  /** The same in numbers, and more, for the charts. */
  readonly figures?: Readonly<Record<string, unknown>>
}

export interface Surroundings {
  readonly watching: Watchdog
  readonly store: StoreName
  readonly server: (options: ServerOptions) => Effect.Effect<Server<ServerDescription>, unknown, Scope.Scope>
  /** The bundled workers. */
  readonly proofWorker: string
  readonly clusterWorker: string
}

export type Scenario = (surroundings: Surroundings) => Effect.Effect<ReadonlyArray<Row>, unknown, Scope.Scope>

export const percentile = (values: ReadonlyArray<number>, share: number): number => {
  const sorted = [...values].sort((left, right) => left - right)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}

export const count = (value: number): string => value.toLocaleString("en")
