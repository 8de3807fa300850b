/**
 * What a flight does in the store: takes the exclusive right to compute, renews it, and ends it with a value or without.
 * Every write is a compare-and-set over the one before it, so a lease that was lost is noticed and nothing is overwritten.
 */
import { Cause, Effect, Option, Random } from "effect"
import type { CacheError } from "../../CacheError.js"
import type { Entry, Token } from "../../CacheStore.js"
import { now, type Records, type Snapshot } from "../entries/EntryReader.js"
import { judge, leased, lifespan, settled, tombstone } from "../entries/entryState.js"
import { isOutage } from "../outages/outage.js"
import { logAction, logFailure } from "../runtime/instruments.js"
import type { Flight } from "./Flights.js"
import type { MemoRequest } from "./request.js"

/** What a flight holds in the store. Every write of its own moves the token; without one the lease is lost. */
export interface Hold {
  token: Token | undefined
  entry: Entry
}

export type Acquired =
  | { readonly _tag: "Held"; readonly hold: Hold }
  | { readonly _tag: "Unreachable" }
  | { readonly _tag: "Lost" }

const unreachable: Acquired = { _tag: "Unreachable" }
const leaseLost: Acquired = { _tag: "Lost" }

export class Leases {
  constructor(private readonly records: Records) {}

  /**
   * Takes the exclusive right to compute, together with the versions that the groups have before it.
   *
   * @param keepsValue whether a value that is there is served on meanwhile
   * @param insists until the lease is held, whoever else leases the key
   */
  take<A, E, R>(
    request: MemoRequest<A, E, R>,
    flight: Flight,
    keepsValue: boolean,
    insists: boolean,
    seen: Snapshot | undefined
  ): Effect.Effect<Acquired> {
    const snapshot = seen === undefined ? this.records.read(request.key, request.groups) : Effect.succeed(seen)
    const attempt: Effect.Effect<Acquired, CacheError> = Effect.flatMap(snapshot, ({ stored, versions }) =>
      Effect.flatMap(
        Effect.zip(now, versions === undefined ? this.records.capture(request.groups) : Effect.succeed(versions)),
        ([time, current]) => {
          const verdict = judge(stored?.entry, current, time)
          const kept = keepsValue && (verdict._tag === "Fresh" || verdict._tag === "Stale") ? verdict.value : undefined
          const entry = leased(kept, { id: flight.id, until: time + request.policy.lease }, current)
          const store = this.records.store
          return Effect.flatMap(
            stored === undefined ? store.add(request.key, entry) : store.replace(request.key, stored.token, entry),
            Option.match({
              onSome: (token) => Effect.succeed<Acquired>({ _tag: "Held", hold: { token, entry } }),
              onNone: () =>
                insists ? this.take(request, flight, keepsValue, insists, undefined) : Effect.succeed(leaseLost)
            })
          )
        }
      )
    )
    return Effect.catchAll(attempt, (error) =>
      Effect.as(
        Effect.zipRight(
          request.meters.count("storeErrors"),
          logFailure(`Cache unavailable, computing ${request.printed} without a lease`, error)
        ),
        unreachable
      )
    )
  }

  renew<A, E, R>(request: MemoRequest<A, E, R>, hold: Hold): Effect.Effect<void> {
    const lease = hold.entry.lease
    if (lease === undefined) return Effect.void
    return Effect.flatMap(now, (time) =>
      Effect.catchAll(
        this.rewrite(request, hold, {
          ...hold.entry,
          lease: { id: lease.id, until: time + request.policy.lease }
        }),
        (error) => this.failedStore(request, "renewing the lease of", error)
      )
    )
  }

  /** Ends the lease without a new value: what was there before is free to be leased again at once. */
  giveBack<A, E, R>(request: MemoRequest<A, E, R>, hold: Hold | undefined): Effect.Effect<void> {
    if (hold === undefined) return Effect.void
    const { value, groups } = hold.entry
    return Effect.asVoid(
      value === undefined ? this.drop(request, hold) : this.rewriteQuietly(request, hold, settled(value, groups))
    )
  }

  /**
   * What remains of a failed computation. Beside an old value that is served on the lease is left to run out, so that
   * nobody tries again before; but no longer than that value lasts, for then the lease would keep all callers waiting.
   */
  bear<A, E, R>(
    request: MemoRequest<A, E, R>,
    flight: Flight,
    hold: Hold | undefined,
    cause: Cause.Cause<E>
  ): Effect.Effect<void> {
    if (hold === undefined) return Effect.void
    return Effect.flatMap(now, (time) => {
      const { lease, groups, value } = hold.entry
      if (flight.forced || value === undefined || value.staleUntil <= time) return this.giveBack(request, hold)
      const shorter =
        lease !== undefined && lease.until > value.staleUntil
          ? this.rewriteQuietly(request, hold, leased(value, { id: lease.id, until: value.staleUntil }, groups))
          : Effect.void
      return Effect.zipRight(
        Effect.logWarning(`Recomputing ${request.printed} failed, its old value is served on`, cause),
        shorter
      )
    })
  }

  removeQuietly<A, E, R>(request: MemoRequest<A, E, R>): Effect.Effect<void> {
    return Effect.catchAll(Effect.asVoid(this.records.store.remove([request.key])), (error) =>
      this.failedStore(request, "removing the old value of", error)
    )
  }

  /**
   * Stores the value if the lease still stands; what goes wrong here must not cost the caller the value. Says whether
   * what was there before is gone.
   */
  publish<A, E, R>(request: MemoRequest<A, E, R>, hold: Hold, value: A, computeMillis: number): Effect.Effect<boolean> {
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

  /** Ends the lease and whatever value was there. */
  private drop<A, E, R>(request: MemoRequest<A, E, R>, hold: Hold): Effect.Effect<boolean> {
    return Effect.flatMap(now, (time) =>
      this.rewriteQuietly(request, hold, tombstone(hold.entry.lease?.id ?? "", time))
    )
  }

  private rewriteQuietly<A, E, R>(request: MemoRequest<A, E, R>, hold: Hold, entry: Entry): Effect.Effect<boolean> {
    return Effect.catchAll(this.rewrite(request, hold, entry), (error) =>
      Effect.as(this.failedStore(request, "giving back the lease of", error), false)
    )
  }

  private failedStore<A, E, R>(request: MemoRequest<A, E, R>, doing: string, error: CacheError): Effect.Effect<void> {
    return Effect.zipRight(
      request.meters.count("storeErrors"),
      logFailure(`Cache failed ${doing} ${request.printed}`, error)
    )
  }
}

/** A store that is away is not asked again: the lease runs out by itself. */
const wasOutage = (cause: Cause.Cause<CacheError>): boolean => Option.exists(Cause.failureOption(cause), isOutage)
