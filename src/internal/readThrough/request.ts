/** One memoized call, all options checked and all names finished. */
import type { Effect, Either, Option } from "effect"
import type { CacheError, NoCachedValue } from "../../CacheError.js"
import type { ValueCodec } from "../entries/ValueCodec.js"
import type { AsyncContext } from "../runtime/asyncContext.js"
import type { CallingFiber } from "../runtime/fiber.js"
import type { Counters } from "../telemetry/counters.js"
import type { Warnings } from "../telemetry/warnings.js"

/** How a computed value is kept: `MemoOptions`, checked, with durations in milliseconds. */
export interface Policy<A> {
  readonly ttl: (receiver: unknown, value: A, args: ReadonlyArray<unknown>) => Either.Either<number, CacheError>
  readonly stale: number
  readonly cacheWhen: (value: A) => boolean
  readonly background: boolean
  readonly finish: boolean
  readonly staleOnError: boolean
  readonly lease: number
  readonly maxLease: number
  readonly earlyRefresh: number
  readonly jitter: number
  /** Milliseconds that the caller who recomputes an old value waits; `Infinity` where it waits as long as it takes. */
  readonly softTimeout: number
  readonly failures: FailurePolicy | undefined
}

/** Which errors are kept, and for how long. */
export interface FailurePolicy {
  readonly when: (error: unknown) => boolean
  /** Milliseconds. */
  readonly ttl: (error: unknown) => Either.Either<number, CacheError>
}

/** The old value of a call that recomputes it, and whether `refresh` has said that it is still right. */
export interface Previous<A> {
  readonly value: A
  isUnchanged: boolean
}

/** What a request that is one of many tells its call, which loads the keys of all of them together. */
export interface Companion {
  /** A flight of the request has begun to acquire its lease. */
  flightStarts(): void
  /** That flight has ended. */
  flightEnds(): void
  /** The request waits for a computation that another call has started. */
  joins(): void
  /** Waits so many milliseconds, together with the others that wait, before the key is read again. */
  again(delay: number): Effect.Effect<void>
}

export interface MemoRequest<A, E, R> {
  /** The finished key. */
  readonly key: string
  /** The key as the user knows it: without namespace and version. */
  readonly printed: string
  /** Finished, sorted, each once. */
  readonly groups: ReadonlyArray<string>
  readonly policy: Policy<A>
  readonly codec: ValueCodec<A>
  /** `undefined` where errors are not kept. */
  readonly failureCodec: ValueCodec<E> | undefined
  readonly counters: Counters
  readonly warnings: Warnings
  /** The `this` of the call. */
  readonly receiver: unknown
  readonly args: ReadonlyArray<unknown>
  readonly compute: Effect.Effect<A, E, R>
  /** Runs in place of `compute` where there is an old value. `None`: that one is still right. */
  readonly refresh: ((previous: A) => Effect.Effect<Option.Option<A>, E, R>) | undefined
  /** Whether the arguments have another key now: somebody has changed one of them since the call. */
  hasOtherKeyNow(): boolean
  /** That of the caller before it waited for the store. */
  asyncContext: AsyncContext | undefined
  /** Set by a call that begins to `refresh`. */
  previous: Previous<A> | undefined
  /** Set where the request is one of many. */
  readonly companion?: Companion | undefined
}

/** What can be done with a request: what `cached` and `getOrSet` ask of a backend. */
export interface Lookups {
  readonly lookup: <A, E, R>(fiber: CallingFiber, request: MemoRequest<A, E, R>) => Effect.Effect<A, E, R>
  readonly forceRecalc: <A, E, R>(request: MemoRequest<A, E, R>) => Effect.Effect<A, E, R>
  readonly requireCache: <A, E, R>(request: MemoRequest<A, E, R>) => Effect.Effect<A, CacheError | NoCachedValue>
}
