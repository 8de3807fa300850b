/** Commands as Effects: interruptible at any point, and under the generation that they need. */
import { Effect } from "effect"
import { type Command, type Listener, orDie, type Superseded, superseded } from "../commands/Command.js"
import { GenerationCommand } from "../commands/GenerationCommand.js"
import { Problem } from "../commands/Problem.js"
import type { Route } from "./Pool.js"

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

/**
 * A command that writes under the present generation, and its caller, who goes on in the callback of the socket. If another process
 * changed the generation in between, the command is made and sent again. Used once.
 */
export abstract class GuardedWrite<Result, A, E, R> implements Listener<Result | Superseded> {
  private left = attempts
  private resume: (effect: Effect.Effect<A, E, R>) => void = () => {}

  constructor(protected readonly route: Route) {}

  protected abstract command(): Command<Result | Superseded>
  /** What the caller makes of the result. */
  protected abstract written(result: Result): Effect.Effect<A, E, R>
  protected abstract refused(problem: Problem): Effect.Effect<A, E, R>

  /** Sends the command and waits for its result. */
  send(): Effect.Effect<A, E, R> {
    return Effect.async<A, E, R>((resume) => {
      const { primary, server } = this.route
      if (server.generations.current(primary) !== undefined) return this.ask(resume)
      resume(
        Effect.matchEffect(learnGeneration(this.route), {
          onFailure: (problem) => this.refused(problem),
          onSuccess: () => Effect.async<A, E, R>((again) => this.ask(again))
        })
      )
      return undefined
    })
  }

  done(result: Result | Superseded): void {
    this.left -= 1
    // The symbol is no Result: no command has it as a result of its own.
    if (result !== superseded) this.resume(orDie((made: Result) => this.written(made), result as Result))
    else if (this.left > 0) this.resume(this.send())
    else this.failed(clearedAllTheTime())
  }

  failed(problem: Problem): void {
    this.resume(orDie((made: Problem) => this.refused(made), problem))
  }

  private ask(resume: (effect: Effect.Effect<A, E, R>) => void): Effect.Effect<void> | undefined {
    this.resume = resume
    return this.route.server.ask(this.command(), this)
  }
}
