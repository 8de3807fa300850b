/**
 * Which record was read: memcached's compare-and-set number is unique on one server only, and until it is restarted, so
 * the server and the generation belong to the proof.
 *
 * @since 0.1.0
 */
import type { Generation } from "./generation/Generation.js"

export class Token {
  constructor(
    readonly server: number,
    readonly generation: Generation,
    readonly casHigh: number,
    readonly casLow: number
  ) {}
}
