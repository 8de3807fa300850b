/**
 * The life of one computation: claimed in the store, run in a fiber of the layer (it is nobody's child), renewed while
 * it lasts, and its value published only if the claim still stands. Waiters come and go; with the last one it ends.
 */
import { Cause, Deferred, Effect, Exit, Fiber, FiberRef, Option, Random } from "effect"
import type { CacheError } from "../CacheError.js"
import type { Entry, Token } from "../CacheStore.js"
import { isOutage } from "../store/outage.js"
import { ancestry, currentFlight, Flight, type Flights, lost, type Outcome } from "./flights.js"
import { computeSpan, logAction, logFailure } from "./instruments.js"
import { claimed, judge, lifespan, settled, tombstone } from "./mint.js"
import { now, type Records, type Snapshot, uniqueId } from "./records.js"
import type { MemoRequest } from "./request.js"

/**
 * - `miss`: nothing was there.
 * - `refresh`: what is there is served on meanwhile.
 * - `force`: whatever is there, and whoever claims it.
 * - `apart`: without the store.
 */
export type Mode = "miss" | "refresh" | "force" | "apart"

/** What a flight holds in the store. Every write of its own moves the token; without one the claim is lost. */
interface Hold {
  token: Token | undefined
  entry: Entry
}

type Claiming =
  | { readonly _tag: "Held"; readonly hold: Hold }
  | { readonly _tag: "Unreachable" }
  | { readonly _tag: "Lost" }

const unreachable: Claiming = { _tag: "Unreachable" }
const claimLost: Claiming = { _tag: "Lost" }

/** Renewed this many times before a lease would run out, so that a late renewal or a skewed clock does no harm. */
const renewalsPerLease = 3

const cyclic = (path: ReadonlyArray<string>): Effect.Effect<never> =>
  Effect.dieMessage(`Cached computation needs its own result: ${path.join(" → ")}`)

export class Computations {
  private readonly instance = uniqueId()
  private count = 0
  private readonly running = new Set<Flight>()
  private closed = false

  constructor(
    private readonly records: Records,
    private readonly flights: Flights
  ) {}

