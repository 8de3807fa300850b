/** How a lease ends: with a value, with an error, or given back. */
import { Cause, Effect, Either, Option, Random } from "effect"
import type { CacheError } from "../../../CacheError.js"
import { lifeFor } from "../../entries/CapturedVersions.js"
import { leasedEntry, lifespan, tombstone, valueEntry } from "../../entries/entryState.js"
import { isOutage } from "../../outages/outage.js"
import { notStored } from "../../outages/storeFailure.js"
import { now, nowMillis, withFiber } from "../../runtime/fiber.js"
import { logAction } from "../../telemetry/logs.js"
import { isFailure } from "../../values/failure.js"
import type { Flight } from "../flights/Flight.js"
import type { Flights } from "../flights/Flights.js"
import type { MemoRequest, Policy } from "../request.js"
import type { LeaseWrites, OwnLease } from "./LeaseWrites.js"

/** What a computation came to, and how long that is kept. */
interface Storable {
  /** Milliseconds, as all of these. */
  readonly ttl: number
  readonly stale: number
  readonly computeMillis: number
  readonly payload: Effect.Effect<unknown, CacheError>
}

const noJitter: Effect.Effect<number> = Effect.succeed(0)

const jitterOf = <A>({ jitter }: Policy<A>): Effect.Effect<number> => (jitter === 0 ? noJitter : Random.next)

export class LeaseEnds {
  constructor(
    private readonly writes: LeaseWrites,
    private readonly flights: Flights
  ) {}

  /**
   * Ends the lease of a computation that was interrupted. Another caller can lease the key again at once; of all who wait, one
   * does.
   */
  giveBack<A, E, R>(request: MemoRequest<A, E, R>, own: OwnLease | undefined): Effect.Effect<void> {
    if (own === undefined) return Effect.void
    const { value, groups } = own.entry
    return Effect.asVoid(
      value === undefined
        ? this.writes.drop(request, own, "")
        : this.writes.rewriteQuietly(request, own, valueEntry(value, groups))
    )
  }

  /**
   * After a failed computation: keeps its error if the policy says so, unless an old value is to be served instead.
   *
   * @param computeMillis how long it took to fail
   */
  afterFailure<A, E, R>(
    request: MemoRequest<A, E, R>,
    flight: Flight,
    own: OwnLease | undefined,
    cause: Cause.Cause<E>,
    computeMillis: number
  ): Effect.Effect<void> {
    if (own === undefined) return Effect.void
    const withoutError = this.withoutError(request, flight, own, cause)
    const { failureCodec, policy } = request
    const { failures } = policy
    // A defect beside the error says that something else is wrong.
    const error = Cause.isDie(cause) ? Option.none() : Cause.failureOption(cause)
    if (failures === undefined || failureCodec === undefined || Option.isNone(error)) return withoutError
    return Effect.flatMap(now, (time) => {
      const { value } = own.entry
      const isServed = value !== undefined && (policy.staleOnError ? time < value.staleUntil : time < value.freshUntil)
      if (isServed && !isFailure(this.writes.store.payloads, value.payload)) return withoutError
      const outcome = () =>
        Either.map(failures.when(error.value) ? failures.ttl(error.value) : Either.right(0), (ttl) => ({
          ttl,
          stale: 0,
          computeMillis,
          payload: failureCodec.encode(error.value)
        }))
      return this.store(request, own, outcome, "error", withoutError)
    })
  }

  /**
   * After a failed computation whose error is not kept. If an old value is still served, the lease stays until it runs out: nobody
   * tries again before that. It must not last longer than the old value, because callers without a value wait for the lease.
   */
  private withoutError<A, E, R>(
    request: MemoRequest<A, E, R>,
    flight: Flight,
    own: OwnLease,
    cause: Cause.Cause<E>
  ): Effect.Effect<void> {
    return Effect.flatMap(now, (time) => {
      const { groups, lease, value } = own.entry
      if (value === undefined || value.staleUntil <= time) return Effect.asVoid(this.writes.drop(request, own))
      if (flight.forced) return this.giveBack(request, own)
      const shorter =
        lease !== undefined && lease.until > value.staleUntil
          ? this.writes.rewriteQuietly(
              request,
              own,
              leasedEntry(value, { id: lease.id, until: value.staleUntil }, groups)
            )
          : Effect.void
      return Effect.zipRight(
        request.warnings.warn(
          `recomputing ${request.counters.label}`,
          () => `Recomputing ${request.printed} failed, its old value is served`,
          {},
          cause
        ),
        shorter
      )
    })
  }

