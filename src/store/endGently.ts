/** How what is under way ends when nobody waits for it any more. */
import { Effect, Fiber } from "effect"

/** What a server that is well needs no longer for. */
const grace = "500 millis"

/**
 * Lets the fibers end by themselves, and interrupts them where they don't. A statement of PostgreSQL that is interrupted
 * keeps its connection until the driver has cancelled it through another one; in a pool of one, for 5 seconds.
 */
export const endGently = (fibers: Iterable<Fiber.RuntimeFiber<unknown, unknown>>): Effect.Effect<void> =>
  Effect.suspend(() => {
    const all = [...fibers]
    return Fiber.awaitAll(all).pipe(
      Effect.interruptible,
      Effect.timeoutOption(grace),
      Effect.zipRight(Fiber.interruptAll(all))
    )
  })
