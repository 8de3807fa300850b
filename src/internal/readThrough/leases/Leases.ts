/**
 * Writes the lease of one computation to the store: acquires it, renews it, and ends it with a value or without. Each write is
 * a compare-and-set over the one before it. So a lost lease is noticed, and nothing of another writer is overwritten.
 * `Computation.ts` decides when to renew.
 */
import { Cause, Effect, Either, Option, Random } from "effect"
import type { CacheError } from "../../../CacheError.js"
import type { Entry, StoredEntry, Token } from "../../../CacheStore.js"
import { type Attempts, maxAttempts, neverReplaced, nextAttempt, noAttempts } from "../../entries/attempts.js"
import {
  CapturedVersions,
  leastRest,
  lifeFor,
  lifeWhileLeased,
  type VersionLife
} from "../../entries/CapturedVersions.js"
import type { EntryReader, Snapshot } from "../../entries/EntryReader.js"
import { leasedEntry, lifespan, stateOf, tombstone, valueEntry } from "../../entries/entryState.js"
import { overwrite } from "../../entries/overwrite.js"
import { isOutage } from "../../outages/outage.js"
import { notStored, storeFailed } from "../../outages/storeFailure.js"
import { now, nowMillis, withFiber } from "../../runtime/fiber.js"
import { logAction } from "../../telemetry/logs.js"
import { isFailure } from "../../values/failure.js"
import type { Flight } from "../flights/Flight.js"
import type { Flights } from "../flights/Flights.js"
import type { MemoRequest, Policy } from "../request.js"

/** A lease that this flight has in the store. Each write of it changes the token. Without a token the lease is lost. */
export interface OwnLease {
  token: Token | undefined
  entry: Entry
  /** When it was acquired. */
  readonly since: number
  readonly captured: CapturedVersions
}

export type Acquired =
  | { readonly _tag: "Acquired"; readonly lease: OwnLease }
  /** The store can't be reached: the flight computes without a lease. */
  | { readonly _tag: "WithoutStore"; readonly lease: undefined }
  /** Another caller got it first. */
  | { readonly _tag: "Lost" }

/** What a computation came to, and how long that is kept. */
interface Storable {
  /** Milliseconds, as all of these. */
  readonly ttl: number
  readonly stale: number
  readonly computeMillis: number
  readonly payload: Effect.Effect<unknown, CacheError>
}

const withoutStore: Acquired = { _tag: "WithoutStore", lease: undefined }
const lost: Acquired = { _tag: "Lost" }

const noJitter: Effect.Effect<number> = Effect.succeed(0)

const jitterOf = <A>({ jitter }: Policy<A>): Effect.Effect<number> => (jitter === 0 ? noJitter : Random.next)

export class Leases {
  constructor(
    private readonly reader: EntryReader,
    private readonly flights: Flights
  ) {}

  /**
   * Acquires the exclusive right to compute, together with the versions that the groups have before it.
   *
   * @param keepsValue whether the value that is there stays, to be served meanwhile
   * @param insists whether to try until it is acquired, whoever else has the lease
   * @param known what the caller has just read; it is read here if absent
   * @param before the attempts that failed
   */
  acquire<A, E, R>(
    request: MemoRequest<A, E, R>,
    flight: Flight,
    keepsValue: boolean,
    insists: boolean,
    known: Snapshot | undefined,
    before: Attempts = noAttempts
  ): Effect.Effect<Acquired> {
    const snapshot = known === undefined ? this.reader.snapshot(request.key, request.groups) : Effect.succeed(known)
    const { groups, policy } = request
    const { store } = this.reader
    const life = lifeWhileLeased(policy.lease)
    const attempt = Effect.flatMap(Effect.zip(snapshot, now), ([{ found, shared, stored }, read]) => {
      const captured = CapturedVersions.from(store, groups, found, 1, read + leastRest(life), shared)
      if (captured !== undefined)
        return this.acquireOver(request, flight, keepsValue, insists, stored, captured, before)
      const created = CapturedVersions.create(store, groups, found, 1, life, shared)
      return Effect.flatMap(Effect.zip(created, now), ([versions, time]) =>
        // The read met two moments, as one of several servers can: first the group without a version, then an entry that was
        // made under the version which another process has created in between. That entry counts.
        !insists && stateOf(stored?.entry, versions.versions, time)._tag !== "Gone"
          ? Effect.succeed(lost)
          : this.acquireOver(request, flight, keepsValue, insists, stored, versions, before)
      )
    })
    return Effect.catchAll(attempt, (error) =>
      Effect.as(
        storeFailed(request, "Cache unavailable, computing without a lease", request.printed, error),
        withoutStore
      )
    )
  }

  private acquireOver<A, E, R>(
    request: MemoRequest<A, E, R>,
    flight: Flight,
    keepsValue: boolean,
    insists: boolean,
    stored: StoredEntry | undefined,
    captured: CapturedVersions,
    before: Attempts
  ): Effect.Effect<Acquired, CacheError> {
    return withFiber((fiber) => {
      const time = nowMillis(fiber)
      const { versions } = captured
      const state = stateOf(stored?.entry, versions, time)
      const kept = keepsValue && (state._tag === "Fresh" || state._tag === "Stale") ? state.value : undefined
      const entry = leasedEntry(kept, { id: flight.id, until: time + request.policy.lease }, versions)
      const { store } = this.reader
      return Effect.flatMap(
        this.outliving(
          request,
          captured,
          stored === undefined
            ? store.add(request.key, entry)
            : overwrite(store, request.key, stored.token, entry, stored.entry),
          time,
          lifeWhileLeased(request.policy.lease)
        ),
        (token): Effect.Effect<Acquired, CacheError> => {
          if (Option.isSome(token)) {
            return Effect.succeed({
              _tag: "Acquired",
              lease: { token: token.value, entry, since: time, captured }
            })
          }
          if (!insists) return Effect.succeed(lost)
          const attempts = nextAttempt(store, before, stored)
          return attempts.unchanged > maxAttempts
            ? Effect.fail(neverReplaced("store"))
            : this.acquire(request, flight, keepsValue, insists, undefined, attempts)
        }
      )
    })
  }

