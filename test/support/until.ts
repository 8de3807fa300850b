/** Tests wait for what is to happen, not for a time in which it should have. */
import { Effect } from "effect"

/** What never comes shall be told before the test's own time limit. */
const patience = 60_000

/** What is seen when it is right at last, however long a busy machine takes for it; or else what was seen last. */
export const until = <A, E, R>(look: Effect.Effect<A, E, R>, right: (seen: A) => boolean): Effect.Effect<A, E, R> =>
  Effect.suspend(() => {
    const end = performance.now() + patience
    const again: Effect.Effect<A, E, R> = Effect.flatMap(look, (seen) =>
      right(seen) || performance.now() > end ? Effect.succeed(seen) : Effect.delay(again, "20 millis")
    )
    return again
  })
