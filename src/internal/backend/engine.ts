/**
 * What `cached` needs of a backend beyond its public operations, behind a symbol.
 */

import type { Records } from "../entries/EntryReader.js"
import type { Names } from "../entries/keyspace.js"
import type { Flights } from "../readThrough/Flights.js"
import type { Invalidation } from "../readThrough/invalidation.js"
import type { Memoizer } from "../readThrough/ReadThrough.js"
import type { Instruments } from "../runtime/instruments.js"

export const engine: unique symbol = Symbol.for("effect-cached/engine")

export interface Engine {
  readonly names: Names
  readonly records: Records
  readonly memoizer: Memoizer
  readonly invalidation: Invalidation
  readonly flights: Flights
  readonly instruments: Instruments
  /** Milliseconds. */
  readonly defaultTtl: number
}
