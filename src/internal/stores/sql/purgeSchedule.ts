/**
 * When a table is purged: every now and then, and as soon as enough was written. Writers that are too far ahead of the purge
 * wait for it, or no bound would hold on a busy machine.
 */
import { Duration, Effect, Random, type Scope } from "effect"
import type { CacheError } from "../../../CacheError.js"
import type { StoreSize } from "../../../CacheStore.js"
import { withoutStoredKeys } from "../../keys/redact.js"
import { Warnings } from "../../telemetry/warnings.js"
import { wallClock } from "./wallClock.js"

export interface PurgeScheduleOptions {
  readonly maxEntries: number | undefined
  readonly purgeEvery: Duration.Duration
  /** Removes the entries that have expired or are too many. */
  readonly sweep: Effect.Effect<void, CacheError>
  /** What else is done after a sweep. No writer waits for it. */
  readonly maintenance: Effect.Effect<void, CacheError>
}

/** Makes a write of so many entries wait while too many were written that no sweep has seen. */
export type Throttle = <A>(entries: number, write: Effect.Effect<A, CacheError>) => Effect.Effect<A, CacheError>

export interface Purge {
  readonly throttle: Throttle
  readonly size: Effect.Effect<StoreSize, CacheError>
}

/** Repeats a statement that works on `atOnce` rows at most and gives their number, until it finds fewer. */
export const untilFewer = (
  atOnce: number,
  statement: Effect.Effect<number, CacheError>,
  pause: Effect.Effect<void> = Effect.void
): Effect.Effect<void, CacheError> =>
  Effect.flatMap(statement, (rows) =>
    rows === atOnce ? Effect.zipRight(pause, untilFewer(atOnce, statement, pause)) : Effect.void
  )

/** No write waits longer for the purge: a table over its bound harms less than a program that stands still. */
const longestWait = Duration.seconds(1)

/** A trigger may quote the keys that the purge deletes; the layer may hide keys (`redactKeys`). */
const saidBy = ({ description, reason }: CacheError): string => `${withoutStoredKeys(description)} (${reason})`

export const schedulePurge = (options: PurgeScheduleOptions): Effect.Effect<Throttle, never, Scope.Scope> =>
  Effect.gen(function* () {
    const { maintenance, maxEntries, purgeEvery, sweep } = options
    const warnings = new Warnings()
    /** A purge may never work, and the table then grows for ever. An outage is told by the calls that it hits. */
    const logFailure = <A>(what: string, effect: Effect.Effect<A, CacheError>) =>
      Effect.tapError(effect, (error) =>
        error.reason === "Unavailable"
          ? Effect.logDebug(`Cache ${what} failed: ${saidBy(error)}`)
          : warnings.warn(
              `${what} ${error.reason}`,
              () => `Cache ${what} failed, so the table may grow: ${saidBy(error)}`,
              {
                reason: error.reason
              }
            )
      )
    const wake = yield* Effect.makeLatch(false)
    const swept = yield* Effect.makeLatch(false)
    // entries that no sweep has seen, and those of them whose write has ended
    let unswept = 0
    let written = 0
    // each process may be so far ahead of its purge: several together stay within 10 %
    const sweepAfter = maxEntries === undefined ? Number.POSITIVE_INFINITY : Math.ceil(maxEntries / 100)
    const waitAfter = 2 * sweepAfter

    const purge = Effect.gen(function* () {
      const seen = written
      written = 0
      yield* wake.close
      const succeeded = yield* Effect.isSuccess(logFailure("purge", sweep))
      // where the purge can't work, writers need not wait for it
      unswept = succeeded ? Math.max(0, unswept - seen) : 0
      yield* swept.release
      yield* Effect.ignore(logFailure("maintenance", maintenance))
      if (unswept >= sweepAfter) yield* wake.open
    }).pipe(Effect.withSpan("effect-cached.purge"))

    // at random: processes that started together would otherwise purge together for ever
    const untilDue = Effect.flatMap(Random.nextRange(0.75, 1.25), (factor) =>
      Effect.race(Effect.sleep(Duration.times(purgeEvery, factor)), wake.await)
    )
    yield* Effect.forkScoped(Effect.withClock(Effect.forever(Effect.zipRight(untilDue, purge)), wallClock))

    const untilSwept: Effect.Effect<void> = Effect.suspend(() =>
      unswept < waitAfter ? Effect.void : Effect.zipRight(swept.await, untilSwept)
    )
    const waitForSweep = untilSwept.pipe(Effect.timeoutOption(longestWait), Effect.withClock(wallClock))

    return (entries, write) => {
      if (maxEntries === undefined) return write
      const counted = Effect.suspend(() => {
        unswept += entries
        if (unswept >= sweepAfter) wake.unsafeOpen()
        return Effect.ensuring(
          write,
          Effect.sync(() => {
            written += entries
          })
        )
      })
      return Effect.suspend(() => (unswept < waitAfter ? counted : Effect.zipRight(waitForSweep, counted)))
    }
  })
