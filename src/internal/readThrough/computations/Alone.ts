/** A caller who shares nothing: inside a transaction, without a cache, and after the end of the layer. */
import { Effect, Exit } from "effect"
import { nowMillis, withFiber } from "../../runtime/fiber.js"
import { computeSpan } from "../../telemetry/spans.js"
import { cycleOfStart } from "../flights/cycles.js"
import { currentFlight } from "../flights/Flight.js"
import type { Flights } from "../flights/Flights.js"
import type { MemoRequest } from "../request.js"

const warnClosed = <A, E, R>({ printed, warnings }: MemoRequest<A, E, R>): Effect.Effect<void> =>
  warnings.warn("closed", () => `The layer of the cache is closed, computing without it ${printed}`)

export class Alone {
  constructor(private readonly flights: Flights) {}

  /** Computes for this caller alone, in its own fiber, and stores nothing. */
  compute<A, E, R>(request: MemoRequest<A, E, R>): Effect.Effect<A, E, R> {
    const { flights } = this
    const computing = Effect.uninterruptibleMask((restore) =>
      withFiber<A, E, R>((fiber) => {
        const callerFlight = currentFlight.of(fiber)
        const cycle = cycleOfStart(flights, callerFlight, request)
        if (cycle !== undefined) return cycle
        const flight = flights.make(request, callerFlight, false)
        flights.begins(flight)
        callerFlight?.wait(flight)
        const begun = nowMillis(fiber)
        flight.begun = begun
        flight.waiters = 1
        return Effect.onExit(
          restore(currentFlight.within(computeSpan(fiber, request, request.compute), flight)),
          (exit) => {
            callerFlight?.unwait(flight)
            flights.ends(flight)
            // Fibers that the computation has forked may live on: for them this flight is no ancestor that still computes.
            flight.phase = "landed"
            if (Exit.isSuccess(exit)) request.counters.computedOn(fiber, nowMillis(fiber) - begun, request)
            else request.counters.countOn(fiber, "failed", request)
            return Effect.void
          }
        )
      })
    )
    return flights.closed ? Effect.zipRight(warnClosed(request), computing) : computing
  }
}
