/**
 * Reads through the cache: serves what is fresh, lets one caller of all processes compute what is not, and gives every
 * other caller the best it can have meanwhile. The decisions are `mint.ts`, the bookkeeping of this process `flights.ts`.
 */
import { Effect, Either, Exit, type Fiber, Random } from "effect"
import { type CacheError, NoCachedValue } from "../../CacheError.js"
import type { Found, Lease, StoredEntry } from "../../CacheStore.js"
import { now, type Records, type Snapshot } from "../entries/EntryReader.js"
import {
  isFresh,
  judge,
  madeUnder,
  refreshesEarly,
  type Servable,
  type Unservable,
  withoutValue
} from "../entries/entryState.js"
import { debugIsOn, isTold, logAction, logFailure, nowMillis } from "../runtime/instruments.js"
import { inTransaction, isInTransaction } from "../runtime/transaction.js"
import type { Reader } from "../stores/asking.js"
import type { Computations } from "./computation.js"
import { currentFlight, type Flights, type Outcome } from "./Flights.js"
import type { MemoRequest } from "./request.js"

/** What a read found: a value that may be served, or nothing of the kind. */
type Seen<A> =
  | { readonly snapshot: Snapshot; readonly verdict: Servable; readonly found: { readonly value: A } }
  | { readonly snapshot: Snapshot; readonly verdict: Unservable; readonly found: undefined }

type AnyFiber = Fiber.RuntimeFiber<unknown, unknown>

const firstPoll = 2
const longestPoll = 100

/** A class for the reason that `Waiter` in gather.ts is one. */
class Attempt<A, E, R> implements Reader<Found<StoredEntry>, A, E, R> {
  constructor(
    private readonly memoizer: Memoizer,
    private readonly fiber: AnyFiber,
    private readonly request: MemoRequest<A, E, R>,
    private readonly tries: number,
    private readonly waited: number
  ) {}

  found(records: Found<StoredEntry>): Effect.Effect<A, E, R> {
    return this.memoizer.found(records, this.fiber, this.request, this.tries, this.waited)
  }

  failed(error: CacheError): Effect.Effect<A, E, R> {
    return this.memoizer.withoutStore(this.fiber, this.request, error)
  }
}

export class Memoizer {
  constructor(
    private readonly records: Records,
    private readonly flights: Flights,
    private readonly computations: Computations
  ) {}

  private readonly holdsHere = (leaseId: string): boolean | undefined => this.flights.holds(leaseId)

  /** The value, from the cache or computed. */
  lookup<A, E, R>(fiber: AnyFiber, request: MemoRequest<A, E, R>): Effect.Effect<A, E, R> {
    return isInTransaction(fiber) ? this.withinTransaction(request) : this.attempt(fiber, request, 0, 0)
  }

  /** Computes now, stores and returns; takes part in a computation only if that has not begun yet. */
  forceRecalc<A, E, R>(request: MemoRequest<A, E, R>): Effect.Effect<A, E, R> {
    return Effect.flatMap(inTransaction, (inside) =>
      inside
        ? // What was there must not outlive this; what is computed here may never be committed.
          Effect.tap(this.computations.alone(request), () => this.removeQuietly(request))
        : Effect.withFiberRuntime<A, E, R>((fiber) => this.force(fiber, request))
    )
  }

  /** The value that is there, fresh or stale; never computes. */
  requireCache<A, E, R>(request: MemoRequest<A, E, R>): Effect.Effect<A, CacheError | NoCachedValue> {
    return Effect.flatMap(this.see(request), (seen) =>
      seen.found === undefined
        ? Effect.zipRight(this.missed(request), Effect.fail(new NoCachedValue({ key: request.printed })))
        : this.serve(request, seen.verdict, seen.found.value)
    )
  }

  private serve<A, E, R>(request: MemoRequest<A, E, R>, verdict: Servable, value: A): Effect.Effect<A> {
    return Effect.withFiberRuntime((fiber) => {
      const stale = verdict._tag === "Stale"
      request.meters.unsafeCount(fiber, stale ? "staleHits" : "hits")
      return debugIsOn(fiber)
        ? Effect.as(logAction(stale ? "STALE" : "HIT", request.printed), value)
        : Effect.succeed(value)
    })
  }

  private missed<A, E, R>(request: MemoRequest<A, E, R>): Effect.Effect<void> {
    return Effect.zipRight(request.meters.count("misses"), logAction("MISS", request.printed))
  }

  private see<A, E, R>(request: MemoRequest<A, E, R>): Effect.Effect<Seen<A>, CacheError> {
    return Effect.flatMap(this.records.read(request.key, request.groups), (snapshot) => this.examine(request, snapshot))
  }

