/** Sorts elements by the server that is asked for them, so that each server gets one write. */
import type { Pool, Route } from "./Pool.js"

export interface Part<A> {
  readonly route: Route
  readonly elements: ReadonlyArray<A>
  /** Where the elements stood before they were sorted. */
  readonly positions: ReadonlyArray<number>
}

const isSameRoute = (one: Route, other: Route): boolean => one.primary === other.primary && one.server === other.server

export const split = <A>(
  pool: Pool,
  elements: ReadonlyArray<A>,
  keyOf: (element: A) => string
): ReadonlyArray<Part<A>> => {
  const [first] = elements
  // The most usual case. Sorting it would add a third to what a lone write costs.
  if (first !== undefined && elements.length === 1)
    return [{ route: pool.route(keyOf(first)), elements, positions: [0] }]
  const parts: Array<{ readonly route: Route; readonly elements: Array<A>; readonly positions: Array<number> }> = []
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
