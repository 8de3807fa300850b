/**
 * Reads through the cache: serves what is fresh, lets one caller of all processes compute what is not, and gives every other
 * caller the best it can have meanwhile. What an entry means is decided by `entryState.ts`, who may join whom by `Flights.ts`.
 */
import { Effect, Exit, Random } from "effect"
import { type CacheError, NoCachedValue } from "../../CacheError.js"
import type { Lease, StoredEntry } from "../../CacheStore.js"
import { type EntryReader, keysOf, plainHit, type Snapshot, snapshotOf } from "../entries/EntryReader.js"
import { refreshesEarly, type Servable, stateOf, type Unservable, withoutValue } from "../entries/entryState.js"
import { alreadyReported, logFailure, storeFailed } from "../outages/storeFailure.js"
import { type CallingFiber, debugIsOn, now, nowMillis, withFiber } from "../runtime/fiber.js"
import { logAction } from "../runtime/logs.js"
import { inTransaction, isInTransaction } from "../runtime/transaction.js"
import type { Found } from "../stores/Store.js"
import { currentFlight, type Outcome } from "./Flight.js"
import type { Flights } from "./Flights.js"
import type { Invalidation } from "./invalidation.js"
import type { MemoRequest } from "./request.js"
import type { SingleFlight } from "./SingleFlight.js"

/** What a read found: a value that may be served, or nothing of the kind. */
type Seen<A> =
  | { readonly snapshot: Snapshot; readonly state: Servable; readonly found: { readonly value: A } }
  | { readonly snapshot: Snapshot; readonly state: Unservable; readonly found: undefined }

/** Milliseconds between two looks at a key that another process computes. */
const firstPoll = 2
const longestPoll = 100

const pollDelay = (tries: number): Effect.Effect<number> => {
  const ceiling = Math.min(longestPoll, firstPoll * 2 ** Math.min(tries, 10))
  return Effect.map(Random.next, (random) => Math.max(1, Math.round(ceiling * (0.5 + random / 2))))
}

export class ReadThrough {
  constructor(
    private readonly reader: EntryReader,
    private readonly flights: Flights,
    private readonly singleFlight: SingleFlight,
    private readonly invalidation: Invalidation
  ) {}

  private readonly heldHere = (leaseId: string): boolean | undefined => this.flights.holds(leaseId)

  /** The value, from the cache or computed. */
  lookup<A, E, R>(fiber: CallingFiber, request: MemoRequest<A, E, R>): Effect.Effect<A, E, R> {
    return isInTransaction(fiber) ? this.withinTransaction(request) : this.attempt(fiber, request, 0, 0)
  }

  /** Computes now, stores and returns; joins a computation only if that has not begun yet. */
  forceRecalc<A, E, R>(request: MemoRequest<A, E, R>): Effect.Effect<A, E, R> {
    return Effect.flatMap(inTransaction, (inside) =>
      inside
        ? // What was there must not outlive this; what is computed here may never be committed.
          Effect.tap(this.singleFlight.alone(request), () => this.invalidation.removeQuietly(request))
        : withFiber((fiber) => this.force(fiber, request))
    )
  }

  /** The value that is there, fresh or stale; never computes. */
  requireCache<A, E, R>(request: MemoRequest<A, E, R>): Effect.Effect<A, CacheError | NoCachedValue> {
    return Effect.flatMap(this.see(request), (seen) =>
      seen.found === undefined
        ? this.missed(request, Effect.fail(new NoCachedValue({ key: request.printed })))
        : this.serve(request, seen.state, seen.found.value)
    )
  }

  private serve<A, E, R>(request: MemoRequest<A, E, R>, state: Servable, value: A): Effect.Effect<A> {
    return withFiber((fiber) => {
      const stale = state._tag === "Stale"
      request.counters.countOn(fiber, stale ? "staleHits" : "hits")
      return debugIsOn(fiber)
        ? Effect.as(logAction(stale ? "STALE" : "HIT", request.printed), value)
        : Effect.succeed(value)
    })
  }

  /** Counts the miss; what follows is run in any case. */
  private missed<A, E, R, B, E2, R2>(
    request: MemoRequest<A, E, R>,
    then: Effect.Effect<B, E2, R2>
  ): Effect.Effect<B, E2, R2> {
    return withFiber((fiber) => {
      request.counters.countOn(fiber, "misses")
      return debugIsOn(fiber) ? Effect.zipRight(logAction("MISS", request.printed), then) : then
    })
  }

