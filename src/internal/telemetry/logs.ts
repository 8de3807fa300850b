/** Debug logs of what the cache does. */
import { Effect } from "effect"
import { debugIsOn, withFiber } from "../runtime/fiber.js"

export const logAction = (
  action: "HIT" | "MISS" | "STALE" | "SET" | "DELETE" | "DISCARD",
  printed: string
): Effect.Effect<void> =>
  // Checked here, because `Effect.logDebug` builds the message before it checks the level.
  withFiber((fiber) => (debugIsOn(fiber) ? Effect.logDebug(`Cache ${action} ${printed}`) : Effect.void))
