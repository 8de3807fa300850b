/** Commands as Effects: interruptible at any point, and under the generation that they need. */
import { Effect } from "effect"
import { type Command, type Listener, type Superseded, superseded } from "../commands/Command.js"
import { GenerationCommand } from "../commands/GenerationCommand.js"
import { Problem } from "../commands/Problem.js"
import type { Route } from "./Pool.js"

/**
 * What the caller makes of an answer, in the callback of the socket. A throw concerns this caller alone: it must not come
 * between the socket and the other callers.
 */
export const orDie = <Input, A, E, R>(
  make: (input: Input) => Effect.Effect<A, E, R>,
  input: Input
): Effect.Effect<A, E, R> => {
  try {
    return make(input)
  } catch (defect) {
    return Effect.die(defect)
  }
}

/**
 * Sends a command and waits for its result. After an interruption the answers are still read, and dropped, so the connection
 * stays good.
 */
export const exchange = <A>({ server }: Route, make: () => Command<A>): Effect.Effect<A, Problem> =>
  Effect.async<A, Problem>((resume) =>
    server.ask(make(), {
      done: (result) => resume(Effect.succeed(result)),
      failed: (problem) => resume(Effect.fail(problem))
    })
  )

/** Writes the record of a generation on the server of the route, and reads it. A record that is none is written anew. */
export const establish = (route: Route, primary: number, how: "ensure" | "renew"): Effect.Effect<void, Problem> =>
  Effect.flatMap(
    exchange(route, () => new GenerationCommand(primary, how, route.server.generations.key(primary))),
    (generation) => (generation === undefined ? establish(route, primary, "renew") : Effect.void)
  )

/**
 * Makes sure that a stand-in server gives out nothing that it kept for the same primary server in an earlier outage. No round
 * trip once that is done.
 */
export const prepareStandIn = (route: Route): Effect.Effect<void, Problem> => {
  const { primary, server } = route
  if (server.generations.isPreparedFor(primary)) return Effect.void
  return Effect.zipRight(establish(route, server.index, "ensure"), establish(route, primary, "renew"))
}

/** Makes sure that the generation under which to write is known. */
const learnGeneration = (route: Route): Effect.Effect<void, Problem> =>
  route.server.generations.isPreparedFor(route.primary)
    ? establish(route, route.server.index, "ensure")
    : prepareStandIn(route)

const attempts = 8

const clearedAllTheTime = (): Problem =>
  new Problem("StoreFailed", "the namespace was cleared again and again while this was written")

/** A command that writes under the present generation, and what its caller makes of the result. */
export interface Write<A, B, E, R> {
  command(): Command<A | Superseded>
  done(result: A): Effect.Effect<B, E, R>
  failed(problem: Problem): Effect.Effect<B, E, R>
}

/** Waits for the command. */
class Attempt<A, B, E, R> implements Listener<A | Superseded> {
  constructor(
    private readonly route: Route,
    private readonly write: Write<A, B, E, R>,
    /** How often the command may be sent, this time included. */
    private readonly left: number,
    private readonly resume: (effect: Effect.Effect<B, E, R>) => void
  ) {}

  send(): Effect.Effect<void> | undefined {
    return this.route.server.ask(this.write.command(), this)
  }

  done(result: A | Superseded): void {
    const { left, resume, route, write } = this
    // The symbol is no A: no command has it as a result of its own.
    if (result !== superseded) resume(orDie((made: A) => write.done(made), result as A))
    else if (left > 1) resume(exchangeUnderGeneration(route, write, left - 1))
    else this.failed(clearedAllTheTime())
  }

  failed(problem: Problem): void {
    this.resume(orDie((made: Problem) => this.write.failed(made), problem))
  }
}

/**
 * Sends a command that writes under the present generation, again if another process changed that in between. Goes on in the
 * callback of the socket with what the caller makes of the result.
 */
export const exchangeUnderGeneration = <A, B, E, R>(
  route: Route,
  write: Write<A, B, E, R>,
  left = attempts
): Effect.Effect<B, E, R> =>
  Effect.async<B, E, R>((resume) => {
    const { primary, server } = route
    if (server.generations.current(primary) !== undefined) return new Attempt(route, write, left, resume).send()
    resume(
      Effect.matchEffect(learnGeneration(route), {
        onFailure: (problem) => write.failed(problem),
        onSuccess: () => Effect.async<B, E, R>((again) => new Attempt(route, write, left, again).send())
      })
    )
    return undefined
  })
