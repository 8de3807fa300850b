/**
 * What `cached` needs of a backend beyond its public operations, behind a symbol.
 */
import type { Flights } from "./flights.js"
import type { Instruments } from "./instruments.js"
import type { Invalidation } from "./invalidation.js"
import type { Memoizer } from "./memoize.js"
import type { Names } from "./names.js"
import type { Records } from "./records.js"

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
