/** Removes entries and voids running computations: a value computed before an invalidation is never served after it. */
import { Effect } from "effect"
import type { CacheError } from "../../../CacheError.js"
import { CacheEvent } from "../../../CacheEvent.js"
import type { RejectedItem, WriteItem } from "../../../CacheStore.js"
import type { EntryReader } from "../../entries/EntryReader.js"
import { newVersion, versionEntry } from "../../entries/groupVersions.js"
import type { Name } from "../../entries/keyspace.js"
import { storeFailed } from "../../outages/storeFailure.js"
import { type CallingFiber, inTransaction, isInTransaction, nowMillis, withFiber } from "../../runtime/fiber.js"
import { traced, unfused } from "../../stores/fused.js"
import type { Store } from "../../stores/Store.js"
import type { Shown } from "../../telemetry/counters.js"
import type { Events } from "../../telemetry/Events.js"
import { logAction } from "../../telemetry/logs.js"
import { storeSpan } from "../../telemetry/spans.js"
import type { Warnings } from "../../telemetry/warnings.js"
import type { Flights } from "../flights/Flights.js"
import type { MemoRequest } from "../request.js"
import { type Invalidator, type PendingInvalidations, pendingInvalidations } from "./pendingInvalidations.js"

/** Milliseconds that the version lives which an invalidation writes. Whoever computes under it renews it. */
const lifeOfNewVersion = 10_000

export class Invalidation implements Invalidator {
  private readonly store: Store

  constructor(
    reader: EntryReader,
    private readonly flights: Flights,
    private readonly warnings: Warnings,
    private readonly events: Events
  ) {
    this.store = reader.store
  }

  /**
   * Carries out an invalidation, and notes it for `afterCommit` unless all of it becomes part of the fiber's transaction: until the
   * commit other fibers may store the old rows again, or keep copies of the old entries in a tier.
   */
  private notedFor<A, E>(
    add: Parameters<PendingInvalidations["note"]>[1],
    invalidation: Effect.Effect<A, E>
  ): Effect.Effect<A, E> {
    return withFiber((fiber) => {
      const joins = this.store.joinsTransaction?.(fiber) === true
      if (joins && this.store.local?.near === undefined) return invalidation
      const isNoted = pendingInvalidations.of(fiber)?.note(this, add) ?? false
      if (joins || isNoted || !isInTransaction(fiber)) return invalidation
      return Effect.zipRight(this.warnings.warn("invalidation in a transaction", this.outsideTransaction), invalidation)
    })
  }

  private readonly outsideTransaction = (): string =>
    `Cache invalidation inside a SQL transaction that the ${this.store.name} cache is no part of: before the commit, others may ` +
    "store the old values again. Write afterCommit(sql.withTransaction(…)), around the outermost transaction"

  /**
   * Removes the entries with their leases, so that the values computed under these leases are not stored. Nobody joins the keys'
   * flights without a lease any more, even if the store fails. Returns how many entries there were.
   */
  keys(names: ReadonlyArray<Name>): Effect.Effect<number, CacheError> {
    const keys = names.map((name) => name.finished)
    const removed = storeSpan("remove", this.store, keys.length, this.store.remove(keys))
    return Effect.zipLeft(
      this.notedFor((to) => to.addKeys(names), this.detaching(keys, removed)),
      Effect.forEach(names, (name) => this.told(name), { discard: true })
    )
  }

  private told(name: Shown): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (this.events.isListened) this.events.tell(CacheEvent.Invalidated({ key: name.printed }))
      return logAction("DELETE", name.printed)
    })
  }

  /** Removes the entry of a request. A failure of the store is counted and logged. */
  removeQuietly<A, E, R>(request: MemoRequest<A, E, R>): Effect.Effect<void> {
    const removed = Effect.matchEffect(this.store.remove([request.key]), {
      onSuccess: () => this.told(request),
      onFailure: (error) => storeFailed(request, "Cache failed removing", request.printed, error)
    })
    return this.notedFor((to) => to.addKeys([{ finished: request.key, printed: request.printed }]), removed)
  }

  /** Writes the items. Afterwards nobody joins the flights without a lease of their keys: those are older than the write. */
  write<A, E>(
    fiber: CallingFiber,
    items: ReadonlyArray<WriteItem>,
    onWritten: (rejected: ReadonlyArray<RejectedItem>) => Effect.Effect<A, E>,
    onFailure: (error: CacheError) => Effect.Effect<A, E>
  ): Effect.Effect<A, E> {
    // The entries need not wait for the answer, so they are left to the collector at once.
    const keys = items.map(({ key }) => key)
    const detach = () => {
      for (const key of keys) this.flights.detach(key)
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
   * commit, and where it can't be written: a removal can be queued in an outage, and a full store takes it.
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
    // The version is written, but other processes could not be told: to remove it would tell them no better.
    const renewed = Effect.catchAll(written, (error) => (error.operation === "publish" ? Effect.fail(error) : removed))
    const invalidated = Effect.flatMap(inTransaction, (inside) => (inside ? removed : renewed))
    const detached = Effect.ensuring(
      storeSpan("invalidateGroup", store, 1, invalidated),
      Effect.sync(() => this.flights.detachGroup(key))
    )
    return Effect.zipRight(
      this.notedFor((to) => to.addGroup(key, printed), detached),
      Effect.suspend(() => {
        if (this.events.isListened) this.events.tell(CacheEvent.Invalidated({ group: printed }))
        return logAction("DELETE", `group ${printed}`)
      })
    )
  }

  /** Removes all entries of the namespace, in one operation of the store. */
  get everything(): Effect.Effect<void, CacheError> {
    const { store } = this
    const cleared = Effect.ensuring(
      storeSpan("clear", store, 0, store.clear),
      Effect.sync(() => this.flights.detachAll())
    )
    return Effect.zipRight(
      this.notedFor((to) => to.addEverything(), cleared),
      Effect.suspend(() => {
        if (this.events.isListened) this.events.tell(CacheEvent.Invalidated({}))
        return logAction("DELETE", "everything")
      })
    )
  }
}
