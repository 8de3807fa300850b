/** What the tests of `cached` share, besides the ground of the conformance suite. */
import { Deferred, Effect } from "effect"
import { live } from "../../../src/internal/conformance/ground.js"

export { crowd, ground, type It, live, together, waiting } from "../../../src/internal/conformance/ground.js"

/** A computation that the test controls: the test can wait until it has begun, and lets it end. */
export const held = <A>(value: A) =>
  Effect.map(Effect.all([Deferred.make<void>(), Deferred.make<void>()]), ([begun, gate]) => ({
    effect: Effect.as(Effect.zipRight(Deferred.succeed(begun, undefined), Deferred.await(gate)), value),
    begun: Deferred.await(begun),
    letGo: Deferred.succeed(gate, undefined)
  }))

const patience = "1 minute"

/** Dies if the effect takes too long on the real clock. */
export const promptly = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.raceFirst(effect, Effect.zipRight(live(Effect.sleep(patience)), Effect.dieMessage(`took over ${patience}`)))

/** Repeats the effect until its answer is right. */
export const eventually = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  right: (answer: A) => boolean
): Effect.Effect<A, E, R> => {
  const ask: Effect.Effect<A, E, R> = Effect.flatMap(effect, (answer) =>
    right(answer) ? Effect.succeed(answer) : Effect.zipRight(live(Effect.sleep("5 millis")), ask)
  )
  return promptly(ask)
}
