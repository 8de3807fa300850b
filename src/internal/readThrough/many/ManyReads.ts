/** Reads the entries of many requests and all their groups in one round trip. */
import { Effect, Option } from "effect"
import { CacheError } from "../../../CacheError.js"
import { type EntryReader, keysOf, nothing, type Snapshot, snapshotOf } from "../../entries/EntryReader.js"
import { SharedVersions } from "../../entries/livingVersions.js"
import { captureAsyncContext } from "../../runtime/asyncContext.js"
import type { CallingFiber } from "../../runtime/fiber.js"
import type { ReadThrough } from "../ReadThrough.js"
import type { Lookups, MemoRequest } from "../request.js"

/** What can be done with many requests, each of another key. */
export interface ManyLookups {
  /** Returns what answers each request: a hit is a `Right`, and all others are to be run. */
  readonly lookup: <A, E, R>(
    fiber: CallingFiber,
    requests: ReadonlyArray<MemoRequest<A, E, R>>
  ) => Effect.Effect<ReadonlyArray<Effect.Effect<A, E, R>>>
  /** The values that are there, fresh or stale. */
  readonly requireCache: <A, E, R>(
    fiber: CallingFiber,
    requests: ReadonlyArray<MemoRequest<A, E, R>>
  ) => Effect.Effect<ReadonlyArray<Option.Option<A>>, CacheError>
}

export class ManyReads implements ManyLookups {
  constructor(
    private readonly reader: EntryReader,
    private readonly readThrough: ReadThrough
  ) {}

  lookup<A, E, R>(
    fiber: CallingFiber,
    requests: ReadonlyArray<MemoRequest<A, E, R>>
  ): Effect.Effect<ReadonlyArray<Effect.Effect<A, E, R>>> {
    // Before the call waits for a server, as in `ReadThrough.lookup`.
    const asyncContext = this.reader.asksOthers ? captureAsyncContext() : undefined
    return Effect.map(this.read(fiber, requests), (snapshots) =>
      requests.map((request, index) => {
        request.asyncContext = asyncContext
        const snapshot = snapshots[index] ?? nothing
        return snapshot instanceof CacheError
          ? this.readThrough.answerAfter(fiber, request, snapshot)
          : this.readThrough.answerFrom(fiber, request, snapshot)
      })
    )
  }

  requireCache<A, E, R>(
    fiber: CallingFiber,
    requests: ReadonlyArray<MemoRequest<A, E, R>>
  ): Effect.Effect<ReadonlyArray<Option.Option<A>>, CacheError> {
    return Effect.flatMap(this.read(fiber, requests), (snapshots) =>
      Effect.forEach(requests, (request, index) => {
        const snapshot = snapshots[index] ?? nothing
        return snapshot instanceof CacheError ? snapshot : this.readThrough.requireFrom(request, snapshot)
      })
    )
  }

  /** What a tier has whole is not asked below. */
  private read<A, E, R>(
    fiber: CallingFiber,
    requests: ReadonlyArray<MemoRequest<A, E, R>>
  ): Effect.Effect<ReadonlyArray<Snapshot | CacheError>> {
    const isTier = this.reader.store.local?.near !== undefined
    /** The keys that are asked, and where each stands in the answer. */
    const places = new Map<string, number>()
    const ask = (key: string) => {
      if (!places.has(key)) places.set(key, places.size)
    }
    const near = requests.map(({ groups, key }) => {
      const copies = isTier ? this.reader.near(fiber, keysOf(key, groups)) : undefined
      if (copies !== undefined) return snapshotOf(groups, copies, true)
      ask(key)
      for (const group of groups) ask(group)
      return undefined
    })
    if (places.size === 0) return Effect.succeed(near.map((snapshot) => snapshot ?? nothing))
    return Effect.match(this.reader.readMany([...places.keys()]), {
      onFailure: (error) => near.map((snapshot) => snapshot ?? error),
      onSuccess: (found) => {
        const foundOf = (key: string) => found[places.get(key) ?? -1]
        const shared = new SharedVersions()
        return requests.map(({ groups, key }, index) => {
          const own = near[index]
          if (own !== undefined) return own
          return groups.length === 0
            ? snapshotOf(groups, [foundOf(key)])
            : { ...snapshotOf(groups, [foundOf(key), ...groups.map(foundOf)]), shared }
        })
      }
    })
  }
}

/** For a backend that keeps nothing. */
export const uncachedMany = (lookups: Lookups): ManyLookups => ({
  lookup: (fiber, requests) =>
    Effect.succeed(requests.map((request) => Effect.suspend(() => lookups.lookup(fiber, request)))),
  requireCache: (_fiber, requests) =>
    Effect.forEach(requests, (request) => Effect.as(request.counters.count("misses", request), Option.none()))
})
