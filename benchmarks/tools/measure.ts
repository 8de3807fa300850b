/**
 * Measuring what takes less than a microsecond: whole rounds of calls in one loop of one fiber, because a harness that
 * looks at the clock around every call would measure the clock. Rounds of the candidates take turns, so that whatever
 * disturbs the machine disturbs all alike, and ratios are taken within a turn.
 *
 * Time is CPU time of the process, so that other processes' turns are not counted.
 */
import { Array as Arr, Effect, Order } from "effect"

export type Candidate<R = never> =
  /** An effect to run for the `n`-th call of a round. */
  | { readonly name: string; readonly call: (n: number) => Effect.Effect<unknown, unknown, R> }
  /** No effect: called in the same loop. */
  | { readonly name: string; readonly plain: (n: number) => unknown }

export interface Figure {
  readonly name: string
  /** Median, in nanoseconds a call. */
  readonly nanos: number
  /** Median of the ratios to the reference (the first candidate) in the same turn. */
  readonly ratio: number
}

const cpuMicros = (): number => {
  const { user, system } = process.cpuUsage()
  return user + system
}

export const median = (numbers: ReadonlyArray<number>): number =>
  Arr.sort(numbers, Order.number)[numbers.length >> 1] ?? 0

/** What the loops computed, kept so that the compiler can't leave it out. */
export const sink: { value: unknown } = { value: undefined }

const round = <R>(candidate: Candidate<R>, calls: number): Effect.Effect<number, unknown, R> =>
  Effect.gen(function* () {
    const start = cpuMicros()
    if ("plain" in candidate) for (let n = 0; n < calls; n++) sink.value = candidate.plain(n)
    else for (let n = 0; n < calls; n++) sink.value = yield* candidate.call(n)
    return ((cpuMicros() - start) * 1_000) / calls
  })

export const compare = <R>(
  candidates: ReadonlyArray<Candidate<R>>,
  { calls = 50_000, rounds = 15 } = {}
): Effect.Effect<ReadonlyArray<Figure>, unknown, R> =>
  Effect.gen(function* () {
    const turns: Array<ReadonlyArray<number>> = []
    // The first two turns are the compiler's.
    for (let turn = -2; turn < rounds; turn++) {
      const times = yield* Effect.forEach(candidates, (candidate) => round(candidate, calls))
      if (turn >= 0) turns.push(times)
    }
    return candidates.map(({ name }, index) => ({
      name,
      nanos: median(turns.map((times) => times[index] ?? Number.NaN)),
      ratio: median(turns.map((times) => (times[index] ?? Number.NaN) / (times[0] ?? Number.NaN)))
    }))
  })

const collect = (): void => {
  if (globalThis.gc === undefined) throw new Error("run with --expose-gc")
  globalThis.gc()
  globalThis.gc()
}

/** Bytes that `make` adds to the heap, while its result is held. */
export const heapOf = <A, E, R>(make: Effect.Effect<A, E, R>): Effect.Effect<number, E, R> =>
  Effect.gen(function* () {
    collect()
    const before = process.memoryUsage().heapUsed
    sink.value = yield* make
    collect()
    const bytes = process.memoryUsage().heapUsed - before
    sink.value = undefined
    return bytes
  })

/** CPU microseconds of the effect. */
export const cpuOf = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<number, E, R> =>
  Effect.gen(function* () {
    const start = cpuMicros()
    sink.value = yield* effect
    return cpuMicros() - start
  })
