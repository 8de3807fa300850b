/**
 * What the conformance tests stand on: names that no other run uses, and ways to move time.
 */
import { randomUUID } from "node:crypto"
import type { Vitest } from "@effect/vitest"
import { Clock, Duration, Effect, TestServices } from "effect"
import { CacheBackend, type CacheBackendService } from "../../CacheBackend.js"
import type { CacheError, CacheErrorReason } from "../../CacheError.js"

/** Vitest's `it` with the backend under test at hand; its clock is a `TestClock`. */
export type It = Vitest.MethodsNonLive<CacheBackend>

export interface Ground {
  readonly cache: CacheBackendService
  /** A key, group or version name of this test alone. */
  readonly key: (name: string) => string
}

export const ground: Effect.Effect<Ground, never, CacheBackend> = Effect.map(CacheBackend, (cache) => {
  const prefix = randomUUID()
  return { cache, key: (name) => `${prefix} ${name}` }
})

/** The reason that the effect fails with; dies if it succeeds. */
export const reasonOf = <A, R>(effect: Effect.Effect<A, CacheError, R>): Effect.Effect<CacheErrorReason, never, R> =>
  Effect.matchEffect(effect, {
    onFailure: (error) => Effect.succeed(error.reason),
    onSuccess: (value) => Effect.dieMessage(`expected a CacheError, but the operation succeeded with ${value}`)
  })

/**
 * Runs the effect as if so much time had passed, for this effect alone. For leaps of years: moving the `TestClock` would
 * run whatever a backend does every few seconds a million times.
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

/** On the real clock, for tests in which several callers wait for one another. All of a test must be on one clock. */
export const live: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R> = TestServices.provideLive

/** Of so many callers at once. */
export const crowd = 40

export const together = <A, E, R>(effect: (index: number) => Effect.Effect<A, E, R>): Effect.Effect<Array<A>, E, R> =>
  Effect.forEach(
    Array.from({ length: crowd }, (_, index) => index),
    effect,
    { concurrency: "unbounded" }
  )
