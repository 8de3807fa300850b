/**
 * The lease of one computation in the store: acquired, renewed, and ended with a value or without. Every write is a
 * compare-and-set over the one before it, so a lease that was lost is noticed and nothing is overwritten.
 */
import { Cause, Effect, Either, Option, Random } from "effect"
import type { CacheError } from "../../CacheError.js"
import type { Entry, GroupVersion, StoredEntry, Token } from "../../CacheStore.js"
import type { EntryReader, Snapshot } from "../entries/EntryReader.js"
import { leasedEntry, lifespan, stateOf, tombstone, valueEntry } from "../entries/entryState.js"
import { isOutage } from "../outages/outage.js"
import { storeFailed } from "../outages/storeFailure.js"
import { now, nowMillis, withFiber } from "../runtime/fiber.js"
import { logAction } from "../runtime/logs.js"
import type { Flight } from "./Flight.js"
import type { MemoRequest, Policy } from "./request.js"

/** What a flight holds in the store. Each of its writes moves the token; without one the lease is lost. */
export interface HeldLease {
  token: Token | undefined
  entry: Entry
}

export type Acquired =
  | { readonly _tag: "Held"; readonly lease: HeldLease }
  /** The store can't be reached: the flight computes without a lease. */
  | { readonly _tag: "WithoutStore"; readonly lease: undefined }
  /** Another caller got it first. */
  | { readonly _tag: "Lost" }

const withoutStore: Acquired = { _tag: "WithoutStore", lease: undefined }
const lost: Acquired = { _tag: "Lost" }

const noJitter: Effect.Effect<number> = Effect.succeed(0)

const jitterOf = <A>({ jitter }: Policy<A>): Effect.Effect<number> => (jitter === 0 ? noJitter : Random.next)

export class Leases {
  constructor(private readonly reader: EntryReader) {}

