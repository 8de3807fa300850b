/** Closes what may never close. */
import { Clock, type Duration, Effect, Exit, Scope } from "effect"

/**
 * Runs the effect in a scope of its own, which is closed with the caller's. A connection that the network has forgotten may never
 * close: after `longest` it is left behind.
 */
export const closedWithin =
  (longest: Duration.DurationInput) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, Exclude<R, Scope.Scope> | Scope.Scope> =>
    Effect.gen(function* () {
      const scope = yield* Effect.acquireRelease(Scope.make(), (made, exit) =>
        Effect.disconnect(Effect.interruptible(Scope.close(made, exit))).pipe(
          Effect.interruptible,
          Effect.timeoutOption(longest),
          Effect.withClock(Clock.make())
        )
      )
      return yield* Effect.onError(Scope.extend(effect, scope), (cause) =>
        Effect.forkDaemon(Scope.close(scope, Exit.failCause(cause)))
      )
    })
