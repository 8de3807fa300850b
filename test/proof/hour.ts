/** An hour of mixed load, compressed: do heap, sockets and table stay as they are? */
import { Effect } from "effect"
import { ask, fleet } from "./fleet.js"
import { count, type Scenario, storeTitles } from "./scenario.js"

const processes = 4
const ttl = 3_000

interface Moment {
  /** For the quarter that ends. */
  readonly operations: number
  readonly heap: number
  readonly sockets: number
  readonly records: number
}

/** @param seconds in which the hour passes: each time to live is shortened by the same factor */
export const hour =
  (seconds: number): Scenario =>
  ({ proofWorker, server, store, watching }) =>
    Effect.gen(function* () {
      const one = yield* server({ faulty: false })
      const members = yield* fleet(proofWorker, watching, {
        subject: "effect-cached",
        store: one.store,
        lease: 2_000,
        processes
      })
      const quarters = 4
      const moments: Array<Moment> = []
      for (let quarter = 0; quarter < quarters; quarter++) {
        const done = yield* Effect.forEach(
          members,
          (member) => ask(member, { _tag: "Mix", ttl, lasting: (seconds * 1_000) / quarters }, "Mix"),
          { concurrency: "unbounded" }
        )
        const samples = yield* Effect.forEach(members, (member) => ask(member, { _tag: "Sample" }, "Sample"))
        moments.push({
          operations: done.reduce((sum, { operations: made }) => sum + made, 0),
          heap: samples.reduce((sum, { sample }) => sum + sample.heap, 0) / processes / 1_048_576,
          sockets: samples.reduce((sum, { sample }) => sum + sample.sockets, 0),
          records: (yield* one.records).length
        })
      }
      // The first quarter warms up: code is compiled, keys are remembered.
      const [, second, , last] = moments
      const flat =
        second !== undefined &&
        last !== undefined &&
        last.heap < second.heap * 1.25 + 2 &&
        last.sockets <= second.sockets &&
        // the entries of the last seconds are live: a faster machine has more
        last.records < (second.records / second.operations) * last.operations * 1.5 + 200
      const operations = moments.reduce((sum, moment) => sum + moment.operations, 0)
      const told = (of: (moment: (typeof moments)[number]) => string) => moments.map(of).join(" → ")
      return [
        {
          what: `an hour's mixed load in ${seconds} s (${count(operations)} operations, ${processes} processes): heap a process, sockets, records after each quarter`,
          store: storeTitles[store],
          measured: `${told(({ heap }) => heap.toFixed(1))} MB; ${told(({ sockets }) => `${sockets}`)}; ${told(({ records }) => count(records))}`,
          kept: flat
        }
      ]
    })