  /**
   * Acquires the exclusive right to compute, together with the versions that the groups have before it.
   *
   * @param keepsValue whether a value that is there is served meanwhile
   * @param insists until it is acquired, whoever else holds the key
   */
  acquire<A, E, R>(
    request: MemoRequest<A, E, R>,
    flight: Flight,
    keepsValue: boolean,
    insists: boolean,
    seen: Snapshot | undefined
  ): Effect.Effect<Acquired> {
    const snapshot = seen === undefined ? this.reader.snapshot(request.key, request.groups) : Effect.succeed(seen)
    const attempt = Effect.flatMap(snapshot, ({ stored, versions }) =>
      versions === undefined
        ? Effect.flatMap(this.reader.capture(request.groups), (captured) =>
            this.acquireOver(request, flight, keepsValue, insists, stored, captured)
          )
        : this.acquireOver(request, flight, keepsValue, insists, stored, versions)
    )
    return Effect.catchAll(attempt, (error) =>
      Effect.as(
        storeFailed(request.counters, `Cache unavailable, computing ${request.printed} without a lease`, error),
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
    versions: ReadonlyArray<GroupVersion>
  ): Effect.Effect<Acquired, CacheError> {
    return withFiber((fiber) => {
      const time = nowMillis(fiber)
      const state = stateOf(stored?.entry, versions, time)
      const kept = keepsValue && (state._tag === "Fresh" || state._tag === "Stale") ? state.value : undefined
      const entry = leasedEntry(kept, { id: flight.id, until: time + request.policy.lease }, versions)
      const { store } = this.reader
      return Effect.flatMap(
        stored === undefined ? store.add(request.key, entry) : store.replace(request.key, stored.token, entry),
        (token): Effect.Effect<Acquired> => {
          if (Option.isSome(token)) return Effect.succeed({ _tag: "Held", lease: { token: token.value, entry } })
          return insists ? this.acquire(request, flight, keepsValue, insists, undefined) : Effect.succeed(lost)
        }
      )
    })
  }

  renew<A, E, R>(request: MemoRequest<A, E, R>, held: HeldLease): Effect.Effect<void> {
    const { lease } = held.entry
    if (lease === undefined) return Effect.void
    return Effect.flatMap(now, (time) =>
      Effect.catchAll(
        this.rewrite(request, held, {
          ...held.entry,
          lease: { id: lease.id, until: time + request.policy.lease }
        }),
        (error) => this.failed(request, "renewing the lease of", error)
      )
    )
  }

  /** Ends the lease without a new value: what was there before is free to be leased again at once. */
  giveBack<A, E, R>(request: MemoRequest<A, E, R>, held: HeldLease | undefined): Effect.Effect<void> {
    if (held === undefined) return Effect.void
    const { value, groups } = held.entry
    return Effect.asVoid(
      value === undefined ? this.drop(request, held) : this.rewriteQuietly(request, held, valueEntry(value, groups))
    )
  }

  /**
   * What remains of a failed computation. Beside an old value that is still served the lease is left to run out, so that
   * nobody tries again before; but no longer than that value lasts, or the lease would keep all callers waiting.
   */
  afterFailure<A, E, R>(
    request: MemoRequest<A, E, R>,
    flight: Flight,
    held: HeldLease | undefined,
    cause: Cause.Cause<E>
  ): Effect.Effect<void> {
    if (held === undefined) return Effect.void
    return Effect.flatMap(now, (time) => {
      const { groups, lease, value } = held.entry
      if (flight.forced || value === undefined || value.staleUntil <= time) return this.giveBack(request, held)
      const shorter =
        lease !== undefined && lease.until > value.staleUntil
          ? this.rewriteQuietly(request, held, leasedEntry(value, { id: lease.id, until: value.staleUntil }, groups))
          : Effect.void
      return Effect.zipRight(
        Effect.logWarning(`Recomputing ${request.printed} failed, its old value is served`, cause),
        shorter
      )
    })
  }

  /**
   * Stores the value if the lease still stands; what goes wrong here must not cost the caller the value. Says whether
   * what was there before is gone.
   */
  publish<A, E, R>(
    request: MemoRequest<A, E, R>,
    held: HeldLease,
    value: A,
    computeMillis: number
  ): Effect.Effect<boolean> {
    const { args, codec, counters, policy, printed } = request
    const storing = withFiber((fiber) => {
      const ttl = policy.cacheWhen(value) ? policy.ttl(value, args) : Either.right(0)
      if (Either.isLeft(ttl)) return Effect.fail(ttl.left)
      if (ttl.right <= 0) return this.drop(request, held)
      return Effect.flatMap(Effect.zip(codec.encode(value), jitterOf(policy)), ([payload, random]) => {
        const times = lifespan(nowMillis(fiber), ttl.right, policy.stale, policy.jitter, random)
        const entry = valueEntry({ payload, computeMillis, ...times }, held.entry.groups)
        return Effect.flatMap(this.rewrite(request, held, entry), (stored) => {
          counters.countOn(fiber, stored ? "stored" : "discarded")
          return Effect.as(logAction(stored ? "SET" : "DISCARD", printed), stored)
        })
      })
    })
    return Effect.catchAllCause(storing, (cause) =>
      Effect.zipRight(
        Option.match(Cause.failureOption(cause), {
          onSome: (error) => this.failed(request, "storing", error),
          onNone: () => Effect.logError(`Could not store ${printed}: its ttl or cacheWhen failed`, cause)
        }),
        // A store that is away is not asked again: the lease runs out by itself.
        Option.exists(Cause.failureOption(cause), isOutage) ? Effect.succeed(false) : this.drop(request, held)
      )
    )
  }

  /** Writes over what the flight holds. `false`: it holds it no longer. */
  private rewrite<A, E, R>(
    request: MemoRequest<A, E, R>,
    held: HeldLease,
    entry: Entry
  ): Effect.Effect<boolean, CacheError> {
    if (held.token === undefined) return Effect.succeed(false)
    return Effect.map(this.reader.store.replace(request.key, held.token, entry), (replaced) => {
      held.token = Option.getOrUndefined(replaced)
      held.entry = entry
      return Option.isSome(replaced)
    })
  }

  /** Ends the lease and whatever value was there. */
  private drop<A, E, R>(request: MemoRequest<A, E, R>, held: HeldLease): Effect.Effect<boolean> {
    return Effect.flatMap(now, (time) =>
      this.rewriteQuietly(request, held, tombstone(held.entry.lease?.id ?? "", time))
    )
  }

  private rewriteQuietly<A, E, R>(
    request: MemoRequest<A, E, R>,
    held: HeldLease,
    entry: Entry
  ): Effect.Effect<boolean> {
    return Effect.catchAll(this.rewrite(request, held, entry), (error) =>
      Effect.as(this.failed(request, "giving back the lease of", error), false)
    )
  }

  private failed<A, E, R>(request: MemoRequest<A, E, R>, doing: string, error: CacheError): Effect.Effect<void> {
    return storeFailed(request.counters, `Cache failed ${doing} ${request.printed}`, error)
  }
}
