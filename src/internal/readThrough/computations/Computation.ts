/**
 * The life of one computation: it acquires the lease, computes in a fiber that no caller owns, renews the lease meanwhile, and
 * stores its value only if the lease still counts. Whatever happens, the waiting callers get an outcome.
 */
import { Effect, Exit, Fiber, Option } from "effect"
import type { Snapshot } from "../../entries/EntryReader.js"
import { forkInAsyncContext } from "../../runtime/asyncContext.js"
import { now, nowMillis, withFiber } from "../../runtime/fiber.js"
import { computeSpan } from "../../telemetry/spans.js"
import { type Flight, lost, type Outcome, runsWithoutLease } from "../flights/Flight.js"
import type { Flights } from "../flights/Flights.js"
import type { Invalidation } from "../invalidations/Invalidation.js"
import type { LeaseEnds } from "../leases/LeaseEnds.js"
import type { Leases } from "../leases/Leases.js"
import type { OwnLease } from "../leases/LeaseWrites.js"
import type { MemoRequest } from "../request.js"

/**
 * Why a value is computed.
 *
 * - `miss`: there is none.
 * - `refresh`: there is one, which is served meanwhile.
 * - `force`: the caller wants a new one, whatever is there and whoever has the lease.
 * - `withoutStore`: the store can't be reached.
 * - `withoutLease`: another process has the lease, but the caller has waited for one that ended without a value.
 */
export type Mode = "miss" | "refresh" | "force" | "withoutStore" | "withoutLease"

/** A lease is renewed so many times in its own length, so that a late renewal or a skewed clock does no harm. */
const renewalsPerLease = 3

export class Computation {
  constructor(
    private readonly leases: Leases,
    private readonly ends: LeaseEnds,
    private readonly flights: Flights,
    private readonly invalidation: Invalidation
  ) {}

  /**
   * Must run in an uninterruptible region: only the user's effect inside is interruptible, so no lease is ever forgotten.
   *
   * @param onEnd called once with the outcome, in this same fiber
   */
  run<A, E, R>(
    request: MemoRequest<A, E, R>,
    flight: Flight,
    mode: Mode,
    snapshot: Snapshot | undefined,
    onEnd: (outcome: Outcome<A, E>) => void
  ): Effect.Effect<void, never, R> {
    const ended =
      mode === "withoutStore" || mode === "withoutLease"
        ? this.compute(request, flight, undefined)
        : Effect.flatMap(
            this.leases.acquire(request, flight, mode !== "miss", mode === "force", snapshot),
            (acquired): Effect.Effect<Outcome<A, E>, never, R> =>
              acquired._tag === "Acquired"
                ? this.compute(request, flight, acquired.lease)
                : acquired._tag === "Lost"
                  ? Effect.succeed(lost)
                  : this.computeWithoutLease(request, flight, mode)
          )
    return Effect.matchCause(ended, {
      onSuccess: onEnd,
      onFailure: (cause) => onEnd({ _tag: "Done", exit: Exit.failCause(cause) })
    })
  }

  /** The store may refuse all leases: then the callers who wait for a value share one flight without a lease. */
  private computeWithoutLease<A, E, R>(
    request: MemoRequest<A, E, R>,
    flight: Flight,
    mode: Mode
  ): Effect.Effect<Outcome<A, E>, never, R> {
    return Effect.suspend(() =>
      mode === "miss" && this.flights.withoutLease(request.key) !== undefined
        ? Effect.succeed(runsWithoutLease)
        : this.compute(request, flight, undefined)
    )
  }

  private compute<A, E, R>(
    request: MemoRequest<A, E, R>,
    flight: Flight,
    lease: OwnLease | undefined
  ): Effect.Effect<Outcome<A, E>, never, R> {
    return withFiber((fiber) => {
      if (flight.abandoned) return Effect.zipRight(this.ends.giveBack(request, lease), Effect.interrupt)
      if (lease !== undefined) this.flights.beginsWithLease(flight)
      else if (flight.follows === undefined) this.flights.beginsWithoutLease(flight)
      const computing = Effect.interruptible(this.begin(request, flight))
      const begun = nowMillis(fiber)
      flight.begun = begun
      return Effect.flatMap(this.supervised(request, flight, lease, computing, begun), (exit) => {
        if (Exit.isSuccess(exit)) request.counters.computedOn(fiber, nowMillis(fiber) - begun, request)
        else if (!flight.abandoned) request.counters.countOn(fiber, "failed", request)
        return Effect.as(this.settle(request, flight, lease, exit, nowMillis(fiber) - begun), { _tag: "Done", exit })
      })
    })
  }

