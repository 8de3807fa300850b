/** A cheaper `Effect.scoped`. */
import { Context, Effect, FiberRef, Scope } from "effect"

/**
 * `Effect.scoped` for an effect that can't be interrupted, in half of its steps. With `Effect.scoped` around each statement, a
 * lone read of PostgreSQL takes a tenth longer.
 */
export const scopedUninterruptible = <A, E>(use: Effect.Effect<A, E, Scope.Scope>): Effect.Effect<A, E> =>
  Effect.withFiberRuntime<A, E>(({ currentContext: context }) =>
    Effect.flatMap(Scope.make(), (scope) =>
      FiberRef.set(FiberRef.currentContext, Context.add(context, Scope.Scope, scope)).pipe(
        // The cast: the step before has put the scope into the context.
        Effect.zipRight(Effect.exit(use as Effect.Effect<A, E>)),
        Effect.flatMap((exit) =>
          FiberRef.set(FiberRef.currentContext, context).pipe(
            Effect.zipRight(Scope.close(scope, exit)),
            Effect.zipRight(exit)
          )
        )
      )
    )
  )
