/** What the scenes measure and count, and how they fail where a count is not what it should be. */
import { Array as Arr, Clock, Data, Duration, Effect, Order, Tracer } from "effect"
import { count } from "./format.js"

export class BrokenPromise extends Data.TaggedError("BrokenPromise")<{ readonly message: string }> {}

export const expectCount = (what: string, actual: number, expected: number): Effect.Effect<void, BrokenPromise> =>
  actual === expected
    ? Effect.void
    : new BrokenPromise({ message: `${what}: expected ${count(expected)}, counted ${count(actual)}` })

/** With the milliseconds it took. */
export const timed = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.map(Effect.timed(effect), ([took, value]) => [Duration.toMillis(took), value] as const)

const hitsFor = 100
const mostHits = 10_000

/** Asks again and again for a while, one call after the other: how many calls there were, and their median time. */
export const repeated = <A, E, R>(call: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const end = (yield* Clock.currentTimeMillis) + hitsFor
    const times: Array<number> = []
    while (times.length < mostHits && (times.length < 10 || (yield* Clock.currentTimeMillis) < end)) {
      const [took] = yield* timed(call)
      times.push(took)
    }
    return { calls: times.length, median: median(times) }
  })

export const median = (times: ReadonlyArray<number>): number => Arr.sort(times, Order.number)[times.length >> 1] ?? 0

/** Tells of each operation of the store by the span that the cache puts around it. */
const tellingTracer = (tracer: Tracer.Tracer, seen: () => void): Tracer.Tracer =>
  Tracer.make({
    span: (name, ...rest) => {
      if (name.startsWith("cache.")) seen()
      return tracer.span(name, ...rest)
    },
    context: (run, fiber) => tracer.context(run, fiber)
  })

/** With the number of operations of the store. */
export const countingOperations = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    let operations = 0
    const tracer = tellingTracer(yield* Effect.tracer, () => operations++)
    const value = yield* Effect.withTracer(effect, tracer)
    return [operations, value] as const
  })
