/** The fiber that runs now. Only this folder touches Effect's fiber runtime. */
import { Effect, type Fiber } from "effect"

/** The fiber of whoever called, at hand without an operation of the runtime. */
export type CallingFiber = Fiber.RuntimeFiber<unknown, unknown>

/** Gives the calling fiber to `use`, in one operation of the runtime. */
export const withFiber = <A, E = never, R = never>(
  use: (fiber: CallingFiber) => Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> => Effect.withFiberRuntime<A, E, R>((fiber) => use(fiber))
