/**
 * What the entry of a request means to this process: its state, its decoded value, and whether its lease is believed.
 * `entryState.ts` decides the first without knowing who reads.
 */
import { Effect } from "effect"
import type { CacheError } from "../../CacheError.js"
import type { Entry } from "../../CacheStore.js"
import { type EntryReader, keysOf, type Snapshot, snapshotOf } from "../entries/EntryReader.js"
import { type EntryState, type Servable, stateOf, type Unservable, withoutValue } from "../entries/entryState.js"
import { nowMillis, withFiber } from "../runtime/fiber.js"
import { isFailure } from "../values/failure.js"
import type { Flights } from "./flights/Flights.js"
import { SeenLeases } from "./leases/SeenLeases.js"
import type { MemoRequest } from "./request.js"

/** A value, or a kept error. */
export type Kept<A, E> = { readonly _tag: "Value"; readonly value: A } | { readonly _tag: "Error"; readonly error: E }

/** What a read found: something that may be served, or nothing. */
export type ReadResult<A, E> =
  | { readonly snapshot: Snapshot; readonly state: Servable; readonly found: Kept<A, E> }
  | { readonly snapshot: Snapshot; readonly state: Unservable; readonly found: undefined }

export class ReadStates {
  private readonly seen = new SeenLeases()
  private readonly runsHere = (leaseId: string): boolean | undefined => this.flights.runsHere(leaseId)

  constructor(
    private readonly reader: EntryReader,
    private readonly flights: Flights
  ) {}

  /** One round trip, or none where a tier has a hit. */
  read<A, E, R>(request: MemoRequest<A, E, R>): Effect.Effect<ReadResult<A, E>, CacheError> {
    return withFiber((fiber) => {
      const near = this.reader.near(fiber, keysOf(request.key, request.groups))
      return Effect.flatMap(
        near === undefined
          ? this.reader.snapshot(request.key, request.groups)
          : Effect.succeed(snapshotOf(request.groups, near, true)),
        (snapshot) => this.examine(request, snapshot)
      )
    })
  }

  /**
   * The entry's state, and its decoded value or error. What can't be decoded is a miss, and is overwritten; so is an error where
   * the function keeps none.
   */
  examine<A, E, R>(request: MemoRequest<A, E, R>, snapshot: Snapshot): Effect.Effect<ReadResult<A, E>> {
    return withFiber<ReadResult<A, E>>((fiber) => {
      const { stored, versions } = snapshot
      const state = this.stateOf(request, stored?.entry, versions, nowMillis(fiber))
      if (state._tag === "Leased" || state._tag === "Gone") {
        if (stored !== undefined && stored.entry === undefined) request.counters.countOn(fiber, "undecodable", request)
        return Effect.succeed({ snapshot, state, found: undefined })
      }
      const absent = { snapshot, state: withoutValue(state.lease), found: undefined }
      const onFailure = () => {
        request.counters.countOn(fiber, "undecodable", request)
        return Effect.succeed(absent)
      }
      const { payload } = state.value
      if (!isFailure(this.reader.store.payloads, payload)) {
        return Effect.matchEffect(request.codec.decode(payload), {
          onSuccess: (value) => Effect.succeed({ snapshot, state, found: { _tag: "Value", value } }),
          onFailure
        })
      }
      if (request.failureCodec === undefined) return Effect.succeed(absent)
      return Effect.matchEffect(request.failureCodec.decode(payload), {
        onSuccess: (error) => Effect.succeed({ snapshot, state, found: { _tag: "Error", error } }),
        onFailure
      })
    })
  }

  /** The entry's state, without the lease if that is not believed any more. */
  private stateOf<A, E, R>(
    request: MemoRequest<A, E, R>,
    entry: Entry | undefined,
    versions: Snapshot["versions"],
    time: number
  ): EntryState {
    const state = stateOf(entry, versions, time, this.runsHere)
    if (state._tag === "Gone" || state.lease === undefined) return state
    if (this.flights.computing(state.lease.id) !== undefined) return state
    if (this.seen.believes(state.lease, time, request.policy.maxLease)) return state
    return state._tag === "Leased" ? withoutValue(undefined) : { ...state, lease: undefined }
  }
}
