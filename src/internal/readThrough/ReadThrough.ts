/**
 * Reads through the cache: serves a fresh value; else one caller of all processes computes, and the others are served the stale
 * value or wait. `ReadStates.ts` says what an entry means, `Flights.ts` who may join a flight. Inside a SQL transaction
 * (`withinTransaction`) nothing is stored and no flight is joined.
 */
import { Effect, type Either, Exit, type Option, Random } from "effect"
import { type CacheError, NoCachedValue } from "../../CacheError.js"
import type { Lease } from "../../CacheStore.js"
import { type EntryReader, hitCounters, keysOf, plainHit, type Snapshot, snapshotOf } from "../entries/EntryReader.js"
import { refreshesEarly, type Servable, type Unservable } from "../entries/entryState.js"
import { storeFailed } from "../outages/storeFailure.js"
import { captureAsyncContext } from "../runtime/asyncContext.js"
import {
  type CallingFiber,
  debugIsOn,
  inTransaction,
  isInTransaction,
  now,
  nowMillis,
  withFiber
} from "../runtime/fiber.js"
import { logAction } from "../telemetry/logs.js"
import type { Alone } from "./computations/Alone.js"
import type { SingleFlight } from "./computations/SingleFlight.js"
import { currentFlight, type Outcome } from "./flights/Flight.js"
import type { Flights } from "./flights/Flights.js"
import { endedWithoutValue, saysEnded } from "./flights/leaseId.js"
import type { Invalidation } from "./invalidations/Invalidation.js"
import { atFirst, mostLost, mostWaits, type Progress, pollDelay, untilTombstone } from "./progress.js"
import { type ReadResult, ReadStates } from "./ReadStates.js"
import type { Lookups, MemoRequest } from "./request.js"
import { unavailable, type WithoutStore } from "./WithoutStore.js"

export class ReadThrough implements Lookups {
  private readonly states: ReadStates

  constructor(
    private readonly reader: EntryReader,
    private readonly flights: Flights,
    private readonly singleFlight: SingleFlight,
    private readonly alone: Alone,
    private readonly withoutStore: WithoutStore,
    private readonly invalidation: Invalidation
  ) {
    this.states = new ReadStates(reader, flights)
  }

  /** The value, from the cache or computed. */
  lookup<A, E, R>(fiber: CallingFiber, request: MemoRequest<A, E, R>): Effect.Effect<A, E, R> {
    if (isInTransaction(fiber)) return this.withinTransaction(request)
    // Before the call waits for a server: the server's answer is told in another caller's async context.
    if (this.reader.asksOthers) request.asyncContext = captureAsyncContext()
    return this.attempt(fiber, request, atFirst)
  }

  /** Computes now, stores and returns; joins a computation only if that has not begun yet. */
  forceRecalc<A, E, R>(request: MemoRequest<A, E, R>): Effect.Effect<A, E, R> {
    return Effect.flatMap(inTransaction, (inside) =>
      inside
        ? // The old value must not outlive this call. The new one is not stored, because the transaction may be rolled back.
          Effect.tap(this.alone.compute(request), () => this.invalidation.removeQuietly(request))
        : withFiber((fiber) => this.force(fiber, request))
    )
  }

  /** The value that is there, fresh or stale; never computes. An error is no value. */
  requireCache<A, E, R>(request: MemoRequest<A, E, R>): Effect.Effect<A, CacheError | NoCachedValue> {
    return Effect.flatMap(this.states.read(request), (result) =>
      result.found === undefined || result.found._tag === "Error"
        ? this.missed(request, Effect.fail(new NoCachedValue({ key: request.printed })))
        : this.serve(request, result.snapshot, result.state, Effect.succeed(result.found.value), 0)
    )
  }

  /** @param tries how often the call has read before: one that has waited was a miss, and is answered by another's computation */
  private serve<A, E, R, F = never>(
    request: MemoRequest<A, E, R>,
    snapshot: Snapshot,
    state: Servable,
    found: Effect.Effect<A, F>,
    tries: number
  ): Effect.Effect<A, F> {
    return withFiber((fiber) => {
      const stale = state._tag === "Stale"
      const counters = hitCounters(request.counters, snapshot)
      counters.countOn(fiber, tries > 0 ? "joined" : stale ? "staleHits" : "hits", request)
      return debugIsOn(fiber) ? Effect.zipRight(logAction(stale ? "STALE" : "HIT", request.printed), found) : found
    })
  }

