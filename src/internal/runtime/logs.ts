/** Logging what the cache does. */
import { Effect } from "effect"
import { debugIsOn, withFiber } from "./fiber.js"

export const logAction = (
  action: "HIT" | "MISS" | "STALE" | "SET" | "DELETE" | "DISCARD",
  printed: string
): Effect.Effect<void> =>
  // Effect asks for the level only after it has put the message together.
  withFiber((fiber) => (debugIsOn(fiber) ? Effect.logDebug(`Cache ${action} ${printed}`) : Effect.void))
