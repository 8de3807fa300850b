/**
 * Reads keys from all servers concerned at once. The hot path of every hit: one Effect and one callback, whatever the
 * number of servers.
 *
 * @since 0.1.0
 */
import { Effect } from "effect"
import type { StoredBytes } from "../ByteStore.js"
import type { Problem } from "./Call.js"
import { standIn } from "./exchange.js"
import type { Pool } from "./Pool.js"
import { ReadCall } from "./ReadCall.js"
import { type Part, split } from "./split.js"

type Records = ReadonlyArray<StoredBytes | undefined>

const self = (key: string): string => key

const ask = (keys: ReadonlyArray<string>, parts: ReadonlyArray<Part<string>>): Effect.Effect<Records, Problem> =>
  Effect.async<Records, Problem>((resume) => {
    const records: Array<StoredBytes | undefined> = new Array(keys.length).fill(undefined)
    const calls: Array<ReadCall> = []
    let open = parts.length
    const abandon = () => {
      for (const call of calls) call.abandoned = true
    }
    const failed = (problem: Problem) => {
      abandon()
      resume(Effect.fail(problem))
    }
    for (const { elements, positions, route } of parts) {
      const done = (found: Records) => {
        open -= 1
        for (let index = 0; index < found.length; index++) records[positions[index] ?? 0] = found[index]
        if (open === 0) resume(Effect.succeed(records))
      }
      calls.push(new ReadCall(route.home, route.holder.index, elements, { done, failed }))
    }
    calls.forEach((call, index) => {
      if (!call.abandoned) parts[index]?.route.holder.enqueue(call)
    })
    return Effect.sync(abandon)
  })

export const readMany = (pool: Pool, keys: ReadonlyArray<string>): Effect.Effect<Records, Problem> =>
  Effect.suspend(() => {
    if (keys.length === 0) return Effect.succeed([])
    const parts = split(pool, keys, self)
    const strangers = parts.filter(({ route }) => !route.holder.generations.standsInFor(route.home))
    if (strangers.length === 0) return ask(keys, parts)
    const ready = Effect.forEach(strangers, ({ route }) => standIn(route), { concurrency: "unbounded", discard: true })
    return Effect.zipRight(ready, ask(keys, parts))
  })