  /** Judges and decodes; what can't be decoded is a miss that can be overwritten. */
  private examine<A, E, R>(request: MemoRequest<A, E, R>, snapshot: Snapshot): Effect.Effect<Seen<A>> {
    return Effect.withFiberRuntime<Seen<A>>((fiber) => {
      const { stored, versions } = snapshot
      const verdict = judge(stored?.entry, versions, nowMillis(fiber), this.holdsHere)
      if (verdict._tag === "Leased" || verdict._tag === "Gone") {
        if (stored !== undefined && stored.entry === undefined) request.meters.unsafeCount(fiber, "undecodable")
        return Effect.succeed({ snapshot, verdict, found: undefined })
      }
      return Effect.matchEffect(request.codec.decode(verdict.value.payload), {
        onSuccess: (value) => Effect.succeed({ snapshot, verdict, found: { value } }),
        onFailure: () => {
          request.meters.unsafeCount(fiber, "undecodable")
          return Effect.succeed({ snapshot, verdict: withoutValue(verdict.lease), found: undefined })
        }
      })
    })
  }

  private attempt<A, E, R>(
    fiber: AnyFiber,
    request: MemoRequest<A, E, R>,
    tries: number,
    waited: number
  ): Effect.Effect<A, E, R> {
    const { groups, key } = request
    const keys = groups.length === 0 ? [key] : [key, ...groups]
    return this.records.reading(fiber, keys, new Attempt(this, fiber, request, tries, waited))
  }

  /** What an attempt makes of the records that it read. */
  found<A, E, R>(
    records: ReadonlyArray<StoredEntry | undefined>,
    fiber: AnyFiber,
    request: MemoRequest<A, E, R>,
    tries: number,
    waited: number
  ): Effect.Effect<A, E, R> {
    const snapshot = this.records.snapshot(request.groups, records)
    const hit = this.plainHit(request, snapshot, fiber)
    return hit === undefined
      ? Effect.flatMap(this.examine(request, snapshot), (seen) => this.answer(fiber, request, seen, tries, waited))
      : Effect.succeed(hit.right)
  }

  /** A fresh value that decodes at once and is nobody's to recompute: by far the most usual answer, without a detour. */
  private plainHit<A, E, R>(
    request: MemoRequest<A, E, R>,
    { stored, versions }: Snapshot,
    fiber: AnyFiber
  ): Either.Right<unknown, A> | undefined {
    const entry = stored?.entry
    const value = entry?.value
    if (entry === undefined || value === undefined || versions === undefined) return undefined
    if (request.policy.earlyRefresh !== 0 || debugIsOn(fiber)) return undefined
    if (!isFresh(value, nowMillis(fiber)) || !madeUnder(entry, versions)) return undefined
    const decoded = request.codec.decode(value.payload)
    if (!Either.isEither(decoded) || Either.isLeft(decoded)) return undefined
    request.meters.unsafeCount(fiber, "hits")
    // `isEither` forgets the type of what it looks at.
    return decoded as Either.Right<unknown, A>
  }

  private answer<A, E, R>(
    fiber: AnyFiber,
    request: MemoRequest<A, E, R>,
    seen: Seen<A>,
    tries: number,
    waited: number
  ): Effect.Effect<A, E, R> {
    if (seen.found !== undefined)
      return this.serveOrRefresh(fiber, request, seen.snapshot, seen.verdict, seen.found.value)
    const missing = this.miss(fiber, request, seen.snapshot, seen.verdict, tries, waited)
    return tries === 0 ? Effect.zipRight(this.missed(request), missing) : missing
  }

  private serveOrRefresh<A, E, R>(
    fiber: AnyFiber,
    request: MemoRequest<A, E, R>,
    snapshot: Snapshot,
    verdict: Servable,
    value: A
  ): Effect.Effect<A, E, R> {
    return Effect.flatMap(this.isDue(request, verdict), (due) => {
      if (!due) return this.serve(request, verdict, value)
      if (request.policy.background) {
        return Effect.zipRight(
          this.computations.flyBehind(fiber, request, "refresh", snapshot),
          this.serve(request, verdict, value)
        )
      }
      return Effect.flatMap(this.computations.fly(fiber, request, "refresh", snapshot), (outcome) => {
        if (outcome._tag === "Lost") return this.serve(request, verdict, value)
        // What is fresh needs no leave to be served.
        return Exit.isFailure(outcome.exit) && (request.policy.staleOnError || verdict._tag === "Fresh")
          ? this.serve(request, verdict, value)
          : outcome.exit
      })
    })
  }

  /** Whether this caller should try to lease a key whose value it could also just take. */
  private isDue<A, E, R>(request: MemoRequest<A, E, R>, verdict: Servable): Effect.Effect<boolean> {
    if (verdict.lease !== undefined || this.flights.acquiring(request.key) !== undefined) return Effect.succeed(false)
    if (verdict._tag === "Stale") return Effect.succeed(true)
    const beta = request.policy.earlyRefresh
    if (beta === 0) return Effect.succeed(false)
    return Effect.zipWith(now, Random.next, (time, random) => refreshesEarly(verdict.value, time, beta, random))
  }

