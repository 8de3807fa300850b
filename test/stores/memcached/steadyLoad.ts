/**
 * Some fibers that call one cached function all the time, while another changes the source of its values and invalidates
 * them. Every answer is held against the source: none may be older than an invalidation that had succeeded before the
 * call began.
 */
import { type Cause, Effect, Exit, type Scope } from "effect"
import { type CacheBackend, cached } from "effect-cached"
import { until } from "../../support/until.js"

/** What calls cost beyond the bare computation, in milliseconds. */
export interface Cost {
  readonly calls: number
  readonly hits: number
  readonly median: number
  /** Calls without an answer yet count with the time they have waited. */
  readonly slowest: number
  /** How much longer than usual the slowest bare computation of the same time took: what the machine adds by itself. */
  readonly noise: number
  /** How many of the calls cost more than that. */
  readonly above: (millis: number) => number
}

export interface SteadyLoad {
  readonly keys: ReadonlyArray<string>
  /** The cost of the calls that ended between these two moments of `performance.now()`. */
  readonly cost: (from: number, to: number, keys?: ReadonlyArray<string>) => Cost
  /** Waits until so many more calls have ended. */
  readonly untilCalls: (count: number) => Effect.Effect<void, Error>
  /** Waits until each key was hit by a call that began from now on. */
  readonly untilHits: Effect.Effect<void, Error>
  /** When the first call that began after this moment hit one of the keys. */
  readonly firstHit: (after: number, keys?: ReadonlyArray<string>) => number
  /** What must not be: answers older than they may be, and callers that got none. */
  readonly wrongs: () => { readonly outdated: number; readonly failed: ReadonlyArray<Cause.Cause<unknown>> }
}

interface Value {
  readonly version: number
  readonly computation: number
}

interface Call {
  readonly key: string
  readonly began: number
  readonly ended: number
  readonly hit: boolean
}

const readers = 8
const computeMillis = 2
const pause = 3
const pauseBetweenChanges = 10

const median = (numbers: ReadonlyArray<number>): number =>
  numbers.toSorted((left, right) => left - right)[Math.floor(numbers.length / 2)] ?? 0

const expectSoon = (holds: () => boolean, otherwise: () => string): Effect.Effect<void, Error> =>
  Effect.flatMap(
    until(Effect.sync(holds), (isSo) => isSo),
    (isSo) => (isSo ? Effect.void : Effect.fail(new Error(otherwise())))
  )

/** The keys that the load caches under, as `cached` prints them. */
export const steadyKeys: ReadonlyArray<string> = Array.from({ length: 24 }, (_, index) => `steady(${index})`)

/** At random: fibers that go round in step with each other would meet the same keys in the same state each time. */
const anyKey = (): number => Math.floor(Math.random() * steadyKeys.length)

/** Runs for as long as the scope; with a group, all keys are in it. */
export const steadyLoad = (group?: string): Effect.Effect<SteadyLoad, never, CacheBackend | Scope.Scope> =>
  Effect.gen(function* () {
    const versions = steadyKeys.map(() => 0)
    const floors = steadyKeys.map(() => 0)
    const ends: Array<number> = []
    const calls: Array<Call> = []
    const waiting = new Map<number, number>()
    const bare: Array<{ readonly ended: number; readonly took: number }> = []
    const failed: Array<Cause.Cause<unknown>> = []
    let outdated = 0

    // Read at its beginning and handed out at its end: what changes in between must not be kept.
    const compute = (index: number): Effect.Effect<Value> =>
      Effect.suspend(() => {
        const version = versions[index] ?? 0
        const computation = ends.push(Number.POSITIVE_INFINITY) - 1
        return Effect.map(Effect.sleep(computeMillis), () => {
          ends[computation] = performance.now()
          return { version, computation }
        })
      })
    const steady = cached(compute, { key: "steady", ttl: "1 hour", groups: group === undefined ? [] : [group] })

    const reader = (seed: number) =>
      Effect.gen(function* () {
        while (true) {
          const index = anyKey()
          const floor = floors[index] ?? 0
          const began = performance.now()
          waiting.set(seed, began)
          const { computation, version } = yield* steady(index)
          waiting.delete(seed)
          const ended = performance.now()
          if (version < floor) outdated += 1
          // What was computed before the call began can only come from the cache.
          const hit = (ends[computation] ?? ended) < began
          calls.push({ key: steadyKeys[index] ?? "", began, ended, hit })
          yield* Effect.sleep(pause)
        }
      })
    const changer = Effect.gen(function* () {
      while (true) {
        const index = anyKey()
        const version = (versions[index] ?? 0) + 1
        versions[index] = version
        if (Exit.isSuccess(yield* Effect.exit(steady.invalidate(index)))) floors[index] = version
        yield* Effect.sleep(pauseBetweenChanges)
      }
    })
    const bareComputer = Effect.gen(function* () {
      while (true) {
        const began = performance.now()
        yield* compute(0)
        const ended = performance.now()
        bare.push({ ended, took: ended - began })
        yield* Effect.sleep(pause)
      }
    })
    const fibers = [changer, bareComputer, ...Array.from({ length: readers }, (_, seed) => reader(seed))]
    yield* Effect.forEach(
      fibers,
      (fiber) => Effect.forkScoped(Effect.tapErrorCause(fiber, (cause) => Effect.sync(() => failed.push(cause)))),
      { discard: true }
    )

    return {
      keys: steadyKeys,
      wrongs: () => ({ outdated, failed }),
      cost: (from, to, keys = steadyKeys) => {
        const within = calls.filter(({ ended, key }) => ended >= from && ended < to && keys.includes(key))
        const bareTimes = bare.filter(({ ended }) => ended >= from && ended < to).map(({ took }) => took)
        const usual = median(bareTimes)
        const took = within.map(({ began, ended }) => ended - began)
        const unanswered = Array.from(waiting.values(), (began) => to - began)
        return {
          calls: within.length,
          hits: within.filter(({ hit }) => hit).length,
          median: median(took) - usual,
          slowest: Math.max(...took, ...unanswered) - usual,
          noise: Math.max(...bareTimes) - usual,
          above: (millis) => [...took, ...unanswered].filter((time) => time - usual > millis).length
        }
      },
      firstHit: (after, keys = steadyKeys) =>
        calls.find(({ began, hit, key }) => hit && began >= after && keys.includes(key))?.ended ??
        Number.POSITIVE_INFINITY,
      untilCalls: (count) => {
        const wanted = calls.length + count
        return expectSoon(
          () => calls.length >= wanted,
          () => `${wanted - calls.length} calls are missing`
        )
      },
      untilHits: Effect.suspend(() => {
        const start = performance.now()
        const missing = new Set(steadyKeys)
        let seen = calls.length
        const isHit = () => {
          for (; seen < calls.length; seen++) {
            const call = calls[seen]
            if (call?.hit === true && call.began >= start) missing.delete(call.key)
          }
          return missing.size === 0
        }
        return expectSoon(isHit, () => `no hit of ${[...missing].join(", ")}`)
      })
    }
  })
