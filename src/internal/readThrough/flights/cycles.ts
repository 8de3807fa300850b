/** Does a computation need its own result, through whatever chain of flights? Then it dies with an error that names the chain. */
import { Effect } from "effect"
import { type Flight, stillRunning } from "./Flight.js"
import type { Flights } from "./Flights.js"

const cyclic = (path: ReadonlyArray<string>): Effect.Effect<never> =>
  Effect.dieMessage(`Cached computation needs its own result: ${path.join(" → ")}`)

/**
 * The error if a caller who is to compute the key is part of a computation of that key already.
 *
 * @param callerFlight the flight whose computation the caller is part of
 */
export const cycleOfStart = (
  flights: Flights,
  callerFlight: Flight | undefined,
  { key, printed }: { readonly key: string; readonly printed: string }
): Effect.Effect<never> | undefined => {
  // Walking up the chain at each start would make a recursion quadratic.
  if (!flights.isRunning(key)) return undefined
  const path = [printed]
  for (let at = stillRunning(callerFlight); at !== undefined; at = stillRunning(at.parent)) {
    path.push(at.printed)
    if (at.computes(flights, key)) return cyclic(path.reverse())
  }
  return undefined
}

/** The error if the flight that a caller is to wait for waits for the caller's own one. */
export const cycleOfJoin = (callerFlight: Flight | undefined, flight: Flight): Effect.Effect<never> | undefined =>
  callerFlight !== undefined && flight.reaches(callerFlight)
    ? cyclic([callerFlight.printed, flight.printed, callerFlight.printed])
    : undefined
