/** Waiting for a callback. */
import { Cause, Effect, FiberRef, RuntimeFlags } from "effect"

/**
 * The calling fiber waits until `resume` is called. `isGone` tells whether it was interrupted meanwhile and so waits no more.
 * Whoever calls back asks `isGone` when it matters: a canceller would cost more than all else that a caller does here.
 */
export const awaitCallback = <A, E = never, R = never>(
  register: (resume: (effect: Effect.Effect<A, E, R>) => void, isGone: () => boolean) => void
): Effect.Effect<A, E, R> =>
  Effect.withFiberRuntime<A, E, R>((fiber, { runtimeFlags }) => {
    const canLeave = RuntimeFlags.interruptible(runtimeFlags)
    const isGone = () => canLeave && !Cause.isEmpty(fiber.getFiberRef(FiberRef.interruptedCause))
    return Effect.async<A, E, R>((resume) => register(resume, isGone))
  })
