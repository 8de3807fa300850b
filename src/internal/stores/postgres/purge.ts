/**
 * Keeps the table small, in the background: removes what has expired and what is over `maxEntries`, and folds changes. Several
 * processes may do so at once. It also notices when the table has outgrown the plans of the prepared statements.
 */
import { Duration, Effect, Metric, Option, type Scope } from "effect"
import type { CacheError } from "../../../CacheError.js"
import { evictedFrom } from "../../telemetry/metrics.js"
import { shortLived } from "../sql/leases.js"
import { type Purge, schedulePurge, untilFewer } from "../sql/purgeSchedule.js"
import type { Run } from "./connection.js"
import { foldAll } from "./fold.js"
import type { PreparedStatements } from "./PreparedStatements.js"
import type { Statement } from "./statements/named.js"
import type { Statements } from "./statements/statements.js"

export interface PurgeOptions {
  readonly run: Run
  readonly statements: Statements
  readonly prepared: PreparedStatements
  readonly maxEntries: number | undefined
  readonly purgeEvery: Duration.Duration
}

const atOnce = 1_000
/** What expires sooner is as good as gone: it is removed only where the rest is too few. */
const spared = Duration.millis(shortLived)
/** While another process evicts. */
const whileBusy = Duration.millis(5)
const evicted = evictedFrom("postgresql")

export const purge = (options: PurgeOptions): Effect.Effect<Purge, never, Scope.Scope> =>
  Effect.gen(function* () {
    const { maxEntries, prepared, run, statements } = options
    let evictions = 0

    const untilDone = (statement: Statement) =>
      untilFewer(
        atOnce,
        Effect.map(run<{ readonly rows: string }>(statement, [atOnce]), ([done]) => Number(done?.rows))
      )

    /** How many of the kind are removed at once. */
    const together = (most: number) => Math.min(10_000, Math.max(100, Math.ceil(most / 20)))

    const once = (statement: Statement, parameters: ReadonlyArray<number>) =>
      Effect.map(run<{ readonly removed: string; readonly excess: string | null }>(statement, parameters), ([row]) => ({
        removed: Number(row?.removed ?? 0),
        /** Null while another process evicts. */
        excess: row?.excess === null ? null : Number(row?.excess ?? 0)
      }))

    const evict = (most: number): Effect.Effect<void, CacheError> => {
      const atOnce = together(most)
      const sparing = (duration: Duration.Duration) =>
        once(statements.evict, [most, atOnce, Duration.toSeconds(duration)])
      return Effect.gen(function* () {
        let { excess, removed } = yield* sparing(spared)
        if (excess === null) return yield* Effect.delay(evict(most), whileBusy)
        if (removed < excess) removed += (yield* sparing(Duration.zero)).removed
        evictions += removed
        yield* Metric.incrementBy(evicted, removed)
        if (excess === atOnce && removed > 0) yield* evict(most)
      })
    }

    /** The versions of groups, apart from the values: a lost one costs misses only. */
    const evictGroups = (most: number): Effect.Effect<void, CacheError> => {
      const atOnce = together(most)
      return Effect.flatMap(once(statements.evictGroups, [most, atOnce]), ({ excess, removed }) => {
        if (excess === null) return Effect.delay(evictGroups(most), whileBusy)
        return excess === atOnce && removed > 0 ? evictGroups(most) : Effect.void
      })
    }

    const noteTableSize = Effect.map(run<{ readonly bytes: string }>(statements.tableSize, []), ([row]) => {
      if (row !== undefined) prepared.tableSize(Number(row.bytes))
    })

    const throttle = yield* schedulePurge({
      maxEntries,
      purgeEvery: options.purgeEvery,
      sweep: Effect.all(
        [
          untilDone(statements.removeExpired),
          untilDone(statements.removeExpiredGroups),
          ...(maxEntries === undefined ? [] : [evict(maxEntries), evictGroups(maxEntries)])
        ],
        { discard: true }
      ),
      maintenance: Effect.all(
        [
          noteTableSize,
          untilDone(statements.fillMissingPurgeTimes),
          untilDone(statements.fillMissingPurgeTimesOfGroups),
          foldAll(run, statements)
        ],
        { discard: true }
      )
    })

    return {
      throttle,
      size: Effect.map(run<{ readonly entries: string; readonly bytes: string }>(statements.size, []), ([row]) => ({
        entries: Option.some(Number(row?.entries ?? 0)),
        bytes: Option.some(Number(row?.bytes ?? 0)),
        evictions: Option.some(evictions)
      }))
    }
  })
