/**
 * What the conformance tests share: keys that no other run uses, and ways to move time.
 */
import { randomUUID } from "node:crypto"
import type { Vitest } from "@effect/vitest"
import { Clock, Duration, Effect, TestServices } from "effect"
import { CacheBackend, type CacheBackendService } from "../../CacheBackend.js"
import type { CacheError, CacheErrorReason } from "../../CacheError.js"

/** Vitest's `it`, which provides the backend under test and a `TestClock`. */
export type It = Vitest.MethodsNonLive<CacheBackend>

export interface Ground {
  readonly cache: CacheBackendService
  /** A key, group or version name that only this test uses. */
  readonly key: (name: string) => string
}

export const ground: Effect.Effect<Ground, never, CacheBackend> = Effect.map(CacheBackend, (cache) => {
  const prefix = randomUUID()
  return { cache, key: (name) => `${prefix} ${name}` }
})

/** The reason of the `CacheError` that the effect fails with; dies if the effect succeeds. */
export const reasonOf = <A, R>(effect: Effect.Effect<A, CacheError, R>): Effect.Effect<CacheErrorReason, never, R> =>
  Effect.matchEffect(effect, {
    onFailure: (error) => Effect.succeed(error.reason),
    onSuccess: (value) => Effect.dieMessage(`expected a CacheError, but the operation succeeded with ${value}`)
  })

/**
 * Runs this effect alone as if so much time had passed. For leaps of years: if the `TestClock` moved that far, a backend's
 * background work of every few seconds would run a million times.
 */
export const later = <A, E, R>(
  duration: Duration.DurationInput,
  effect: Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> =>
  Effect.clockWith((clock) => {
    const millis = Duration.toMillis(duration)
    const nanos = BigInt(millis) * 1_000_000n
    return Effect.withClock(effect, {
      [Clock.ClockTypeId]: Clock.ClockTypeId,
      unsafeCurrentTimeMillis: () => clock.unsafeCurrentTimeMillis() + millis,
      unsafeCurrentTimeNanos: () => clock.unsafeCurrentTimeNanos() + nanos,
      currentTimeMillis: Effect.map(clock.currentTimeMillis, (now) => now + millis),
      currentTimeNanos: Effect.map(clock.currentTimeNanos, (now) => now + nanos),
      sleep: (duration) => clock.sleep(duration)
    })
  })

/** Runs on the real clock, for tests in which callers wait for one another. A whole test must run on one clock. */
export const live: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R> = TestServices.provideLive

/** How many callers are at work at once. */
export const crowd = 40

export const together = <A, E, R>(effect: (index: number) => Effect.Effect<A, E, R>): Effect.Effect<Array<A>, E, R> =>
  Effect.forEach(
    Array.from({ length: crowd }, (_, index) => index),
    effect,
    { concurrency: "unbounded" }
  )

/**
 * Counts the callers that find no value from now on: the effect waits until there are so many, and a moment longer, so that they
 * wait for the computation then.
 */
export const waiting = (
  cache: CacheBackendService
): Effect.Effect<(count: number) => Effect.Effect<void, CacheError>, CacheError> =>
  Effect.map(cache.stats, (before) => (count) => {
    const wait: Effect.Effect<void, CacheError> = Effect.flatMap(cache.stats, ({ misses }) =>
      misses - before.misses >= count ? live(Effect.sleep("10 millis")) : Effect.delay(wait, "5 millis").pipe(live)
    )
    return wait
  })
