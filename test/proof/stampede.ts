/** 8 processes × 1,250 callers on one key at the same moment: how often is it computed, and who has to wait? */
import { Effect } from "effect"
import { withTier } from "../cluster/stores.js"
import { ask, CannotRun, fleet, type Process, soon } from "./fleet.js"
import type { BurstResult, CallOptions } from "./messages.js"
import { count, type Row, type Scenario, type Surroundings, storeTitles } from "./scenario.js"
import { type SubjectName, subjectNames } from "./subjects.js"

const processes = 8
const fibers = 1_250
const lasting = 500
/** Of the tiers, in milliseconds. */
const maxStaleness = 1_000

export interface StampedeFigures {
  readonly subject: string
  readonly key: "cold" | "stale"
  readonly computations: number
  /** The same by process. */
  readonly perProcess: ReadonlyArray<number>
  /** Callers who got the stale value, where there is one. */
  readonly answeredAtOnce?: number
}

const burst = (members: ReadonlyArray<Process>, call: CallOptions) =>
  Effect.suspend(() => {
    const command = { _tag: "Burst", fibers, at: soon(), ...call } as const
    return Effect.forEach(members, (one) => Effect.map(ask(one, command, "Burst"), ({ result }) => result), {
      concurrency: "unbounded"
    })
  })

const total = (results: ReadonlyArray<BurstResult>) => ({
  computations: results.reduce((sum, one) => sum + one.computations, 0),
  failed: results.reduce((sum, one) => sum + one.failed, 0),
  failure: results.find(({ failure }) => failure !== undefined)?.failure?.split("\n")[0],
  slowest: Math.max(...results.map(({ slowest }) => slowest)),
  perProcess: results.map(({ computations }) => computations)
})

const ofFailures = ({ failed, failure }: { failed: number; failure: string | undefined }) =>
  failed === 0 ? "" : `, ${count(failed)} callers failed (${failure})`

const measure = (
  { proofWorker, store, watching, server }: Surroundings,
  subject: SubjectName,
  inTiers = false
): Effect.Effect<ReadonlyArray<Row>, unknown> =>
  Effect.gen(function* () {
    const { store: below } = yield* server({ faulty: false })
    const description = inTiers ? withTier(below, maxStaleness) : below
    const members = yield* fleet(proofWorker, watching, { subject, store: description, lease: 10_000, processes })
    const own = subject === "effect-cached"
    const title = own
      ? `${subject}${inTiers ? ", a tier in each process" : ""}`
      : subject === "Cache" || subject === "PersistedCache"
        ? `Effect's ${subject}`
        : subject

    const cold = total(yield* burst(members, { key: "cold", ttl: 60_000, lasting }))

    const first = members[0]
    if (first === undefined) return []
    const { answer } = yield* ask(first, { _tag: "Call", key: "stale", ttl: 1_000, lasting: 0 }, "Called")
    // All processes have read it while it was fresh.
    yield* Effect.forEach(
      members,
      (one) => ask(one, { _tag: "Call", key: "stale", ttl: 1_000, lasting: 0 }, "Called"),
      {
        concurrency: "unbounded"
      }
    )
    yield* Effect.sleep(1_300)
    const results = yield* burst(members, { key: "stale", ttl: 60_000, lasting })
    const stale = total(results)
    const old = results.reduce((sum, one) => sum + (one.answers[answer.id ?? ""] ?? 0), 0)
    const waited = processes * fibers - old - stale.failed
    return [
      {
        what: `${title}: ${processes} processes × ${count(fibers)} callers, one cold key`,
        store: storeTitles[store],
        measured: `${cold.computations} computation${cold.computations === 1 ? "" : "s"}${ofFailures(cold)}`,
        kept: own ? cold.computations === 1 && cold.failed === 0 : undefined,
        figures: {
          subject: title,
          key: "cold",
          perProcess: cold.perProcess,
          computations: cold.computations
        } satisfies StampedeFigures
      },
      {
        what: `${title}: the same, one stale key`,
        store: storeTitles[store],
        measured: `${stale.computations} computation${stale.computations === 1 ? "" : "s"}, ${count(waited)} callers waited for it, ${count(old)} were answered at once${ofFailures(stale)}`,
        kept: own ? stale.computations === 1 && waited === 1 && stale.failed === 0 : undefined,
        figures: {
          subject: title,
          key: "stale",
          perProcess: stale.perProcess,
          computations: stale.computations,
          answeredAtOnce: old
        } satisfies StampedeFigures
      }
    ]
  }).pipe(
    Effect.scoped,
    Effect.catchAll((error) =>
      error instanceof CannotRun
        ? Effect.succeed([
            {
              what: `${subject}: one cold key`,
              store: storeTitles[store],
              measured: `can't run: ${error.message.split("\n")[0]}`,
              kept: undefined
            }
          ])
        : Effect.fail(error)
    )
  )

export const stampede: Scenario = (surroundings) => measure(surroundings, "effect-cached")

export const tieredStampede: Scenario = (surroundings) => measure(surroundings, "effect-cached", true)

export const rivals: Scenario = (surroundings) =>
  Effect.map(
    Effect.forEach(
      subjectNames.filter((name) => name !== "effect-cached"),
      (name) => measure(surroundings, name)
    ),
    (rows) => rows.flat()
  )