  private see<A, E, R>(request: MemoRequest<A, E, R>): Effect.Effect<Seen<A>, CacheError> {
    return Effect.flatMap(this.reader.snapshot(request.key, request.groups), (snapshot) =>
      this.examine(request, snapshot)
    )
  }

  /** The entry's state, and its value decoded; what can't be decoded is a miss that can be overwritten. */
  private examine<A, E, R>(request: MemoRequest<A, E, R>, snapshot: Snapshot): Effect.Effect<Seen<A>> {
    return withFiber<Seen<A>>((fiber) => {
      const { stored, versions } = snapshot
      const state = stateOf(stored?.entry, versions, nowMillis(fiber), this.heldHere)
      if (state._tag === "Leased" || state._tag === "Gone") {
        if (stored !== undefined && stored.entry === undefined) request.counters.countOn(fiber, "undecodable")
        return Effect.succeed({ snapshot, state, found: undefined })
      }
      return Effect.matchEffect(request.codec.decode(state.value.payload), {
        onSuccess: (value) => Effect.succeed({ snapshot, state, found: { value } }),
        onFailure: () => {
          request.counters.countOn(fiber, "undecodable")
          return Effect.succeed({ snapshot, state: withoutValue(state.lease), found: undefined })
        }
      })
    })
  }

  /**
   * @param tries how often the key was read before
   * @param waited milliseconds, for another process
   */
  private attempt<A, E, R>(
    fiber: CallingFiber,
    request: MemoRequest<A, E, R>,
    tries: number,
    waited: number
  ): Effect.Effect<A, E, R> {
    return this.reader.read(
      fiber,
      keysOf(request.key, request.groups),
      (found) => this.found(fiber, request, found, tries, waited),
      (error) => this.withoutStore(fiber, request, error)
    )
  }

  private found<A, E, R>(
    fiber: CallingFiber,
    request: MemoRequest<A, E, R>,
    found: Found<StoredEntry>,
    tries: number,
    waited: number
  ): Effect.Effect<A, E, R> {
    const snapshot = snapshotOf(request.groups, found)
    const hit =
      request.policy.earlyRefresh === 0 ? plainHit(fiber, snapshot, request.codec, request.counters) : undefined
    return hit === undefined
      ? Effect.flatMap(this.examine(request, snapshot), (seen) => this.answer(fiber, request, seen, tries, waited))
      : Effect.succeed(hit.right)
  }

  private answer<A, E, R>(
    fiber: CallingFiber,
    request: MemoRequest<A, E, R>,
    seen: Seen<A>,
    tries: number,
    waited: number
  ): Effect.Effect<A, E, R> {
    if (seen.found !== undefined)
      return this.serveOrRefresh(fiber, request, seen.snapshot, seen.state, seen.found.value)
    const missing = this.miss(fiber, request, seen.snapshot, seen.state, tries, waited)
    return tries === 0 ? this.missed(request, missing) : missing
  }

  private serveOrRefresh<A, E, R>(
    fiber: CallingFiber,
    request: MemoRequest<A, E, R>,
    snapshot: Snapshot,
    state: Servable,
    value: A
  ): Effect.Effect<A, E, R> {
    return Effect.flatMap(this.isDue(request, state), (due) => {
      if (!due) return this.serve(request, state, value)
      if (request.policy.background) {
        return Effect.zipRight(
          this.singleFlight.startBehind(fiber, request, "refresh", snapshot),
          this.serve(request, state, value)
        )
      }
      return Effect.flatMap(this.singleFlight.start(fiber, request, "refresh", snapshot), (outcome) => {
        if (outcome._tag === "Lost") return this.serve(request, state, value)
        // `staleOnError` is about stale values: a fresh one is served after a failure in any case.
        return Exit.isFailure(outcome.exit) && (request.policy.staleOnError || state._tag === "Fresh")
          ? this.serve(request, state, value)
          : outcome.exit
      })
    })
  }

  /** Whether this caller should try to lease a key whose value it could also just take. */
  private isDue<A, E, R>(request: MemoRequest<A, E, R>, state: Servable): Effect.Effect<boolean> {
    if (state.lease !== undefined || this.flights.acquiring(request.key) !== undefined) return Effect.succeed(false)
    if (state._tag === "Stale") return Effect.succeed(true)
    const beta = request.policy.earlyRefresh
    if (beta === 0) return Effect.succeed(false)
    return Effect.zipWith(now, Random.next, (time, random) => refreshesEarly(state.value, time, beta, random))
  }

