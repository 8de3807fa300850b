/**
 * What callers get while the store is away: one computation without a lease for all callers of this process. Its value is not
 * stored.
 */
import { Effect } from "effect"
import type { CacheError } from "../../CacheError.js"
import { alreadyReported, logFailure } from "../outages/storeFailure.js"
import type { CallingFiber } from "../runtime/fiber.js"
import type { SingleFlight } from "./computations/SingleFlight.js"
import type { Flights } from "./flights/Flights.js"
import type { MemoRequest } from "./request.js"

export const unavailable = "Cache unavailable, computing without it"

export class WithoutStore {
  constructor(
    private readonly flights: Flights,
    private readonly singleFlight: SingleFlight
  ) {}

  /**
   * A failure of the store.
   *
   * @param isMiss whether it counts as the call's miss; a call that has read before has counted one
   */
  afterFailure<A, E, R>(
    fiber: CallingFiber,
    request: MemoRequest<A, E, R>,
    error: CacheError,
    isMiss: boolean
  ): Effect.Effect<A, E, R> {
    request.counters.countOn(fiber, "storeErrors", request)
    if (isMiss) request.counters.countOn(fiber, "misses", request)
    const computing = Effect.suspend(() => this.share(fiber, request))
    return alreadyReported(fiber, error)
      ? computing
      : Effect.zipRight(logFailure(request.warnings, unavailable, request.printed, error), computing)
  }

  /** Starts a computation of its own, although another may run. */
  start<A, E, R>(fiber: CallingFiber, request: MemoRequest<A, E, R>): Effect.Effect<A, E, R> {
    return Effect.flatMap(this.singleFlight.start(fiber, request, "withoutStore"), (outcome) =>
      outcome._tag === "Done" ? outcome.exit : this.share(fiber, request)
    )
  }

  /** Joins the flight of this key that runs without a lease, or starts one. */
  share<A, E, R>(fiber: CallingFiber, request: MemoRequest<A, E, R>): Effect.Effect<A, E, R> {
    const flight = this.flights.withoutLease(request.key)
    if (flight === undefined) return this.start(fiber, request)
    return Effect.flatMap(this.singleFlight.join(request, flight), (outcome) =>
      outcome._tag === "Done" ? outcome.exit : this.share(fiber, request)
    )
  }
}
