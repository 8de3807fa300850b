/** Sorts elements by the server that is asked for them, so that each server gets one write. */
import { isSameRoute, type Pool, type Route } from "./Pool.js"

export interface Part<A> {
  readonly route: Route
  readonly elements: Array<A>
  /** Where the elements stood before they were sorted. */
  readonly positions: Array<number>
}

export const split = <A>(
  pool: Pool,
  elements: ReadonlyArray<A>,
  keyOf: (element: A) => string
): ReadonlyArray<Part<A>> => {
  const parts: Array<Part<A>> = []
  elements.forEach((element, position) => {
    const route = pool.route(keyOf(element))
    const part = parts.find((other) => isSameRoute(other.route, route))
    if (part === undefined) parts.push({ route, elements: [element], positions: [position] })
    else {
      part.elements.push(element)
      part.positions.push(position)
    }
  })
  return parts
}