  private miss<A, E, R>(
    fiber: AnyFiber,
    request: MemoRequest<A, E, R>,
    snapshot: Snapshot,
    verdict: Unservable,
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
      return tries === 0 ? again(0) : Effect.flatMap(this.backOff(tries), again)
    }
    if (verdict._tag === "Leased") {
      const flight = this.flights.computing(verdict.lease.id)
      if (flight !== undefined) return Effect.flatMap(this.computations.join(request, flight), settle)
      // One of this layer's that has ended is published by now, or its end was lost on the way: free to be leased.
      if (!this.flights.hasEnded(verdict.lease.id)) {
        return this.awaitForeign(fiber, request, verdict.lease, tries, waited, again)
      }
    }
    const flight = this.flights.acquiring(request.key)
    return Effect.flatMap(
      flight === undefined
        ? this.computations.fly(fiber, request, "miss", snapshot)
        : this.computations.join(request, flight),
      settle
    )
  }

  /** Another process computes: ask again and again until its value is there or its lease ends. */
  private awaitForeign<A, E, R>(
    fiber: AnyFiber,
    request: MemoRequest<A, E, R>,
    lease: Lease,
    tries: number,
    waited: number,
    again: (delay: number) => Effect.Effect<A, E, R>
  ): Effect.Effect<A, E, R> {
    return Effect.suspend(() => {
      // A computation that needs another's, which needs ours, would wait for ever with both leases being renewed. Only
      // the computation itself can find that out: computed here, it meets its own key.
      // And it joins no flight, which without a lease might be older than an invalidation elsewhere.
      if (fiber.getFiberRef(currentFlight) !== undefined && waited > request.policy.lease) {
        return this.startApart(fiber, request)
      }
      return Effect.flatMap(Effect.zip(now, this.backOff(tries)), ([time, delay]) =>
        again(Math.min(delay, Math.max(1, lease.until - time)))
      )
    })
  }

  private removeQuietly<A, E, R>(request: MemoRequest<A, E, R>): Effect.Effect<void> {
    return Effect.catchAll(Effect.asVoid(this.records.store.remove([request.key])), (error) =>
      Effect.zipRight(
        request.meters.count("storeErrors"),
        logFailure(`Cache failed removing ${request.printed}`, error)
      )
    )
  }

  private backOff(tries: number): Effect.Effect<number> {
    const ceiling = Math.min(longestPoll, firstPoll * 2 ** Math.min(tries, 10))
    return Effect.map(Random.next, (random) => Math.max(1, Math.round(ceiling * (0.5 + random / 2))))
  }

  private force<A, E, R>(fiber: AnyFiber, request: MemoRequest<A, E, R>): Effect.Effect<A, E, R> {
    return Effect.suspend(() => {
      const flight = this.flights.acquiring(request.key)
      if (flight !== undefined) flight.forced = true
      return Effect.flatMap(
        flight === undefined ? this.computations.fly(fiber, request, "force") : this.computations.join(request, flight),
        (outcome) => (outcome._tag === "Done" ? outcome.exit : this.force(fiber, request))
      )
    })
  }

  withoutStore<A, E, R>(fiber: AnyFiber, request: MemoRequest<A, E, R>, error: CacheError): Effect.Effect<A, E, R> {
    request.meters.unsafeCount(fiber, "storeErrors")
    request.meters.unsafeCount(fiber, "misses")
    const computing = Effect.suspend(() => this.apart(fiber, request))
    return isTold(fiber, error)
      ? this.apart(fiber, request)
      : Effect.zipRight(logFailure(`Cache unavailable, computing ${request.printed} without it`, error), computing)
  }

  /** Computes without a lease, once for all callers of this process. */
  private apart<A, E, R>(fiber: AnyFiber, request: MemoRequest<A, E, R>): Effect.Effect<A, E, R> {
    const flight = this.flights.withoutLease(request.key)
    if (flight === undefined) return this.startApart(fiber, request)
    return Effect.flatMap(this.computations.join(request, flight), (outcome) =>
      outcome._tag === "Done" ? outcome.exit : this.apart(fiber, request)
    )
  }

  private startApart<A, E, R>(fiber: AnyFiber, request: MemoRequest<A, E, R>): Effect.Effect<A, E, R> {
    return Effect.flatMap(this.computations.fly(fiber, request, "apart"), (outcome) =>
      outcome._tag === "Done" ? outcome.exit : this.apart(fiber, request)
    )
  }

  private withinTransaction<A, E, R>(request: MemoRequest<A, E, R>): Effect.Effect<A, E, R> {
    return Effect.matchEffect(this.see(request), {
      onFailure: (error) =>
        Effect.zipRight(
          Effect.zipRight(
            request.meters.count("storeErrors"),
            logFailure(`Cache unavailable, computing ${request.printed} without it`, error)
          ),
          this.computations.alone(request)
        ),
      onSuccess: (seen) =>
        seen.found === undefined
          ? Effect.zipRight(this.missed(request), this.computations.alone(request))
          : this.serve(request, seen.verdict, seen.found.value)
    })
  }
}
