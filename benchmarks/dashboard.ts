/**
 * What the live view costs: the CPU time of a program that makes 10,000 calls a second of 100 functions, with nobody and with three
 * viewers, in alternation. The viewers read in the same process, so their part is counted as well.
 */
import { HttpApp } from "@effect/platform"
import { Console, Effect } from "effect"
import { CacheBackend, cached, MemoryBackend } from "effect-cached"
import * as Dashboard from "effect-cached/Dashboard"

const functions = Array.from({ length: 100 }, (_, index) =>
  cached((id: number) => Effect.succeed({ id, name: `row ${id}` }), { key: `function ${index}`, ttl: "1 hour" })
)
const ids = 100
const tick = 10
const callsInTick = 100
const seconds = 5
const rounds = 4
const viewers = 3

let next = 0
const call = Effect.suspend(() => {
  const turn = next++
  const chosen = functions[turn % functions.length]
  return chosen === undefined ? Effect.void : chosen(Math.floor(turn / functions.length) % ids)
})

/** Milliseconds of CPU a second. */
const measured = Effect.gen(function* () {
  const before = process.cpuUsage()
  const began = performance.now()
  for (let done = 0; done < (seconds * 1_000) / tick; done++) {
    for (let index = 0; index < callsInTick; index++) yield* call
    yield* Effect.sleep(Math.max(0, began + (done + 1) * tick - performance.now()))
  }
  const { system, user } = process.cpuUsage(before)
  return (system + user) / (performance.now() - began)
})

const watched = Effect.gen(function* () {
  const cache = yield* CacheBackend
  const handler = HttpApp.toWebHandler(Effect.provideService(Dashboard.httpApp(), CacheBackend, cache))
  const look = Effect.acquireRelease(
    Effect.promise(async () => {
      const response = await handler(new Request("http://localhost/?events"))
      const reader = response.body?.getReader()
      const read = async () => {
        let messages = 0
        while (reader !== undefined && !(await reader.read()).done) messages++
        return messages
      }
      return { reader, messages: read() }
    }),
    ({ messages, reader }) =>
      Effect.promise(async () => {
        await reader?.cancel()
        if ((await messages) < seconds - 1) throw new Error("a viewer got too few messages")
      })
  )
  yield* Effect.all(Array.from({ length: viewers }, () => look))
  return yield* measured
}).pipe(Effect.scoped)

const median = (values: ReadonlyArray<number>): number => values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0

const program = Effect.gen(function* () {
  for (let index = 0; index < functions.length * ids; index++) yield* call
  yield* measured
  const pairs: Array<readonly [alone: number, watched: number]> = []
  for (let round = 0; round < rounds; round++) pairs.push([yield* measured, yield* watched])
  const shown = (value: number) => `${(value / 10).toFixed(2)} %`
  yield* Console.log(`nobody looks     ${shown(median(pairs.map(([alone]) => alone)))} of a CPU`)
  yield* Console.log(`${viewers} viewers look   ${shown(median(pairs.map(([, looked]) => looked)))}`)
  yield* Console.log(`the view costs   ${shown(median(pairs.map(([alone, looked]) => looked - alone)))}`)
})

await Effect.runPromise(program.pipe(Effect.provide(MemoryBackend.layer())))
