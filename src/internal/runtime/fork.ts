/** Runs effects from callbacks of Node, such as those of a socket, where no fiber runs. */
import { Effect, Runtime } from "effect"

/** A function that runs effects in the background, each in a fiber of its own, with the context of this Effect's fiber. */
export const forkFromCallbacks: Effect.Effect<(effect: Effect.Effect<unknown>) => void> = Effect.map(
  Effect.runtime<never>(),
  (runtime) => (effect) => {
    Runtime.runFork(runtime)(effect)
  }
)