  /** Checks `abandoned` and records the fiber in one synchronous step, so abandon() either sees the fiber or prevents the start. */
  private begin<A, E, R>(request: MemoRequest<A, E, R>, flight: Flight): Effect.Effect<A, E, R> {
    return withFiber((fiber) => {
      if (flight.abandoned) return Effect.interrupt
      flight.computation = fiber
      return computeSpan(fiber, request, this.asked(request), flight.startedBy?.span, (span) => {
        flight.span = span
      })
    })
  }

  /** The user's effect: `refresh` where the old value stays meanwhile. */
  private asked<A, E, R>(request: MemoRequest<A, E, R>): Effect.Effect<A, E, R> {
    const { compute, previous, refresh } = request
    if (refresh === undefined || previous === undefined) return compute
    return Effect.map(refresh(previous.value), (changed) => {
      if (Option.isSome(changed)) return changed.value
      previous.isUnchanged = true
      return previous.value
    })
  }

  /**
   * Runs the computation in a fiber of its own, so that an interruption can give the lease back before it has ended, and in the
   * async context of the call.
   */
  private supervised<A, E, R>(
    request: MemoRequest<A, E, R>,
    flight: Flight,
    lease: OwnLease | undefined,
    computing: Effect.Effect<A, E, R>,
    begun: number
  ): Effect.Effect<Exit.Exit<A, E>, never, R> {
    return Effect.flatMap(forkInAsyncContext(request.asyncContext, computing), (child) =>
      Effect.onInterrupt(this.supervise(request, flight, child, lease, begun), () =>
        Effect.zipRight(this.ends.giveBack(request, lease), Fiber.interrupt(child))
      )
    )
  }

  /**
   * Waits for the computation and renews the lease meanwhile, for `maxLease` at most. After that nobody else waits for it, whether
   * it has a lease or not.
   *
   * @param renewed when the lease was written last. A lease that a slow store was long in granting is renewed the sooner.
   */
  private supervise<A, E, R>(
    request: MemoRequest<A, E, R>,
    flight: Flight,
    child: Fiber.Fiber<A, E>,
    lease: OwnLease | undefined,
    begun: number,
    renewed: number = lease?.since ?? begun
  ): Effect.Effect<Exit.Exit<A, E>> {
    return Effect.flatMap(now, (time) => {
      const left = (lease?.since ?? begun) + request.policy.maxLease - time
      // A Clock may tell fractions of a millisecond, for which no timer sleeps.
      if (left < 1) {
        this.flights.expire(flight)
        return Effect.interruptible(Fiber.await(child))
      }
      const due = Math.max(time, renewed + request.policy.lease / renewalsPerLease)
      const pause = lease?.token === undefined ? left : Math.min(left, due - time)
      return Effect.flatMap(
        Effect.interruptible(Effect.timeoutOption(Fiber.await(child), pause)),
        Option.match({
          onSome: Effect.succeed,
          onNone: () =>
            Effect.zipRight(
              this.leases.renew(request, lease),
              this.supervise(request, flight, child, lease, begun, due)
            )
        })
      )
    })
  }

  private settle<A, E, R>(
    request: MemoRequest<A, E, R>,
    flight: Flight,
    lease: OwnLease | undefined,
    exit: Exit.Exit<A, E>,
    computeMillis: number
  ): Effect.Effect<unknown> {
    if (Exit.isFailure(exit) && (flight.abandoned || flight.isDeserted)) {
      // Another caller may succeed with services of its own: it need not wait until the lease has run out.
      if (flight.startedBy !== undefined) this.flights.callersRefresh(request.key)
      return this.ends.giveBack(request, lease)
    }
    if (request.hasOtherKeyNow()) return this.settleMisnamed(request, flight, lease)
    this.flights.layerRefreshes(request.key)
    if (Exit.isFailure(exit)) return this.ends.afterFailure(request, flight, lease, exit.cause, computeMillis)
    const replaced =
      lease === undefined ? Effect.succeed(false) : this.ends.publish(request, lease, exit.value, computeMillis)
    if (!flight.forced) return replaced
    // The old value must not outlive a forced recalculation, whoever has the lease or has written the value.
    return Effect.flatMap(replaced, (done) => (done ? Effect.void : this.invalidation.removeQuietly(request)))
  }

  /** The outcome is that of other arguments than those in the key: it is not stored, and only the caller gets it who started. */
  private settleMisnamed<A, E, R>(
    request: MemoRequest<A, E, R>,
    flight: Flight,
    lease: OwnLease | undefined
  ): Effect.Effect<void> {
    flight.misnamed = true
    return Effect.zipRight(
      request.warnings.warn(
        "Arguments changed",
        () =>
          `The arguments of ${request.printed} were changed while it was computed, so the value is not stored: ` +
          "pass a copy to the cached function, or change nothing that its key is made of"
      ),
      flight.forced ? this.invalidation.removeQuietly(request) : this.ends.giveBack(request, lease)
    )
  }
}