  /**
   * Stores the value if the lease still counts. A failure here is logged and never reaches the caller, who has the value.
   *
   * @returns whether the old entry is gone
   */
  publish<A, E, R>(
    request: MemoRequest<A, E, R>,
    own: OwnLease,
    value: A,
    computeMillis: number
  ): Effect.Effect<boolean> {
    const { args, codec, policy, previous, receiver } = request
    // `refresh` said that it is still right: it gets new times, and the payload that it has.
    const unchanged = previous?.isUnchanged === true ? own.entry.value : undefined
    const outcome = () =>
      Either.map(policy.cacheWhen(value) ? policy.ttl(receiver, value, args) : Either.right(0), (ttl) => ({
        ttl,
        stale: policy.stale,
        computeMillis: unchanged?.computeMillis ?? computeMillis,
        payload: unchanged === undefined ? codec.encode(value) : Effect.succeed(unchanged.payload)
      }))
    return this.store(
      request,
      own,
      outcome,
      "value",
      Effect.suspend(() => this.writes.drop(request, own))
    )
  }

  /**
   * @param of may throw, as the user's functions in it may
   * @param without what to do where nothing is to be stored, because the ttl is zero
   */
  private store<A, E, R, B>(
    request: MemoRequest<A, E, R>,
    own: OwnLease,
    of: () => Either.Either<Storable, CacheError>,
    what: "value" | "error",
    without: Effect.Effect<B>
  ): Effect.Effect<B | boolean> {
    const { counters, policy, printed } = request
    const storing = withFiber((fiber): Effect.Effect<B | boolean, CacheError> => {
      const outcome = of()
      if (Either.isLeft(outcome)) return Effect.fail(outcome.left)
      const { computeMillis, payload: encoding, stale, ttl } = outcome.right
      if (ttl <= 0) return without
      return Effect.flatMap(Effect.zip(encoding, jitterOf(policy)), ([payload, random]) => {
        const times = lifespan(nowMillis(fiber), ttl, stale, policy.jitter, random)
        const entry = valueEntry({ payload, computeMillis, ...times }, own.entry.groups)
        const time = nowMillis(fiber)
        const life = lifeFor(times.staleUntil - time)
        const written = this.writes.outliving(
          request,
          own.captured,
          this.writes.rewrite(request, own, entry),
          time,
          life
        )
        return Effect.flatMap(written, (stored) => {
          counters.countOn(fiber, stored ? "stored" : "discarded", request)
          return Effect.as(logAction(stored ? "SET" : "DISCARD", printed), stored)
        })
      })
    })
    return Effect.catchAllCause(storing, (cause) =>
      Effect.zipRight(
        notStored(request, cause, what),
        // A store that can't be reached is not asked again: the lease runs out by itself.
        Option.exists(Cause.failureOption(cause), isOutage) ? Effect.succeed(false) : this.notStored(request, own)
      )
    )
  }

  /** The store has refused the value, and perhaps deleted the lease with it: those who wait must still see how it ended. */
  private notStored<A, E, R>(request: MemoRequest<A, E, R>, own: OwnLease): Effect.Effect<boolean> {
    const held = own.token !== undefined
    return Effect.flatMap(this.writes.drop(request, own), (dropped) => {
      if (dropped || !held) return Effect.succeed(dropped)
      const id = own.entry.lease?.id ?? ""
      // It may have been an invalidation that removed the lease: whoever reads this tombstone must not join the computation.
      this.flights.disown(id)
      return Effect.flatMap(now, (time) =>
        Effect.catchAll(Effect.as(this.writes.store.add(request.key, tombstone(id, time)), false), (error) =>
          Effect.as(this.writes.failed(request, "giving back the lease of", error), false)
        )
      )
    })
  }
}