  /** Counts and logs the miss, then runs what follows. */
  private missed<A, E, R, B, E2, R2>(
    request: MemoRequest<A, E, R>,
    then: Effect.Effect<B, E2, R2>
  ): Effect.Effect<B, E2, R2> {
    return withFiber((fiber) => {
      request.counters.countOn(fiber, "misses", request)
      return debugIsOn(fiber) ? Effect.zipRight(logAction("MISS", request.printed), then) : then
    })
  }

  private attempt<A, E, R>(
    fiber: CallingFiber,
    request: MemoRequest<A, E, R>,
    progress: Progress
  ): Effect.Effect<A, E, R> {
    const keys = keysOf(request.key, request.groups)
    // Who waits for another process asks below: a tier has no leases.
    const near = progress.tries === 0 ? this.reader.near(fiber, keys) : undefined
    if (near !== undefined) return this.found(fiber, request, snapshotOf(request.groups, near, true), progress)
    return this.reader.read(
      fiber,
      keys,
      (found) => this.found(fiber, request, snapshotOf(request.groups, found), progress),
      (error) => this.withoutStore.afterFailure(fiber, request, error, progress.tries === 0)
    )
  }

  private found<A, E, R>(
    fiber: CallingFiber,
    request: MemoRequest<A, E, R>,
    snapshot: Snapshot,
    progress: Progress
  ): Effect.Effect<A, E, R> {
    const hit = this.plainHit(fiber, request, snapshot, progress.tries)
    return hit === undefined
      ? Effect.flatMap(this.states.examine(request, snapshot), (result) =>
          this.answer(fiber, request, result, progress)
        )
      : Effect.succeed(hit.right)
  }

  private plainHit<A, E, R>(
    fiber: CallingFiber,
    request: MemoRequest<A, E, R>,
    snapshot: Snapshot,
    tries: number
  ): Either.Right<never, A> | undefined {
    if (request.policy.earlyRefresh !== 0) return undefined
    const hit = plainHit(fiber, snapshot, request.codec, request.counters, request, tries === 0 ? "hits" : "joined")
    if (hit !== undefined) this.reader.learn(snapshot.stored, request.codec, hit.right)
    return hit
  }

  /** Answers one of many requests that is no plain hit, from what they have read together. */
  answerFrom<A, E, R>(fiber: CallingFiber, request: MemoRequest<A, E, R>, snapshot: Snapshot): Effect.Effect<A, E, R> {
    return Effect.flatMap(this.states.examine(request, snapshot), (result) =>
      isInTransaction(fiber) ? this.serveOrCompute(request, result) : this.answer(fiber, request, result, atFirst)
    )
  }

  /** The same where their read has failed. */
  answerAfter<A, E, R>(fiber: CallingFiber, request: MemoRequest<A, E, R>, error: CacheError): Effect.Effect<A, E, R> {
    return Effect.suspend(() =>
      isInTransaction(fiber)
        ? this.computeAfter(request, error)
        : this.withoutStore.afterFailure(fiber, request, error, true)
    )
  }

  /** The value in what many requests have read together, fresh or stale. */
  requireFrom<A, E, R>(request: MemoRequest<A, E, R>, snapshot: Snapshot): Effect.Effect<Option.Option<A>> {
    return Effect.flatMap(this.states.examine(request, snapshot), (result) =>
      result.found === undefined || result.found._tag === "Error"
        ? this.missed(request, Effect.succeedNone)
        : Effect.asSome(this.serve(request, result.snapshot, result.state, Effect.succeed(result.found.value), 0))
    )
  }

  private answer<A, E, R>(
    fiber: CallingFiber,
    request: MemoRequest<A, E, R>,
    result: ReadResult<A, E>,
    progress: Progress
  ): Effect.Effect<A, E, R> {
    if (result.found !== undefined) {
      return result.found._tag === "Error"
        ? this.serve(request, result.snapshot, result.state, Effect.fail(result.found.error), progress.tries)
        : this.serveOrRefresh(fiber, request, result.snapshot, result.state, result.found.value, progress.tries)
    }
    const missing = this.miss(fiber, request, result.snapshot, result.state, progress)
    return progress.tries === 0 ? this.missed(request, missing) : missing
  }

