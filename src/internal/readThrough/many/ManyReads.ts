/**
 * Reads many keys in one round trip. Most of them are plain hits: those are answered in one loop, without a request or an operation
 * of the runtime for each.
 */
import { Effect, Option } from "effect"
import type { CacheError } from "../../../CacheError.js"
import {
  decodedAtOnce,
  type EntryReader,
  keysOf,
  plainHit,
  type Snapshot,
  snapshotOf
} from "../../entries/EntryReader.js"
import { captureAsyncContext } from "../../runtime/asyncContext.js"
import { type CallingFiber, debugIsOn, nowMillis } from "../../runtime/fiber.js"
import type { ReadThrough } from "../ReadThrough.js"
import type { Lookups, MemoRequest } from "../request.js"
import { type Answered, Asked, type ManyKeys } from "./ManyKeys.js"

/** Stands in the place of a key without a value. */
export const unanswered: unique symbol = Symbol("unanswered")

/** What a call has found, by the places of its keys. */
export interface Found<A, Request, Answer> {
  readonly values: Array<A | typeof unanswered>
  /** The keys that are no plain hits. */
  readonly others: ReadonlyArray<Other<Request, Answer>>
}

export interface Other<Request, Answer> {
  readonly place: number
  readonly request: Request
  readonly answer: Answer
}

/** What can be done with many keys. */
export interface ManyLookups {
  readonly lookup: <A, E, R, Request extends MemoRequest<A, E, R>>(
    fiber: CallingFiber,
    keys: ManyKeys<A, Request>
  ) => Effect.Effect<Found<A, Request, Effect.Effect<A, E, R>>>
  /** The values that are there, fresh or stale. */
  readonly requireCache: <A, E, R>(
    fiber: CallingFiber,
    keys: ManyKeys<A, MemoRequest<A, E, R>>
  ) => Effect.Effect<ReadonlyArray<A | typeof unanswered>, CacheError>
}

export class ManyReads implements ManyLookups {
  constructor(
    private readonly reader: EntryReader,
    private readonly readThrough: ReadThrough
  ) {}

  lookup<A, E, R, Request extends MemoRequest<A, E, R>>(
    fiber: CallingFiber,
    keys: ManyKeys<A, Request>
  ): Effect.Effect<Found<A, Request, Effect.Effect<A, E, R>>> {
    // Before the call waits for a server, as in `ReadThrough.lookup`.
    const asyncContext = this.reader.asksOthers ? captureAsyncContext() : undefined
    return this.read(
      fiber,
      keys,
      (request, snapshot): Effect.Effect<A, E, R> => {
        request.asyncContext = asyncContext
        return this.readThrough.answerFrom(fiber, request, snapshot)
      },
      (request, error) => {
        request.asyncContext = asyncContext
        return this.readThrough.answerAfter(fiber, request, error)
      }
    )
  }

  requireCache<A, E, R>(
    fiber: CallingFiber,
    keys: ManyKeys<A, MemoRequest<A, E, R>>
  ): Effect.Effect<ReadonlyArray<A | typeof unanswered>, CacheError> {
    const found = this.read(
      fiber,
      keys,
      (request, snapshot): Effect.Effect<Option.Option<A>, CacheError> =>
        this.readThrough.requireFrom(request, snapshot),
      (_request, error) => error
    )
    return Effect.flatMap(found, ({ others, values }) =>
      Effect.as(
        Effect.forEach(
          others,
          ({ answer, place }) =>
            Effect.map(answer, (value) => {
              if (Option.isSome(value)) values[place] = value.value
            }),
          { discard: true }
        ),
        values
      )
    )
  }

