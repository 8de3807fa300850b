/** Acquires the lease of one computation and renews it. `Computation.ts` decides when. */
import { Effect, Option } from "effect"
import type { CacheError } from "../../../CacheError.js"
import type { StoredEntry } from "../../../CacheStore.js"
import { type Attempts, maxAttempts, neverReplaced, nextAttempt, noAttempts } from "../../entries/attempts.js"
import { CapturedVersions, leastRest, lifeWhileLeased } from "../../entries/CapturedVersions.js"
import type { EntryReader, Snapshot } from "../../entries/EntryReader.js"
import { leasedEntry, stateOf } from "../../entries/entryState.js"
import { overwrite } from "../../entries/overwrite.js"
import { storeFailed } from "../../outages/storeFailure.js"
import { now, nowMillis, withFiber } from "../../runtime/fiber.js"
import type { Flight } from "../flights/Flight.js"
import type { MemoRequest } from "../request.js"
import type { LeaseWrites, OwnLease } from "./LeaseWrites.js"

export type Acquired =
  | { readonly _tag: "Acquired"; readonly lease: OwnLease }
  /** The store can't be reached: the flight computes without a lease. */
  | { readonly _tag: "WithoutStore"; readonly lease: undefined }
  /** Another caller got it first. */
  | { readonly _tag: "Lost" }

const withoutStore: Acquired = { _tag: "WithoutStore", lease: undefined }
const lost: Acquired = { _tag: "Lost" }

export class Leases {
  constructor(
    private readonly reader: EntryReader,
    private readonly writes: LeaseWrites
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
    const attempt = Effect.flatMap(
      Effect.zip(snapshot, now),
      ([{ found, shared, stored, versions: present }, read]) => {
        const captured = CapturedVersions.from(store, groups, found, 1, read + leastRest(life), shared)
        if (captured !== undefined)
          return this.acquireOver(request, flight, keepsValue, insists, stored, captured, before)
        const created = CapturedVersions.create(store, groups, found, 1, life, shared)
        return Effect.flatMap(Effect.zip(created, now), ([versions, time]) =>
          // The read met two moments, as one of several servers can: first the group without a version, then an entry that was
          // made under the version which another process has created in between. That entry counts.
          present === undefined && !insists && stateOf(stored?.entry, versions.versions, time)._tag !== "Gone"
            ? Effect.succeed(lost)
            : this.acquireOver(request, flight, keepsValue, insists, stored, versions, before)
        )
      }
    )
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
        this.writes.outliving(
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
      const renewed = this.writes.rewrite(request, own, {
        ...own.entry,
        lease: { id: lease.id, until: Math.min(time + policy.lease, end) }
      })
      return Effect.catchAll(
        Effect.asVoid(this.writes.outliving(request, own.captured, renewed, time, lifeWhileLeased(policy.lease))),
        (error) => this.writes.failed(request, "renewing the lease of", error)
      )
    })
  }
}
