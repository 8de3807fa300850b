/** A lease holder that is killed, and one that is frozen beyond its lease and goes on. */
import { Effect, Fiber } from "effect"
import { stamp } from "../cluster/history.js"
import { ask, fleet, hear } from "./fleet.js"
import { type Scenario, storeTitles } from "./scenario.js"

const lease = 2_000
/** The longest pause between two polls of another's lease, and the time of the answer. */
const slack = 500
const trials = 5

export const killedHolder: Scenario = ({ proofWorker, server, store, watching }) =>
  Effect.gen(function* () {
    const { store: description } = yield* server({ faulty: false })
    const settings = { subject: "effect-cached", store: description, lease } as const
    const [waiter] = yield* fleet(proofWorker, watching, { ...settings, processes: 1 })
    if (waiter === undefined) return []
    const delays = yield* Effect.forEach(Array.from({ length: trials }), (_, trial) =>
      Effect.gen(function* () {
        const key = `killed${trial}`
        const [holder] = yield* fleet(proofWorker, watching, { ...settings, processes: 1 })
        if (holder === undefined) return Number.NaN
        yield* holder.tell({ _tag: "Call", key, ttl: 60_000, lasting: 600_000 })
        yield* hear(holder, "Computing")
        const waiting = yield* Effect.fork(ask(waiter, { _tag: "Call", key, ttl: 60_000, lasting: 0 }, "Called"))
        // Somewhere between two renewals.
        yield* Effect.sleep(300 + trial * 150)
        const killed = stamp()
        yield* holder.signal("SIGKILL")
        const { answer } = yield* Fiber.join(waiting)
        return answer.end - killed
      })
    )
    const longest = Math.max(...delays)
    return [
      {
        what: `a lease holder killed while it computes (lease ${lease / 1_000} s): others wait`,
        store: storeTitles[store],
        measured: `${(longest / 1_000).toFixed(2)} s at most, of ${trials} trials`,
        kept: longest <= lease + slack
      }
    ]
  })

export const frozenHolder: Scenario = ({ proofWorker, server, store, watching }) =>
  Effect.gen(function* () {
    const { store: description } = yield* server({ faulty: false })
    const [holder, other, third] = yield* fleet(proofWorker, watching, {
      subject: "effect-cached",
      store: description,
      lease,
      processes: 3
    })
    if (holder === undefined || other === undefined || third === undefined) return []
    let discarded = 0
    let returned = 0
    for (let trial = 0; trial < trials; trial++) {
      const call = { _tag: "Call", key: `frozen${trial}`, ttl: 60_000 } as const
      const late = yield* Effect.fork(ask(holder, { ...call, lasting: 500 }, "Called"))
      yield* Effect.sleep(250)
      yield* holder.signal("SIGSTOP")
      yield* Effect.sleep(lease)
      const { answer: newer } = yield* ask(other, { ...call, lasting: 0 }, "Called")
      yield* holder.signal("SIGCONT")
      const { answer: own } = yield* Fiber.join(late)
      yield* Effect.sleep(200)
      const { answer: seen } = yield* ask(third, { ...call, lasting: 0 }, "Called")
      if (own.id !== undefined && own.id !== newer.id) returned++
      if (seen.id === newer.id && newer.id?.startsWith(`${other.name}:`) === true) discarded++
    }
    return [
      {
        what: "a lease holder frozen beyond its lease and thawed: its late result",
        store: storeTitles[store],
        measured: `discarded in ${discarded} of ${trials} trials; its own caller got it in ${returned}`,
        kept: discarded === trials
      }
    ]
  })