  private serveOrRefresh<A, E, R>(
    fiber: CallingFiber,
    request: MemoRequest<A, E, R>,
    snapshot: Snapshot,
    state: Servable,
    value: A,
    tries: number
  ): Effect.Effect<A, E, R> {
    const serve = this.serve(request, snapshot, state, Effect.succeed(value), tries)
    return Effect.flatMap(this.isDue(request, state), (due) => {
      if (!due) return serve
      const { background, softTimeout, staleOnError } = request.policy
      request.previous = { value, isUnchanged: false }
      const refreshed = (outcome: Outcome<A, E>): Effect.Effect<A, E> => {
        if (outcome._tag !== "Done") return serve
        // `staleOnError` is about stale values of callers who recompute. A fresh value is served after a failure in any case.
        if (Exit.isFailure(outcome.exit) && (staleOnError || background || state._tag === "Fresh")) return serve
        return tries === 0 ? Effect.zipRight(request.counters.count("misses", request), outcome.exit) : outcome.exit
      }
      if (softTimeout === Number.POSITIVE_INFINITY || this.flights.doCallersRefresh(request.key)) {
        return Effect.flatMap(this.singleFlight.start(fiber, request, "refresh", snapshot), refreshed)
      }
      return Effect.flatMap(
        this.singleFlight.startInBackground<A, E, R>(fiber, request, "refresh", snapshot, softTimeout),
        (outcome) => (outcome === undefined ? serve : refreshed(outcome))
      )
    })
  }

  /** Whether this caller should try to recompute a value that may still be served. */
  private isDue<A, E, R>(request: MemoRequest<A, E, R>, state: Servable): Effect.Effect<boolean> {
    if (state.lease !== undefined || this.flights.acquiring(request.key) !== undefined) return Effect.succeed(false)
    // Where the store takes no lease, somebody may recompute it all the same.
    if (state._tag === "Stale") return Effect.succeed(this.flights.withoutLease(request.key) === undefined)
    const beta = request.policy.earlyRefresh
    if (beta === 0) return Effect.succeed(false)
    return Effect.zipWith(now, Random.next, (time, random) => refreshesEarly(state.value, time, beta, random))
  }

  private miss<A, E, R>(
    fiber: CallingFiber,
    request: MemoRequest<A, E, R>,
    snapshot: Snapshot,
    state: Unservable,
    progress: Progress
  ): Effect.Effect<A, E, R> {
    const time = nowMillis(fiber)
    const { lost, tries } = progress
    // A lease that ran out is no sign that there is nothing to store: its process was killed or frozen.
    const awaited = progress.awaited !== undefined && time < progress.awaited.until ? progress.awaited.id : undefined
    const ended = awaited !== undefined && saysEnded(snapshot.stored, awaited, time) ? awaited : undefined
    const again = (delay: number, next: Partial<Progress>) =>
      Effect.zipRight(
        request.companion?.again(delay) ?? (delay === 0 ? Effect.void : Effect.sleep(delay)),
        Effect.suspend(() => this.attempt(fiber, request, { ...progress, ...next, tries: tries + 1 }))
      )
    const settle = (outcome: Outcome<A, E>): Effect.Effect<A, E, R> => {
      if (outcome._tag === "Done") return outcome.exit
      if (outcome._tag === "RunsWithoutLease") return this.withoutStore.share(fiber, request)
      const next = { lost: state._tag === "Gone" ? lost + 1 : 0 }
      return tries === 0 || ended !== undefined
        ? again(0, next)
        : Effect.flatMap(pollDelay(tries), (delay) => again(delay, next))
    }
    if (state._tag === "Leased") {
      const flight = this.flights.computing(state.lease.id)
      if (flight !== undefined) return Effect.flatMap(this.singleFlight.join(request, flight), settle)
      // The lease is of this layer and its computation has ended: it has stored the value meanwhile, or has failed to. This
      // caller tries to lease the key; if the value is there, the compare-and-set fails and it reads again.
      if (!this.flights.hasEnded(state.lease.id)) {
        return ended === undefined
          ? this.awaitOther(fiber, request, state.lease, progress, again)
          : Effect.flatMap(this.withoutLease(fiber, request, ended), settle)
      }
    } else if (lost >= mostLost) return this.withoutStore.start(fiber, request)
    if (awaited !== undefined && snapshot.stored === undefined && !progress.vanished) {
      return again(untilTombstone, { vanished: true })
    }
    const flight = this.flights.acquiring(request.key)
    return Effect.flatMap(
      flight === undefined
        ? this.singleFlight.start(fiber, request, "miss", snapshot, endedWithoutValue(snapshot.stored?.entry, time))
        : this.singleFlight.join(request, flight),
      settle
    )
  }