  private miss<A, E, R>(
    fiber: CallingFiber,
    request: MemoRequest<A, E, R>,
    snapshot: Snapshot,
    state: Unservable,
    tries: number,
    waited: number
  ): Effect.Effect<A, E, R> {
    const again = (delay: number) =>
      Effect.zipRight(
        delay === 0 ? Effect.void : Effect.sleep(delay),
        Effect.suspend(() => this.attempt(fiber, request, tries + 1, waited + delay))
      )
    const settle = (outcome: Outcome<A, E>): Effect.Effect<A, E, R> => {
      if (outcome._tag === "Done") return outcome.exit
      return tries === 0 ? again(0) : Effect.flatMap(pollDelay(tries), again)
    }
    if (state._tag === "Leased") {
      const flight = this.flights.computing(state.lease.id)
      if (flight !== undefined) return Effect.flatMap(this.singleFlight.join(request, flight), settle)
      // One of this layer's that has ended is published by now, or its end was lost on the way: free to be leased.
      if (!this.flights.hasEnded(state.lease.id)) {
        return this.awaitOther(fiber, request, state.lease, tries, waited, again)
      }
    }
    const flight = this.flights.acquiring(request.key)
    return Effect.flatMap(
      flight === undefined
        ? this.singleFlight.start(fiber, request, "miss", snapshot)
        : this.singleFlight.join(request, flight),
      settle
    )
  }

  /** Another process computes: reads again and again until its value is there or its lease ends. */
  private awaitOther<A, E, R>(
    fiber: CallingFiber,
    request: MemoRequest<A, E, R>,
    lease: Lease,
    tries: number,
    waited: number,
    again: (delay: number) => Effect.Effect<A, E, R>
  ): Effect.Effect<A, E, R> {
    return Effect.suspend(() => {
      // A computation that needs another's, which needs ours, would wait for ever with both leases being renewed. Only
      // the computation itself can find that out: computed here, it meets its own key.
      // And it joins no flight: without a lease that might be older than an invalidation elsewhere.
      if (currentFlight.of(fiber) !== undefined && waited > request.policy.lease) {
        return this.startWithoutStore(fiber, request)
      }
      return Effect.flatMap(Effect.zip(now, pollDelay(tries)), ([time, delay]) =>
        again(Math.min(delay, Math.max(1, lease.until - time)))
      )
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

  /** The store's failure is a miss that can't be stored. */
  private withoutStore<A, E, R>(
    fiber: CallingFiber,
    request: MemoRequest<A, E, R>,
    error: CacheError
  ): Effect.Effect<A, E, R> {
    request.counters.countOn(fiber, "storeErrors")
    request.counters.countOn(fiber, "misses")
    const computing = Effect.suspend(() => this.computeWithoutStore(fiber, request))
    return alreadyReported(fiber, error)
      ? computing
      : Effect.zipRight(logFailure(unavailable(request), error), computing)
  }

  /** Computes without a lease, once for all callers of this process. */
  private computeWithoutStore<A, E, R>(fiber: CallingFiber, request: MemoRequest<A, E, R>): Effect.Effect<A, E, R> {
    const flight = this.flights.withoutLease(request.key)
    if (flight === undefined) return this.startWithoutStore(fiber, request)
    return Effect.flatMap(this.singleFlight.join(request, flight), (outcome) =>
      outcome._tag === "Done" ? outcome.exit : this.computeWithoutStore(fiber, request)
    )
  }

  private startWithoutStore<A, E, R>(fiber: CallingFiber, request: MemoRequest<A, E, R>): Effect.Effect<A, E, R> {
    return Effect.flatMap(this.singleFlight.start(fiber, request, "withoutStore"), (outcome) =>
      outcome._tag === "Done" ? outcome.exit : this.computeWithoutStore(fiber, request)
    )
  }

  private withinTransaction<A, E, R>(request: MemoRequest<A, E, R>): Effect.Effect<A, E, R> {
    return Effect.matchEffect(this.see(request), {
      onFailure: (error) =>
        Effect.zipRight(storeFailed(request.counters, unavailable(request), error), this.singleFlight.alone(request)),
      onSuccess: (seen) =>
        seen.found === undefined
          ? this.missed(request, this.singleFlight.alone(request))
          : this.serve(request, seen.state, seen.found.value)
    })
  }
}

const unavailable = <A, E, R>(request: MemoRequest<A, E, R>): string =>
  `Cache unavailable, computing ${request.printed} without it`
