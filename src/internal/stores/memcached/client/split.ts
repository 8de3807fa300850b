/** Sorts elements by the server that is asked for them, so that each server gets one write. */
import type { Pool, Route } from "./Pool.js"

export interface Part<A> {
  readonly route: Route
  readonly elements: Array<A>
  /** Where the elements stood before they were sorted. */
  readonly positions: Array<number>
}

const isSameRoute = (one: Route, other: Route): boolean => one.primary === other.primary && one.server === other.server

/**
 * The route that all elements share, if they do; `undefined` for no elements. Asked before `split`, because most calls have one
 * element: sorting it would add a third to the cost of a write.
 */
export const sharedRoute = <A>(
  pool: Pool,
  elements: ReadonlyArray<A>,
  keyOf: (element: A) => string
): Route | undefined => {
  let shared: Route | undefined
  for (const element of elements) {
    const route = pool.route(keyOf(element))
    if (pool.connections.length === 1) return route
    if (shared !== undefined && !isSameRoute(shared, route)) return undefined
    shared = route
  }
  return shared
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
