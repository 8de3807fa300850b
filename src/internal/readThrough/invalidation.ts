/**
 * Making what is cached, and what is being computed, count no more.
 */
import { Effect } from "effect"
import type { CacheError } from "../../CacheError.js"
import type { Records } from "../entries/EntryReader.js"
import type { Name } from "../entries/keyspace.js"
import { isOutage } from "../outages/outage.js"
import { logAction, storeSpan } from "../runtime/instruments.js"
import type { Flights } from "./Flights.js"

export class Invalidation {
  constructor(
    private readonly records: Records,
    private readonly flights: Flights
  ) {}

  /**
   * Removes the records, with the leases in them: what is computed under such a lease will not be stored. Says how many
   * records there were. Flights that run without a lease are detached even if the store fails.
   */
  keys(names: ReadonlyArray<Name>): Effect.Effect<number, CacheError> {
    const keys = names.map((name) => name.finished)
    const store = this.records.store
    return storeSpan(
      "remove",
      store.name,
      keys.length
    )(store.remove(keys)).pipe(
      Effect.ensuring(Effect.sync(() => this.flights.detach(keys))),
      Effect.zipLeft(Effect.forEach(names, (name) => logAction("DELETE", name.printed), { discard: true }))
    )
  }

  /** What is computed without a lease under the key is no longer joined. */
  superseded(key: string): void {
    this.flights.detach([key])
  }

  /** The same for all keys once they have been written. */
  superseding<A, B>(
    keys: ReadonlyArray<string>,
    write: Effect.Effect<A, CacheError>,
    then: (answer: A) => Effect.Effect<B, CacheError>,
    toldAs: (error: CacheError) => CacheError
  ): Effect.Effect<B, CacheError> {
    return Effect.matchEffect(write, {
      onFailure: (error) => {
        this.flights.detach(keys)
        return Effect.fail(toldAs(error))
      },
      onSuccess: (answer) => {
        this.flights.detach(keys)
        return then(answer)
      }
    })
  }

  group(key: string, printed: string): Effect.Effect<void, CacheError> {
    const { store } = this.records
    // A removed version record invalidates as well, and it is removals that a store keeps during an outage.
    const renewed = Effect.catchIf(this.records.renewVersion(key), isOutage, (error) =>
      Effect.asVoid(Effect.mapError(store.remove([key]), () => error))
    )
    return Effect.zipRight(
      Effect.ensuring(
        storeSpan("invalidateGroup", store.name, 1)(renewed),
        Effect.sync(() => this.flights.detachGroup(key))
      ),
      logAction("DELETE", `group ${printed}`)
    )
  }

  get everything(): Effect.Effect<void, CacheError> {
    const store = this.records.store
    const cleared = storeSpan("clear", store.name, 0)(store.clear)
    return Effect.zipRight(
      Effect.ensuring(
        cleared,
        Effect.sync(() => this.flights.detachAll())
      ),
      logAction("DELETE", "everything")
    )
  }
}
