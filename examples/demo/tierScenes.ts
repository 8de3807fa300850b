/** What a tier adds: hits without the server, and how soon it sees what another process invalidates. */
import { Clock, type Context, Effect, Ref } from "effect"
import { type CacheBackend, cached } from "effect-cached"
import { count, row, time } from "./format.js"
import { BrokenPromise, countingOperations, expectCount, median, repeated, timed } from "./measuring.js"
import type { Say } from "./Screen.js"
import { maxStaleness, type Tiers } from "./tiers.js"

/** A number that changes, behind the cache. */
export const makeNumber = Effect.gen(function* () {
  const truth = yield* Ref.make(0)
  const current = cached(() => Ref.get(truth), { key: "current number", ttl: "1 hour" })
  /** Gives the new number. */
  const change = Effect.zipLeft(
    Ref.updateAndGet(truth, (number) => number + 1),
    current.invalidate()
  )
  return { current: current(), change }
})

type Changing = Effect.Effect.Success<typeof makeNumber>

const inside =
  (context: Context.Context<CacheBackend>) =>
  <A, E>(effect: Effect.Effect<A, E, CacheBackend>): Effect.Effect<A, E> =>
    Effect.provide(effect, context)

/** The same calls with and without the tier. */
export const hits =
  ({ below, here }: Tiers, { change, current }: Changing) =>
  () =>
    Effect.gen(function* () {
      yield* inside(here)(change)
      const server = yield* inside(below)(repeated(current))
      // Until the bus is heard the tier asks below, and so it does once after `maxStaleness`.
      yield* Effect.repeat(Effect.zipLeft(inside(here)(countingOperations(current)), Effect.sleep(1)), {
        until: ([operations]) => operations === 0
      })
      const [took, [operations, tier]] = yield* timed(inside(here)(countingOperations(repeated(current))))
      if (operations > took / maxStaleness) {
        return yield* new BrokenPromise({ message: `${operations} operations of the store in ${time(took)}` })
      }
      const rounds = 100
      let old = 0
      for (let round = 0; round < rounds; round++) {
        const latest = yield* inside(here)(change)
        if ((yield* inside(here)(current)) !== latest) old++
      }
      yield* expectCount("old values after an invalidation of this process", old, 0)
      return [
        row("", "hit, median", "of hits", "store asked"),
        row("without the tier", time(server.median), count(server.calls), count(server.calls)),
        row("with it", time(tier.median), count(tier.calls), count(operations)),
        `${rounds} invalidations of this process: old values afterwards: ${old}`
      ]
    })

/**
 * How long after another process's invalidation this one has the new value. No read may bring the old one that is asked too late.
 */
const lag = ({ here, there }: Tiers, { change, current }: Changing) =>
  Effect.gen(function* () {
    yield* inside(here)(current)
    const latest = yield* inside(there)(change)
    const since = yield* Clock.currentTimeMillis
    const untilNew = Effect.gen(function* () {
      while (true) {
        const late = (yield* Clock.currentTimeMillis) - since
        if ((yield* inside(here)(current)) === latest) return
        if (late > maxStaleness) {
          return yield* new BrokenPromise({ message: `the old value was served ${late} ms after its invalidation` })
        }
        yield* Effect.sleep(1)
      }
    })
    const [took] = yield* timed(untilNew)
    return took
  })

/** Another process invalidates, and the bus tells. */
export const told = (tiers: Tiers, changing: Changing) => (say: Say) =>
  Effect.gen(function* () {
    const rounds = 50
    const lags: Array<number> = []
    for (let round = 0; round < rounds; round++) {
      yield* say(`${round} of ${rounds} invalidations`)
      lags.push(yield* lag(tiers, changing))
    }
    return [
      `${rounds} invalidations · the new value was there ${time(median(lags))} later (median), ${time(Math.max(...lags))} (longest)`
    ]
  })

/** Another process invalidates, and nothing tells. */
export const untold = (tiers: Tiers, changing: Changing) => (say: Say) =>
  Effect.gen(function* () {
    yield* tiers.bus?.cut ?? Effect.void
    yield* say("the old value is served")
    const silent = yield* lag(tiers, changing)
    const first = `the new value was there ${time(silent)} later; maxStaleness is ${time(maxStaleness)}`
    if (tiers.bus === undefined) return [first]
    yield* tiers.bus.mend
    return [first, `the bus is mended: ${time(yield* lag(tiers, changing))} later`]
  })
