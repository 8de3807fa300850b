/** Running effects from callbacks, such as those of a socket, which know no fiber. */
import { Effect, Runtime } from "effect"

/** A function that runs effects in the background, each in a fiber of its own, with the caller's context. */
export const forkFromCallbacks: Effect.Effect<(effect: Effect.Effect<unknown>) => void> = Effect.map(
  Effect.runtime<never>(),
  (runtime) => (effect) => {
    Runtime.runFork(runtime)(effect)
  }
)
