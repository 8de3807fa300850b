/**
 * Calls as Effects: interruptible at any point, and with the generation that they need.
 *
 * @since 0.1.0
 */
import { Effect } from "effect"
import { type Call, type Listener, Problem, type Superseded, superseded } from "../commands/Command.js"
import { GenerationCall } from "../generation/GenerationCommand.js"
import type { Route } from "./Pool.js"

/**
 * Makes a call and waits for its result. After an interruption what the server still answers is read and dropped, and the
 * connection stays as good as it was.
 */
export const exchange = <A>(route: Route, make: (listener: Listener<A>) => Call): Effect.Effect<A, Problem> =>
  Effect.async<A, Problem>((resume) => {
    const call = make({
      done: (result) => resume(Effect.succeed(result)),
      failed: (problem) => resume(Effect.fail(problem))
    })
    return route.holder.ask(call)
  })

const generation = (route: Route, home: number, how: "ensure" | "renew") =>
  exchange(route, (listener) => new GenerationCall(home, how, route.holder.generations.key(home), listener))

/**
 * Makes sure that what a stand-in kept for the same server in an earlier outage is not read. No round trip once that is
 * done.
 */
export const standIn = (route: Route): Effect.Effect<void, Problem> => {
  const { holder, home } = route
  if (holder.generations.standsInFor(home)) return Effect.void
  return Effect.zipRight(generation(route, holder.index, "ensure"), generation(route, home, "renew"))
}

/** Makes sure that the generation under which to write is known, when its record is missing. */
const prepare = (route: Route): Effect.Effect<void, Problem> => {
  const { holder, home } = route
  return holder.generations.standsInFor(home)
    ? Effect.asVoid(generation(route, holder.index, "ensure"))
    : standIn(route)
}

const attempts = 8

/** Makes a call that writes under the present generation, again if another process changed that in between. */
export const exchangeUnderGeneration = <A>(
  route: Route,
  make: (listener: Listener<A | Superseded>) => Call,
  left = attempts
): Effect.Effect<A, Problem> =>
  Effect.suspend(() => {
    const { holder, home } = route
    const again = left > 1 ? Effect.suspend(() => exchangeUnderGeneration(route, make, left - 1)) : clearedAllTheTime
    const call = Effect.async<A, Problem>((resume) =>
      holder.ask(
        make({
          // The symbol is no A: no caller uses it as a result of its own.
          done: (result) => resume(result === superseded ? again : Effect.succeed(result as A)),
          failed: (problem) => resume(Effect.fail(problem))
        })
      )
    )
    return holder.generations.current(home) === undefined ? Effect.zipRight(prepare(route), call) : call
  })

const clearedAllTheTime = Effect.suspend(() =>
  Effect.fail(new Problem("StoreFailed", "the namespace was cleared again and again while this was written"))
)