  /** Ends what runs, when the layer does. (A finalizer in its scope for each would cost a third of a computation.) */
  get shutdown(): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.closed = true
      const fibers = Array.from(this.running, (flight) => flight.fiber).filter((fiber) => fiber !== undefined)
      return Fiber.interruptAll(fibers)
    })
  }

  /** Starts a flight and waits for it. */
  fly<A, E, R>(request: MemoRequest<A, E, R>, mode: Mode, seen?: Snapshot): Effect.Effect<Outcome<A, E>, never, R> {
    return Effect.uninterruptibleMask((restore) =>
      Effect.withFiberRuntime((fiber) => {
        const asking = fiber.getFiberRef(currentFlight)
        return Effect.flatMap(this.launch(request, mode, seen, asking, false), (flight) =>
          this.await<A, E>(flight, asking, restore)
        )
      })
    )
  }

  /** Starts a flight that nobody needs to wait for. */
  flyBehind<A, E, R>(request: MemoRequest<A, E, R>, mode: Mode, seen: Snapshot): Effect.Effect<void, never, R> {
    return Effect.uninterruptible(
      Effect.flatMap(FiberRef.get(currentFlight), (asking) => this.launch(request, mode, seen, asking, true))
    )
  }

  /** Waits for a flight that another caller started. */
  join<A, E, R>(request: MemoRequest<A, E, R>, flight: Flight): Effect.Effect<Outcome<A, E>> {
    return Effect.uninterruptibleMask((restore) =>
      Effect.withFiberRuntime((fiber) => {
        const asking = fiber.getFiberRef(currentFlight)
        if (asking !== undefined && flight.reaches(asking)) {
          return cyclic([asking.printed, flight.printed, asking.printed])
        }
        // It ended for want of a waiter between being found and being joined: its end is not this caller's.
        if (flight.abandoned) return Effect.succeed(lost)
        // In one step with the question above: two flights that ask for each other at once must not both be told no.
        asking?.wait(flight)
        flight.waiters++
        return Effect.tap(this.await<A, E>(flight, asking, restore), (outcome) =>
          outcome._tag === "Done" ? request.meters.count("joined") : Effect.void
        )
      })
    )
  }

  /** Computes for this caller alone, in its own fiber, and stores nothing. */
  alone<A, E, R>(request: MemoRequest<A, E, R>): Effect.Effect<A, E, R> {
    return Effect.uninterruptibleMask((restore) =>
      Effect.withFiberRuntime((fiber) => {
        const asking = fiber.getFiberRef(currentFlight)
        const path = ancestry(asking, this.flights, request.key)
        if (path !== undefined) return cyclic([...path, request.printed])
        const flight = this.flight(request, asking, false)
        asking?.wait(flight)
        return Effect.onExit(
          restore(Effect.locally(computeSpan(request.printed)(request.compute), currentFlight, flight)),
          (exit) => {
            asking?.unwait(flight)
            // Fibers that it has forked may outlive it.
            flight.phase = "landed"
            return request.meters.count(Exit.isSuccess(exit) ? "computed" : "failed")
          }
        )
      })
    )
  }

  private flight<A, E, R>(request: MemoRequest<A, E, R>, parent: Flight | undefined, background: boolean): Flight {
    const id = `${this.instance}.${++this.count}`
    return new Flight(this.flights, request.key, request.printed, id, request.groups, background, parent)
  }

  /** In an uninterruptible region: a flight that others can find is sure to run. */
  private launch<A, E, R>(
    request: MemoRequest<A, E, R>,
    mode: Mode,
    seen: Snapshot | undefined,
    asking: Flight | undefined,
    background: boolean
  ): Effect.Effect<Flight, never, R> {
    return Effect.suspend(() => {
      const path = ancestry(asking, this.flights, request.key)
      if (path !== undefined) return cyclic([...path, request.printed])
      const flight = this.flight(request, asking, background)
      flight.forced = mode === "force"
      if (!background) {
        flight.waiters = 1
        asking?.wait(flight)
      }
      if (mode === "apart") this.flights.unreachable(flight)
      else this.flights.register(flight)
      this.running.add(flight)
      return Effect.map(Effect.forkDaemon(this.course(request, flight, mode, seen)), (running) => {
        flight.fiber = running
        if (this.closed) running.unsafeInterruptAsFork(running.id())
        return flight
      })
    })
  }

  /** For a caller that is counted, and known to `asking`, already. */
  private await<A, E>(
    flight: Flight,
    asking: Flight | undefined,
    restore: <B, F, R>(effect: Effect.Effect<B, F, R>) => Effect.Effect<B, F, R>
  ): Effect.Effect<Outcome<A, E>> {
    // One key has one type: whoever flies for it computes what this caller would.
    const landing = restore(Deferred.await(flight.outcome)) as Effect.Effect<Outcome<A, E>>
    const leave = (): Effect.Effect<void> => {
      asking?.unwait(flight)
      flight.waiters--
      if (flight.waiters > 0 || flight.background || flight.phase === "landed") return Effect.void
      this.flights.abandon(flight)
      return this.end(flight)
    }
    // In an uninterruptible region this is all that `ensuring` does.
    return Effect.matchCauseEffect(landing, {
      onSuccess: (outcome) => Effect.as(leave(), outcome),
      onFailure: (cause) => Effect.zipRight(leave(), Effect.failCause(cause))
    })
  }

  /**
   * Ends a flight that nobody waits for any more. As without a cache, the last one to leave waits until the computation
   * has ended, but not for a server to be told: a caller's own time-out must not hang on one that does not answer.
   */
  private end(flight: Flight): Effect.Effect<void> {
    if (flight.fiber === undefined) return Effect.void
    if (this.records.store.unsafeRead !== undefined) return Effect.asVoid(Fiber.interrupt(flight.fiber))
    return Effect.zipRight(
      Fiber.interruptFork(flight.fiber),
      flight.computation === undefined ? Effect.void : Effect.asVoid(Fiber.interrupt(flight.computation))
    )
  }

  /**
   * The flight's own fiber. It can be interrupted only while it waits for the computation, so that no claim is
   * forgotten; whatever happens, those who wait hear of it.
   */
  private course<A, E, R>(
    request: MemoRequest<A, E, R>,
    flight: Flight,
    mode: Mode,
    seen: Snapshot | undefined
  ): Effect.Effect<void, never, R> {
    const claiming = mode === "apart" ? Effect.succeed(unreachable) : this.claim(request, flight, mode, seen)
    const flown = Effect.flatMap(claiming, (claim): Effect.Effect<Outcome<A, E>, never, R> => {
      if (claim._tag === "Lost") return Effect.succeed(lost)
      const hold = claim._tag === "Held" ? claim.hold : undefined
      if (flight.abandoned) return Effect.zipRight(this.giveBack(request, hold), Effect.interrupt)
      if (hold === undefined) this.flights.unreachable(flight)
      else this.flights.claimed(flight)
      const computing = Effect.interruptible(this.boarding(request, flight))
      // Without a claim there is nothing to renew and nothing to give back: no second fiber is needed.
      const computed = hold === undefined ? Effect.exit(computing) : this.supervised(request, hold, computing)
      return Effect.flatMap(now, (begun) =>
        Effect.flatMap(computed, (exit) =>
          Effect.as(
            Effect.flatMap(now, (ended) => this.settle(request, flight, hold, exit, ended - begun)),
            { _tag: "Done", exit } as const
          )
        )
      )
    })
    const land = (outcome: Outcome<A, E>): void => {
      this.running.delete(flight)
      this.flights.land(flight, outcome)
    }
    // All of it is uninterruptible, so neither end can be missed.
    return Effect.matchCause(flown, {
      onSuccess: land,
      onFailure: (cause) => land({ _tag: "Done", exit: Exit.failCause(cause) })
    })
  }

  /** In one step: a computation that runs is known to whoever abandons its flight, and none begins after that. */
  private boarding<A, E, R>(request: MemoRequest<A, E, R>, flight: Flight): Effect.Effect<A, E, R> {
    return Effect.withFiberRuntime<A, E, R>((fiber) => {
      if (flight.abandoned) return Effect.interrupt
      flight.computation = fiber
      // The fiber is the computation's own: nothing has to be set back, as `locally` would.
      return Effect.zipRight(FiberRef.set(currentFlight, flight), computeSpan(request.printed)(request.compute))
    })
  }

  /** Runs the computation in a fiber of its own, so that an interruption can give the claim back before it has ended. */
  private supervised<A, E, R>(
    request: MemoRequest<A, E, R>,
    hold: Hold,
    computing: Effect.Effect<A, E, R>
  ): Effect.Effect<Exit.Exit<A, E>, never, R> {
    return Effect.flatMap(Effect.fork(computing), (child) =>
      Effect.onInterrupt(this.supervise(request, child, hold), () =>
        Effect.zipRight(this.giveBack(request, hold), Fiber.interrupt(child))
      )
    )
  }

  /** Waits for the computation and renews the claim meanwhile. */
  private supervise<A, E, R>(
    request: MemoRequest<A, E, R>,
    child: Fiber.Fiber<A, E>,
    hold: Hold
  ): Effect.Effect<Exit.Exit<A, E>> {
    if (hold.token === undefined) return Effect.interruptible(Fiber.await(child))
    return Effect.flatMap(
      Effect.interruptible(Effect.timeoutOption(Fiber.await(child), request.policy.lease / renewalsPerLease)),
      Option.match({
        onSome: (exit) => Effect.succeed(exit),
        onNone: () => Effect.zipRight(this.renew(request, hold), this.supervise(request, child, hold))
      })
    )
  }

  /** Takes the exclusive right to compute, together with the versions that the groups have before it. */
  private claim<A, E, R>(
    request: MemoRequest<A, E, R>,
    flight: Flight,
    mode: Mode,
    seen: Snapshot | undefined
  ): Effect.Effect<Claiming> {
    const snapshot = seen === undefined ? this.records.read(request.key, request.groups) : Effect.succeed(seen)
    const attempt: Effect.Effect<Claiming, CacheError> = Effect.flatMap(snapshot, ({ stored, versions }) =>
      Effect.flatMap(
        Effect.zip(now, versions === undefined ? this.records.capture(request.groups) : Effect.succeed(versions)),
        ([time, current]) => {
          const verdict = judge(stored?.entry, current, time)
          const kept =
            mode !== "miss" && (verdict._tag === "Fresh" || verdict._tag === "Stale") ? verdict.value : undefined
          const entry = claimed(kept, { id: flight.id, until: time + request.policy.lease }, current)
          const store = this.records.store
          return Effect.flatMap(
            stored === undefined ? store.add(request.key, entry) : store.replace(request.key, stored.token, entry),
            Option.match({
              onSome: (token) => Effect.succeed<Claiming>({ _tag: "Held", hold: { token, entry } }),
              onNone: () =>
                mode === "force" ? this.claim(request, flight, mode, undefined) : Effect.succeed(claimLost)
            })
          )
        }
      )
    )
    return Effect.catchAll(attempt, (error) =>
      Effect.as(
        Effect.zipRight(
          request.meters.count("storeErrors"),
          logFailure(`Cache unavailable, computing ${request.printed} without a claim`, error)
        ),
        unreachable
      )
    )
  }

  /** Writes over what the flight holds. `false`: it holds it no longer. */
  private rewrite<A, E, R>(
    request: MemoRequest<A, E, R>,
    hold: Hold,
    entry: Entry
  ): Effect.Effect<boolean, CacheError> {
    if (hold.token === undefined) return Effect.succeed(false)
    return Effect.map(this.records.store.replace(request.key, hold.token, entry), (replaced) => {
      hold.token = Option.getOrUndefined(replaced)
      hold.entry = entry
      return Option.isSome(replaced)
    })
  }

  private renew<A, E, R>(request: MemoRequest<A, E, R>, hold: Hold): Effect.Effect<void> {
    const claim = hold.entry.claim
    if (claim === undefined) return Effect.void
    return Effect.flatMap(now, (time) =>
      Effect.catchAll(
        this.rewrite(request, hold, {
          ...hold.entry,
          claim: { id: claim.id, until: time + request.policy.lease }
        }),
        (error) => this.failedStore(request, "renewing the claim of", error)
      )
    )
  }

  /** Ends the claim without a new value: what was there before is free to be claimed again at once. */
  private giveBack<A, E, R>(request: MemoRequest<A, E, R>, hold: Hold | undefined): Effect.Effect<void> {
    if (hold === undefined) return Effect.void
    const { value, groups } = hold.entry
    return Effect.asVoid(
      value === undefined ? this.drop(request, hold) : this.rewriteQuietly(request, hold, settled(value, groups))
    )
  }

  /** Ends the claim and whatever value was there. */
  private drop<A, E, R>(request: MemoRequest<A, E, R>, hold: Hold): Effect.Effect<boolean> {
    return Effect.flatMap(now, (time) =>
      this.rewriteQuietly(request, hold, tombstone(hold.entry.claim?.id ?? "", time))
    )
  }

  private rewriteQuietly<A, E, R>(request: MemoRequest<A, E, R>, hold: Hold, entry: Entry): Effect.Effect<boolean> {
    return Effect.catchAll(this.rewrite(request, hold, entry), (error) =>
      Effect.as(this.failedStore(request, "giving back the claim of", error), false)
    )
  }

  private failedStore<A, E, R>(request: MemoRequest<A, E, R>, doing: string, error: CacheError): Effect.Effect<void> {
    return Effect.zipRight(
      request.meters.count("storeErrors"),
      logFailure(`Cache failed ${doing} ${request.printed}`, error)
    )
  }

  private settle<A, E, R>(
    request: MemoRequest<A, E, R>,
    flight: Flight,
    hold: Hold | undefined,
    exit: Exit.Exit<A, E>,
    computeMillis: number
  ): Effect.Effect<void> {
    if (flight.abandoned && Exit.isFailure(exit)) return this.giveBack(request, hold)
    if (Exit.isFailure(exit)) {
      return Effect.zipRight(request.meters.count("failed"), this.bear(request, flight, hold, exit.cause))
    }
    const counted = Effect.zipRight(request.meters.count("computed"), request.meters.computeTook(computeMillis))
    const replaced = hold === undefined ? Effect.succeed(false) : this.publish(request, hold, exit.value, computeMillis)
    return Effect.zipRight(
      counted,
      // What a forced recalculation was to replace must not outlive it, whoever claims or has written it.
      Effect.flatMap(replaced, (done) => (done || !flight.forced ? Effect.void : this.removeQuietly(request)))
    )
  }

  /**
   * What remains of a failed computation. Beside an old value that is served on the claim is left to run out, so that
   * nobody tries again before; but no longer than that value lasts, for then the claim would keep all callers waiting.
   */
  private bear<A, E, R>(
    request: MemoRequest<A, E, R>,
    flight: Flight,
    hold: Hold | undefined,
    cause: Cause.Cause<E>
  ): Effect.Effect<void> {
    if (hold === undefined) return Effect.void
    return Effect.flatMap(now, (time) => {
      const { claim, groups, value } = hold.entry
      if (flight.forced || value === undefined || value.staleUntil <= time) return this.giveBack(request, hold)
      const shorter =
        claim !== undefined && claim.until > value.staleUntil
          ? this.rewriteQuietly(request, hold, claimed(value, { id: claim.id, until: value.staleUntil }, groups))
          : Effect.void
      return Effect.zipRight(
        Effect.logWarning(`Recomputing ${request.printed} failed, its old value is served on`, cause),
        shorter
      )
    })
  }

  private removeQuietly<A, E, R>(request: MemoRequest<A, E, R>): Effect.Effect<void> {
    return Effect.catchAll(Effect.asVoid(this.records.store.remove([request.key])), (error) =>
      this.failedStore(request, "removing the old value of", error)
    )
  }

  /**
   * Stores the value if the claim still stands; what goes wrong here must not cost the caller the value. Says whether
   * what was there before is gone.
   */
  private publish<A, E, R>(
    request: MemoRequest<A, E, R>,
    hold: Hold,
    value: A,
    computeMillis: number
  ): Effect.Effect<boolean> {
    const { policy, codec, meters, printed } = request
    const storing = Effect.gen(this, function* () {
      const ttl = policy.cacheWhen(value) ? yield* policy.ttl(value, request.args) : 0
      if (ttl <= 0) return yield* this.drop(request, hold)
      const payload = yield* codec.encode(value)
      const time = yield* now
      const random = policy.jitter === 0 ? 0 : yield* Random.next
      const times = lifespan(time, ttl, policy.stale, policy.jitter, random)
      const stored = yield* this.rewrite(
        request,
        hold,
        settled({ payload, computeMillis, ...times }, hold.entry.groups)
      )
      yield* meters.count(stored ? "stored" : "discarded")
      yield* logAction(stored ? "SET" : "DISCARD", printed)
      return stored
    })
    return Effect.catchAllCause(storing, (cause) =>
      Effect.zipRight(
        Option.match(Cause.failureOption(cause), {
          onSome: (error) => this.failedStore(request, "storing", error),
          onNone: () => Effect.logError(`Could not store ${printed}: its ttl or cacheWhen failed`, cause)
        }),
        wasOutage(cause) ? Effect.succeed(false) : this.drop(request, hold)
      )
    )
  }
}

/** A store that is away is not asked again: the claim runs out by itself. */
const wasOutage = (cause: Cause.Cause<CacheError>): boolean => Option.exists(Cause.failureOption(cause), isOutage)