  /** Prolongs the lease and the versions of the groups, but not beyond `maxLease`. */
  renew<A, E, R>(request: MemoRequest<A, E, R>, own: OwnLease | undefined): Effect.Effect<void> {
    const lease = own?.entry.lease
    const { policy } = request
    if (own?.token === undefined || lease === undefined) return Effect.void
    return Effect.flatMap(now, (time) => {
      const end = own.since + policy.maxLease
      if (time >= end) return Effect.void
      const renewed = this.rewrite(request, own, {
        ...own.entry,
        lease: { id: lease.id, until: Math.min(time + policy.lease, end) }
      })
      return Effect.catchAll(
        Effect.asVoid(this.outliving(request, own.captured, renewed, time, lifeWhileLeased(policy.lease))),
        (error) => this.failed(request, "renewing the lease of", error)
      )
    })
  }

  /** Writes, and at the same time renews the versions of the groups that would not live long enough. */
  private outliving<A, E, R, B>(
    request: MemoRequest<A, E, R>,
    captured: CapturedVersions,
    write: Effect.Effect<B, CacheError>,
    time: number,
    life: VersionLife
  ): Effect.Effect<B, CacheError> {
    const renewal = captured.outlive(time, life)
    if (renewal === undefined) return write
    return Effect.zip(
      write,
      // Not awaited where the write fails.
      Effect.catchAll(Effect.interruptible(renewal), (error) => this.failed(request, "renewing the groups of", error)),
      { concurrent: this.reader.store.location === "network" }
    ).pipe(Effect.map(([written]) => written))
  }

  /**
   * Ends the lease of a computation that was interrupted. Another caller can lease the key again at once; of all who wait, one
   * does.
   */
  giveBack<A, E, R>(request: MemoRequest<A, E, R>, own: OwnLease | undefined): Effect.Effect<void> {
    if (own === undefined) return Effect.void
    const { value, groups } = own.entry
    return Effect.asVoid(
      value === undefined ? this.drop(request, own, "") : this.rewriteQuietly(request, own, valueEntry(value, groups))
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
      if (isServed && !isFailure(this.reader.store.payloads, value.payload)) return withoutError
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
      if (value === undefined || value.staleUntil <= time) return Effect.asVoid(this.drop(request, own))
      if (flight.forced) return this.giveBack(request, own)
      const shorter =
        lease !== undefined && lease.until > value.staleUntil
          ? this.rewriteQuietly(request, own, leasedEntry(value, { id: lease.id, until: value.staleUntil }, groups))
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
      Effect.suspend(() => this.drop(request, own))
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
        const written = this.outliving(request, own.captured, this.rewrite(request, own, entry), time, life)
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

  /** Writes over the own lease. `false`: the lease was lost. */
  private rewrite<A, E, R>(
    request: MemoRequest<A, E, R>,
    own: OwnLease,
    entry: Entry
  ): Effect.Effect<boolean, CacheError> {
    if (own.token === undefined) return Effect.succeed(false)
    return Effect.map(overwrite(this.reader.store, request.key, own.token, entry, own.entry), (replaced) => {
      own.token = Option.getOrUndefined(replaced)
      own.entry = entry
      return Option.isSome(replaced)
    })
  }

  /** The store has refused the value. memcached then has deleted the lease, too; those who wait must still see how it ended. */
  private notStored<A, E, R>(request: MemoRequest<A, E, R>, own: OwnLease): Effect.Effect<boolean> {
    const held = own.token !== undefined
    return Effect.flatMap(this.drop(request, own), (dropped) => {
      if (dropped || !held) return Effect.succeed(dropped)
      const id = own.entry.lease?.id ?? ""
      // It may have been an invalidation that removed the lease: whoever reads this tombstone must not join the computation.
      this.flights.disown(id)
      return Effect.flatMap(now, (time) =>
        Effect.catchAll(Effect.as(this.reader.store.add(request.key, tombstone(id, time)), false), (error) =>
          Effect.as(this.failed(request, "giving back the lease of", error), false)
        )
      )
    })
  }

  /**
   * Ends the lease, and removes the old value if there is one. The tombstone tells those who wait in other processes that this
   * lease ended without a value: they compute at once.
   *
   * @param id in the tombstone; empty if those who wait should not compute all at once
   */
  private drop<A, E, R>(
    request: MemoRequest<A, E, R>,
    own: OwnLease,
    id: string = own.entry.lease?.id ?? ""
  ): Effect.Effect<boolean> {
    return Effect.flatMap(now, (time) => this.rewriteQuietly(request, own, tombstone(id, time)))
  }

  private rewriteQuietly<A, E, R>(request: MemoRequest<A, E, R>, own: OwnLease, entry: Entry): Effect.Effect<boolean> {
    return Effect.catchAll(this.rewrite(request, own, entry), (error) =>
      Effect.as(this.failed(request, "giving back the lease of", error), false)
    )
  }

  private failed<A, E, R>(request: MemoRequest<A, E, R>, doing: string, error: CacheError): Effect.Effect<void> {
    return storeFailed(request, `Cache failed ${doing}`, request.printed, error)
  }
}
