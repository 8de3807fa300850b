/** What a call that waits knows, and how long it waits until it reads again. */
import { Effect, Random } from "effect"
import type { Lease } from "../../CacheStore.js"

/** What a call knows from its earlier reads of the key. */
export interface Progress {
  /** How often it has read the key. */
  readonly tries: number
  /** How many milliseconds it has waited for other processes. */
  readonly waited: number
  /** The lease of another process that it has waited for last, as it has read it last. */
  readonly awaited: Lease | undefined
  /** Whether that lease was gone before its end, and without a trace, when it read last. */
  readonly vanished: boolean
  /** How often in a row it found the key free, and did not get the lease. */
  readonly lost: number
}

export const atFirst: Progress = { tries: 0, waited: 0, awaited: undefined, vanished: false, lost: 0 }

/** Milliseconds. A store may delete a lease over which it was to write too large a value; then its holder writes a tombstone. */
export const untilTombstone = 20

/** After so many tries in a row what stands there can't be replaced, or changes all the time. */
export const mostLost = 10

/** How often `maxLease` a call waits for other processes, whatever new leases they write. */
export const mostWaits = 3

/** Milliseconds between two reads of a key that another process computes. */
const firstPoll = 2
const longestPoll = 100

export const pollDelay = (tries: number): Effect.Effect<number> => {
  const ceiling = Math.min(longestPoll, firstPoll * 2 ** Math.min(tries, 10))
  return Effect.map(Random.next, (random) => Math.max(1, Math.round(ceiling * (0.5 + random / 2))))
}
