/**
 * The writes of one computation's lease. Each is a compare-and-set over the one before it. So a lost lease is noticed, and nothing
 * of another writer is overwritten.
 */
import { Effect, Option } from "effect"
import type { CacheError } from "../../../CacheError.js"
import type { Entry, Token } from "../../../CacheStore.js"
import type { CapturedVersions, VersionLife } from "../../entries/CapturedVersions.js"
import { tombstone } from "../../entries/entryState.js"
import { overwrite } from "../../entries/overwrite.js"
import { storeFailed } from "../../outages/storeFailure.js"
import { now } from "../../runtime/fiber.js"
import type { Store } from "../../stores/Store.js"
import type { MemoRequest } from "../request.js"

/** A lease that this flight has in the store. Each write of it changes the token. Without a token the lease is lost. */
export interface OwnLease {
  token: Token | undefined
  entry: Entry
  /** When it was acquired. */
  readonly since: number
  readonly captured: CapturedVersions
}

export class LeaseWrites {
  constructor(readonly store: Store) {}

  /** Writes, and at the same time renews the versions of the groups that would not live long enough. */
  outliving<A, E, R, B>(
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
      { concurrent: this.store.location === "network" }
    ).pipe(Effect.map(([written]) => written))
  }

  /** Writes over the own lease. `false`: the lease was lost. */
  rewrite<A, E, R>(request: MemoRequest<A, E, R>, own: OwnLease, entry: Entry): Effect.Effect<boolean, CacheError> {
    if (own.token === undefined) return Effect.succeed(false)
    return Effect.map(overwrite(this.store, request.key, own.token, entry, own.entry), (replaced) => {
      own.token = Option.getOrUndefined(replaced)
      own.entry = entry
      return Option.isSome(replaced)
    })
  }

  /**
   * Ends the lease, and removes the old value if there is one. The tombstone tells those who wait in other processes that this
   * lease ended without a value: they compute at once.
   *
   * @param id in the tombstone; empty if those who wait should not compute all at once
   */
  drop<A, E, R>(
    request: MemoRequest<A, E, R>,
    own: OwnLease,
    id: string = own.entry.lease?.id ?? ""
  ): Effect.Effect<boolean> {
    return Effect.flatMap(now, (time) => this.rewriteQuietly(request, own, tombstone(id, time)))
  }

  rewriteQuietly<A, E, R>(request: MemoRequest<A, E, R>, own: OwnLease, entry: Entry): Effect.Effect<boolean> {
    return Effect.catchAll(this.rewrite(request, own, entry), (error) =>
      Effect.as(this.failed(request, "giving back the lease of", error), false)
    )
  }

  failed<A, E, R>(request: MemoRequest<A, E, R>, doing: string, error: CacheError): Effect.Effect<void> {
    return storeFailed(request, `Cache failed ${doing}`, request.printed, error)
  }
}
