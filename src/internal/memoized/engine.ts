/** What `cached` needs of a backend besides its public operations. A symbol keeps it out of the public API. */
import type { EntryReader } from "../entries/EntryReader.js"
import type { Keyspace } from "../entries/keyspace.js"
import type { Flights } from "../readThrough/flights/Flights.js"
import type { Invalidation } from "../readThrough/invalidations/Invalidation.js"
import type { ManyLookups } from "../readThrough/many/ManyReads.js"
import type { Lookups } from "../readThrough/request.js"
import type { LayerCounters } from "../telemetry/counters.js"
import type { Warnings } from "../telemetry/warnings.js"
import type { Definitions } from "./Definitions.js"

export const engine: unique symbol = Symbol.for("effect-cached/engine")

export interface Engine {
  readonly keyspace: Keyspace
  readonly reader: EntryReader
  readonly readThrough: Lookups
  readonly many: ManyLookups
  readonly invalidation: Invalidation
  readonly flights: Flights
  readonly counters: LayerCounters
  readonly warnings: Warnings
  readonly definitions: Definitions
  /** Milliseconds. */
  readonly defaultTtl: number
}
