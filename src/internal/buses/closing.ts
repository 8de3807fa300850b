/** Closes what may never close. */
import { Clock, type Duration, Effect, Exit, Fiber, Scope } from "effect"

/**
 * Runs the effect in a scope of its own, which is closed with the caller's. A connection that the network has forgotten may never
 * close: after `longest` it is left behind.
 */
export const closedWithin =
  (longest: Duration.DurationInput) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, Exclude<R, Scope.Scope> | Scope.Scope> =>
    Effect.gen(function* () {
      const scope = yield* Effect.acquireRelease(Scope.make(), (made, exit) =>
        // It is never interrupted: what is not waited for any more is closed all the same, to its end.
        Effect.flatMap(Effect.forkDaemon(Scope.close(made, exit)), (closing) =>
          Effect.timeoutOption(Effect.interruptible(Fiber.await(closing)), longest)
        ).pipe(Effect.withClock(Clock.make()))
      )
      return yield* Effect.onError(Scope.extend(effect, scope), (cause) =>
        Effect.forkDaemon(Scope.close(scope, Exit.failCause(cause)))
      )
    })
