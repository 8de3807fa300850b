/** Removes entries and voids running computations: what was computed before an invalidation is never served after it. */
import { Effect } from "effect"
import type { CacheError } from "../../CacheError.js"
import type { EntryReader } from "../entries/EntryReader.js"
import { newVersion, versionEntry } from "../entries/groupVersions.js"
import type { Name } from "../entries/keyspace.js"
import { isOutage } from "../outages/outage.js"
import { storeFailed } from "../outages/storeFailure.js"
import { logAction } from "../runtime/logs.js"
import { storeSpan } from "../runtime/spans.js"
import type { Store } from "../stores/Store.js"
import type { Flights } from "./Flights.js"
import type { MemoRequest } from "./request.js"

export class Invalidation {
  private readonly store: Store

  constructor(
    reader: EntryReader,
    private readonly flights: Flights
  ) {
    this.store = reader.store
  }

  /**
   * Removes the entries with their leases: what is computed under such a lease will not be stored. Says how many entries
   * there were. Flights that run without a lease are detached even if the store fails.
   */
  keys(names: ReadonlyArray<Name>): Effect.Effect<number, CacheError> {
    const keys = names.map((name) => name.finished)
    return storeSpan("remove", this.store.name, keys.length, this.store.remove(keys)).pipe(
      Effect.ensuring(Effect.sync(() => this.flights.detach(keys))),
      Effect.zipLeft(Effect.forEach(names, (name) => logAction("DELETE", name.printed), { discard: true }))
    )
  }

  /** Removes the entry of a request; a failure of the store is counted and logged. */
  removeQuietly<A, E, R>(request: MemoRequest<A, E, R>): Effect.Effect<void> {
    return Effect.catchAll(Effect.asVoid(this.store.remove([request.key])), (error) =>
      storeFailed(request.counters, `Cache failed removing ${request.printed}`, error)
    )
  }

  /** Writes over the keys: afterwards nobody joins what is computed for them without a lease. */
  overwriting<A, E, B>(
    keys: ReadonlyArray<string>,
    write: Effect.Effect<A, CacheError>,
    onFailure: (error: CacheError) => Effect.Effect<never, E>,
    onWritten: (answer: A) => Effect.Effect<B, E>
  ): Effect.Effect<B, E> {
    return Effect.matchEffect(write, {
      onFailure: (error) => {
        this.flights.detach(keys)
        return onFailure(error)
      },
      onSuccess: (answer) => {
        this.flights.detach(keys)
        return onWritten(answer)
      }
    })
  }

  /** Writes a new version for the group: whatever was made under another one is invalid from here on. */
  group(key: string, printed: string): Effect.Effect<void, CacheError> {
    const { store } = this
    const written = Effect.flatMap(
      store.write([{ key, entry: versionEntry(newVersion(), store.payloads) }]),
      ([rejected]) => (rejected === undefined ? Effect.void : Effect.fail(rejected.error))
    )
    // A removed version invalidates as well, and it is removals that a store keeps during an outage.
    const renewed = Effect.catchIf(written, isOutage, (error) =>
      Effect.asVoid(Effect.mapError(store.remove([key]), () => error))
    )
    return Effect.zipRight(
      Effect.ensuring(
        storeSpan("invalidateGroup", store.name, 1, renewed),
        Effect.sync(() => this.flights.detachGroup(key))
      ),
      logAction("DELETE", `group ${printed}`)
    )
  }

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
