/** The store is down for 30 seconds under 1,000 calls a second. */
import { Effect, Fiber } from "effect"
import { stamp } from "../cluster/history.js"
import { ask, fleet } from "./fleet.js"
import type { LoadCall } from "./messages.js"
import { count, percentile, type Scenario, storeTitles } from "./scenario.js"

const perSecond = 1_000
const down = 30_000
const around = 5_000
/** By then the breaker has opened: after five failures, each of which takes the store's time limit at most. */
const opening = 5_000

const bucket = 500

interface Moment {
  /** Seconds since the store went down. */
  readonly at: number
  readonly calls: number
  readonly failed: number
  readonly hits: number
  /** Milliseconds. */
  readonly median: number
  readonly p99: number
  readonly slowest: number
}

export interface OutageFigures {
  readonly failed: number
  readonly calls: number
  /** Seconds. */
  readonly down: number
  readonly addedMicros: number
  readonly firstHitAfter: number
  readonly timeline: ReadonlyArray<Moment>
}

/** What the calls of each half second met. */
const timeline = (calls: ReadonlyArray<LoadCall>, begin: number): ReadonlyArray<Moment> => {
  const buckets = new Map<number, Array<LoadCall>>()
  for (const call of calls) {
    const at = Math.floor((call.at - begin) / bucket)
    const found = buckets.get(at)
    if (found === undefined) buckets.set(at, [call])
    else found.push(call)
  }
  const millis = (took: number) => Number((took / 1_000).toFixed(3))
  return [...buckets]
    .sort(([left], [right]) => left - right)
    .map(([at, inside]) => {
      const took = inside.map((call) => call.took)
      return {
        at: (at * bucket) / 1_000,
        calls: inside.length,
        failed: inside.filter(({ failed }) => failed).length,
        hits: inside.filter(({ hit }) => hit).length,
        median: millis(percentile(took, 0.5)),
        p99: millis(percentile(took, 0.99)),
        slowest: millis(Math.max(...took))
      }
    })
}

export const outage: Scenario = ({ proofWorker, server, store, watching }) =>
  Effect.gen(function* () {
    const one = yield* server({ faulty: true })
    const [caller] = yield* fleet(proofWorker, watching, {
      subject: "effect-cached",
      store: one.store,
      lease: 10_000,
      processes: 1
    })
    if (caller === undefined) return []
    const load = { _tag: "Load", perSecond, keys: 100, ttl: 600_000, lasting: around * 2 + down + 3_000 } as const
    const loading = yield* Effect.fork(ask(caller, load, "Load"))
    yield* Effect.sleep(around)
    const begin = stamp()
    yield* one.harm("restart", down)
    const end = stamp()
    const { calls } = yield* Fiber.join(loading)
    const failed = calls.filter((call) => call.failed).length
    const during = calls.filter(({ at }) => at > begin + opening && at < end - 1_000)
    const cost = percentile(
      during.map(({ direct, took }) => took - direct),
      0.5
    )
    const slowest = Math.max(...calls.filter(({ at }) => at > begin && at < end).map(({ took }) => took)) / 1_000
    const first = calls.find(({ at, hit }) => at > end && hit)
    const back = first === undefined ? Number.POSITIVE_INFINITY : (first.at - end) / 1_000
    const title = `store down for ${(end - begin) / 1_000 >= 29 ? Math.round((end - begin) / 1_000) : ((end - begin) / 1_000).toFixed(1)} s under ${count(perSecond)} calls a second`
    const where = storeTitles[store]
    return [
      {
        what: `${title}: failed calls`,
        store: where,
        measured: `${failed} of ${count(calls.length)} (the slowest took ${slowest.toFixed(0)} ms)`,
        kept: failed === 0,
        figures: {
          failed,
          calls: calls.length,
          down: Number(((end - begin) / 1_000).toFixed(2)),
          addedMicros: Number(cost.toFixed(1)),
          firstHitAfter: Number(back.toFixed(2)),
          timeline: timeline(calls, begin)
        } satisfies OutageFigures
      },
      {
        what: "median added cost of a call once the breaker is open",
        store: where,
        measured: `${cost.toFixed(1)} µs (${count(during.length)} calls)`,
        kept: cost < 50
      },
      { what: "first hit after recovery", store: where, measured: `${back.toFixed(2)} s`, kept: back < 2 }
    ]
  })
