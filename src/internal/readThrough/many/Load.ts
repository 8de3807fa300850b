/**
 * One load of many keys, in a fiber that no caller owns. It has the services of the first of its computations. It goes on while any
 * of them waits; the last one to leave interrupts it.
 */
import { Effect, Exit, Fiber } from "effect"
import { inAsyncContext } from "../../runtime/asyncContext.js"
import { inTurns } from "../../runtime/eventLoop.js"
import { loadSpan } from "../../telemetry/spans.js"
import { currentFlight } from "../flights/Flight.js"
import type { Flights } from "../flights/Flights.js"
import { LoadFlight } from "../flights/LoadFlight.js"
import type { MemoRequest } from "../request.js"
import type { Waiter } from "./Waiter.js"

/** Loads the values of all requests at once. Returns what each of them is answered with. */
export type LoadMany<A, E, R> = (
  requests: ReadonlyArray<MemoRequest<A, E, R>>
) => Effect.Effect<(request: MemoRequest<A, E, R>) => Effect.Effect<A, E>, E, R>

export class Load<A, E, R> {
  private readonly waiters: Set<Waiter<A, E, R>>
  /** Whose services it has. */
  private readonly owner: Waiter<A, E, R> | undefined
  private readonly requests: ReadonlyArray<MemoRequest<A, E, R>>
  private readonly flight: LoadFlight
  private fiber: Fiber.RuntimeFiber<void> | undefined

  /**
   * @param waiters one at least
   * @param perTurn how many of them go on in one turn of the event loop
   */
  constructor(
    waiters: ReadonlyArray<Waiter<A, E, R>>,
    flights: Flights,
    private readonly perTurn: number
  ) {
    this.waiters = new Set(waiters)
    this.owner = waiters.find(({ isDeserted }) => !isDeserted) ?? waiters[0]
    this.requests = waiters.map(({ request }) => request)
    this.flight = new LoadFlight(flights, this.requests, this.owner?.flight)
    for (const waiter of waiters) {
      waiter.load = this
      waiter.flight?.wait(this.flight)
    }
  }

  /** @param again takes those who must load anew, with services of their own */
  start(load: LoadMany<A, E, R>, again: (waiters: ReadonlyArray<Waiter<A, E, R>>) => void): void {
    const { owner, requests } = this
    if (owner === undefined) return
    // The surroundings are those of an uninterruptible region, so whatever happens the computations are answered.
    const loading = Effect.exit(
      Effect.interruptible(
        loadSpan(
          requests.length,
          Effect.suspend(() => load(requests))
        )
      )
    )
    const ending = Effect.flatMap(loading, (exit) => Effect.map(this.end(exit), again))
    this.fiber = inAsyncContext(owner.request.asyncContext, () =>
      currentFlight.fork(owner.fiber, owner.surroundings, this.flight, ending, true)
    )
  }

  /** The computation was interrupted. Returns what waits for the end of the load, if that was the last one. */
  leaves(waiter: Waiter<A, E, R>): Effect.Effect<void> {
    if (!this.waiters.delete(waiter)) return Effect.void
    waiter.flight?.unwait(this.flight)
    if (waiter === this.owner) this.flight.deserted = true
    return this.waiters.size > 0 || this.fiber === undefined ? Effect.void : Effect.asVoid(Fiber.interrupt(this.fiber))
  }

  /**
   * Answers the computations. After a failure, those whose callers are still there don't fail with it where the owner of the
   * services has left: they are returned.
   */
  private end(
    exit: Exit.Exit<(request: MemoRequest<A, E, R>) => Effect.Effect<A, E>, E>
  ): Effect.Effect<ReadonlyArray<Waiter<A, E, R>>> {
    const { flight } = this
    const isDeserted = flight.isDeserted
    flight.phase = "landed"
    const again: Array<Waiter<A, E, R>> = []
    const answering = inTurns([...this.waiters], this.perTurn, (some) => {
      for (const waiter of some) {
        // One may have left since the last turn.
        if (!this.waiters.delete(waiter)) continue
        waiter.flight?.unwait(flight)
        if (Exit.isSuccess(exit)) waiter.done(exit.value(waiter.request))
        else if (isDeserted && !waiter.isDeserted) again.push(waiter)
        else waiter.done(Effect.failCause(exit.cause))
      }
    })
    return Effect.as(answering, again)
  }
}
