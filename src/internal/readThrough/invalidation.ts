/** Removes entries and voids running computations: a value computed before an invalidation is never served after it. */
import { Effect } from "effect"
import type { CacheError } from "../../CacheError.js"
import type { RejectedItem, WriteItem } from "../../CacheStore.js"
import type { EntryReader } from "../entries/EntryReader.js"
import { newVersion, versionEntry } from "../entries/groupVersions.js"
import type { Name } from "../entries/keyspace.js"
import { isOutage } from "../outages/outage.js"
import { storeFailed } from "../outages/storeFailure.js"
import { type CallingFiber, nowMillis, withFiber } from "../runtime/fiber.js"
import { logAction } from "../runtime/logs.js"
import { storeSpan } from "../runtime/spans.js"
import { inTransaction } from "../runtime/transaction.js"
import { traced, unfused } from "../stores/fused.js"
import type { Store } from "../stores/Store.js"
import type { Flights } from "./Flights.js"
import type { MemoRequest } from "./request.js"

/** Milliseconds that the version lives which an invalidation writes. Whoever computes under it renews it. */
const lifeOfNewVersion = 10_000

export class Invalidation {
  private readonly store: Store

  constructor(
    reader: EntryReader,
    private readonly flights: Flights
  ) {
    this.store = reader.store
  }

  /**
   * Removes the entries with their leases, so that the values computed under these leases are not stored. Nobody joins the keys'
   * flights without a lease any more, even if the store fails. Returns how many entries there were.
   */
  keys(names: ReadonlyArray<Name>): Effect.Effect<number, CacheError> {
    const keys = names.map((name) => name.finished)
    const removed = storeSpan("remove", this.store.name, keys.length, this.store.remove(keys))
    return Effect.zipLeft(
      this.detaching(keys, removed),
      Effect.forEach(names, (name) => logAction("DELETE", name.printed), { discard: true })
    )
  }

  /** Removes the entry of a request. A failure of the store is counted and logged. */
  removeQuietly<A, E, R>(request: MemoRequest<A, E, R>): Effect.Effect<void> {
    return Effect.catchAll(Effect.asVoid(this.store.remove([request.key])), (error) =>
      storeFailed(request, "Cache failed removing", request.printed, error)
    )
  }

  /** Writes the items. Afterwards nobody joins the flights without a lease of their keys: those are older than the write. */
  write<A, E>(
    fiber: CallingFiber,
    items: ReadonlyArray<WriteItem>,
    onWritten: (rejected: ReadonlyArray<RejectedItem>) => Effect.Effect<A, E>,
    onFailure: (error: CacheError) => Effect.Effect<A, E>
  ): Effect.Effect<A, E> {
    const detach = () => {
      for (const { key } of items) this.flights.detach(key)
    }
    return traced(
      this.store,
      "write",
      this.store.write,
      fiber,
      items,
      (rejected) => {
        detach()
        return onWritten(rejected)
      },
      (error) => {
        detach()
        return onFailure(error)
      }
    )
  }

  /** Detaches the flights without a lease of the keys, however the operation ends. */
  detaching<A, E>(keys: ReadonlyArray<string>, operation: Effect.Effect<A, E>): Effect.Effect<A, E> {
    return Effect.ensuring(
      operation,
      Effect.sync(() => {
        for (const key of keys) this.flights.detach(key)
      })
    )
  }

  /**
   * Gives the group a new version: entries made under another one are invalid from now on. To remove the version invalidates as
   * well, but then the next computation must create one. It is removed inside a transaction, which can't hold the group until its
   * commit, and during an outage, because a removal can be queued.
   */
  group(key: string, printed: string): Effect.Effect<void, CacheError> {
    const { store } = this
    const removed = Effect.asVoid(store.remove([key]))
    const written = withFiber((fiber) => {
      const entry = versionEntry(newVersion(), store.payloads, nowMillis(fiber) + lifeOfNewVersion)
      return Effect.flatMap(unfused(store.write)([{ key, entry }]), ([rejected]) =>
        rejected === undefined ? Effect.void : Effect.fail(rejected.error)
      )
    })
    const renewed = Effect.catchIf(written, isOutage, (error) => Effect.mapError(removed, () => error))
    return Effect.zipRight(
      Effect.ensuring(
        storeSpan(
          "invalidateGroup",
          store.name,
          1,
          Effect.flatMap(inTransaction, (inside) => (inside ? removed : renewed))
        ),
        Effect.sync(() => this.flights.detachGroup(key))
      ),
      logAction("DELETE", `group ${printed}`)
    )
  }

  /** Removes all entries of the namespace, in one operation of the store. */
  get everything(): Effect.Effect<void, CacheError> {
    const { store } = this
    return Effect.zipRight(
      Effect.ensuring(
        storeSpan("clear", store.name, 0, store.clear),
        Effect.sync(() => this.flights.detachAll())
      ),
      logAction("DELETE", "everything")
    )
  }
}
