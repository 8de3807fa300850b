/** Lets a fiber wait for a callback. */
import { Cause, Effect, FiberRef, RuntimeFlags } from "effect"

/**
 * The calling fiber waits until `resume` is called. `isGone` returns whether the fiber was interrupted meanwhile, and so does not
 * wait any more. The callback's side asks `isGone` when it needs to know: a canceller for each caller would cost more than the rest
 * of this function.
 */
export const awaitCallback = <A, E = never, R = never>(
  register: (resume: (effect: Effect.Effect<A, E, R>) => void, isGone: () => boolean) => void
): Effect.Effect<A, E, R> =>
  Effect.withFiberRuntime<A, E, R>((fiber, { runtimeFlags }) => {
    const canLeave = RuntimeFlags.interruptible(runtimeFlags)
    const isGone = () => canLeave && !Cause.isEmpty(fiber.getFiberRef(FiberRef.interruptedCause))
    return Effect.async<A, E, R>((resume) => register(resume, isGone))
  })