  /**
   * Who waited for another process's lease that ended without a value computes at once, in one flight a process: it acquires the
   * lease if that is free, else it computes without one and stores nothing. So nobody waits for more than one such computation.
   */
  private withoutLease<A, E, R>(
    fiber: CallingFiber,
    request: MemoRequest<A, E, R>,
    ended: string
  ): Effect.Effect<Outcome<A, E>, never, R> {
    const flight = this.flights.after(ended)
    return flight === undefined
      ? this.singleFlight.start(fiber, request, "withoutLease", undefined, ended)
      : this.singleFlight.join(request, flight)
  }

  /** Another process computes: polls until its value is there or its lease ends. */
  private awaitOther<A, E, R>(
    fiber: CallingFiber,
    request: MemoRequest<A, E, R>,
    lease: Lease,
    { tries, waited }: Progress,
    again: (delay: number, next: Partial<Progress>) => Effect.Effect<A, E, R>
  ): Effect.Effect<A, E, R> {
    return Effect.suspend(() => {
      // Two computations in two processes may need each other's result. Both leases are renewed, so both would wait for ever.
      // After a lease's length this caller computes the other key itself: if there is a cycle, that computation meets its own key
      // and fails. It joins no flight without a lease, which might be older than another process's invalidation.
      const { lease: length, maxLease } = request.policy
      if (waited > (currentFlight.of(fiber) === undefined ? mostWaits * maxLease : length)) {
        return this.withoutStore.start(fiber, request)
      }
      return Effect.flatMap(Effect.zip(now, pollDelay(tries)), ([time, polling]) => {
        const delay = Math.min(polling, Math.max(1, lease.until - time))
        return again(delay, { waited: waited + delay, awaited: lease, vanished: false, lost: 0 })
      })
    })
  }

  private force<A, E, R>(fiber: CallingFiber, request: MemoRequest<A, E, R>): Effect.Effect<A, E, R> {
    return Effect.suspend(() => {
      const flight = this.flights.acquiring(request.key)
      if (flight !== undefined) flight.forced = true
      return Effect.flatMap(
        flight === undefined
          ? this.singleFlight.start(fiber, request, "force")
          : this.singleFlight.join(request, flight),
        (outcome) => (outcome._tag === "Done" ? outcome.exit : this.force(fiber, request))
      )
    })
  }

  private withinTransaction<A, E, R>(request: MemoRequest<A, E, R>): Effect.Effect<A, E, R> {
    return Effect.matchEffect(this.states.read(request), {
      onFailure: (error) => this.computeAfter(request, error),
      onSuccess: (result) => this.serveOrCompute(request, result)
    })
  }

  private serveOrCompute<A, E, R>(request: MemoRequest<A, E, R>, result: ReadResult<A, E>): Effect.Effect<A, E, R> {
    return result.found === undefined
      ? this.missed(request, this.alone.compute(request))
      : this.serve(
          request,
          result.snapshot,
          result.state,
          result.found._tag === "Value" ? Effect.succeed(result.found.value) : Effect.fail(result.found.error),
          0
        )
  }

  private computeAfter<A, E, R>(request: MemoRequest<A, E, R>, error: CacheError): Effect.Effect<A, E, R> {
    return Effect.zipRight(
      storeFailed(request, unavailable, request.printed, error),
      this.missed(request, this.alone.compute(request))
    )
  }
}