  /** One round trip, or none where a tier has all. The caller must evaluate the returned Effect at once: see `Store.ts`. */
  private read<A, Request, Answer>(
    fiber: CallingFiber,
    keys: ManyKeys<A, Request>,
    onRead: (request: Request, snapshot: Snapshot) => Answer,
    onFailure: (request: Request, error: CacheError) => Answer
  ): Effect.Effect<Found<A, Request, Answer>> {
    const { groups, names, requestAt } = keys
    const values: Array<A | typeof unanswered> = new Array(names.length).fill(unanswered)
    const others: Array<Other<Request, Answer>> = []
    const other = (place: number, answerOf: (request: Request) => Answer): void => {
      const request = requestAt(place)
      others.push({ place, request, answer: answerOf(request) })
    }
    const places = this.withoutNear(fiber, keys, values, (place, snapshot) =>
      other(place, (request) => onRead(request, snapshot))
    )
    if (places.length === 0) return Effect.succeed({ values, others })
    const asked = new Asked(keys, places)
    return this.reader.read(
      fiber,
      asked.keys,
      (found) => {
        const answered = asked.answered(found)
        for (const index of this.withoutHits(fiber, keys, asked, answered, values)) {
          const place = places[index] ?? 0
          other(place, (request) => onRead(request, answered.snapshot(index, groups[place] ?? [])))
        }
        return Effect.succeed({ values, others: inOrder(others) })
      },
      (error) => {
        for (const place of places) other(place, (request) => onFailure(request, error))
        return Effect.succeed({ values, others: inOrder(others) })
      }
    )
  }

  /** Answers what a tier has whole. Returns the places of the other keys. */
  private withoutNear<A, Request>(
    fiber: CallingFiber,
    { codec, counters, groups, names, refreshesEarly }: ManyKeys<A, Request>,
    values: Array<A | typeof unanswered>,
    other: (place: number, snapshot: Snapshot) => void
  ): ReadonlyArray<number> {
    if (this.reader.store.local?.near === undefined) return Array.from(names.keys())
    const places: Array<number> = []
    names.forEach((name, place) => {
      const own = groups[place] ?? []
      const copies = this.reader.near(fiber, keysOf(name.finished, own))
      if (copies === undefined) {
        places.push(place)
        return
      }
      const snapshot = snapshotOf(own, copies, true)
      const hit = refreshesEarly ? undefined : plainHit(fiber, snapshot, codec, counters, name)
      if (hit === undefined) other(place, snapshot)
      else {
        values[place] = hit.right
        this.reader.learn(snapshot.stored, codec, hit.right)
      }
    })
    return places
  }

  /** Answers the plain hits. Returns the indexes of the other keys. */
  private withoutHits<A, Request>(
    fiber: CallingFiber,
    { codec, counters, groups, names, refreshesEarly }: ManyKeys<A, Request>,
    { places }: Asked,
    answered: Answered,
    values: Array<A | typeof unanswered>
  ): ReadonlyArray<number> {
    if (refreshesEarly || debugIsOn(fiber)) return Array.from(places.keys())
    const others: Array<number> = []
    const now = nowMillis(fiber)
    const isTold = counters.events.isListened
    places.forEach((place, index) => {
      const value = answered.fresh(index, groups[place] ?? [], now)
      const hit = value === undefined ? undefined : decodedAtOnce(codec, value.payload)
      if (hit === undefined) {
        others.push(index)
        return
      }
      values[place] = hit.right
      this.reader.learn(answered.stored(index), codec, hit.right)
      const name = names[place]
      if (isTold && name !== undefined) counters.tell("hits", name)
    })
    if (others.length < places.length) counters.add(fiber, "hits", places.length - others.length)
    return others
  }
}

/** Keys are loaded in the order in which they were asked. */
const inOrder = <Element extends { readonly place: number }>(others: Array<Element>): ReadonlyArray<Element> =>
  others.sort((one, another) => one.place - another.place)

/** For a backend that keeps nothing. */
export const uncachedMany = (lookups: Lookups): ManyLookups => ({
  lookup: (fiber, { names, requestAt }) =>
    Effect.succeed({
      values: names.map(() => unanswered),
      others: names.map((_, place) => {
        const request = requestAt(place)
        return { place, request, answer: Effect.suspend(() => lookups.lookup(fiber, request)) }
      })
    }),
  requireCache: (_fiber, { counters, names }) =>
    Effect.forEach(names, (name) => Effect.as(counters.count("misses", name), unanswered))
})
