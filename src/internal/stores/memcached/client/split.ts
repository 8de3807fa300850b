/**
 * Sorts elements by the server that is asked for them. Many elements for one server become several commands, so that the time-out
 * measures the server and not how much it was asked at once.
 */
import { isSameRoute, type Pool, type Route } from "./Pool.js"

export interface Part<A> {
  readonly route: Route
  readonly elements: Array<A>
  /** Where the elements stood before they were sorted. */
  readonly positions: Array<number>
}

/** Elements of one command, and bytes of their values. A command has more bytes only where one value has. */
const mostElements = 500
const mostBytes = 262_144

const noBytes = (): number => 0

/** Whether the elements are one command if they have one route. Most calls have one element. */
export const isOnePart = <A>(elements: ReadonlyArray<A>, bytesOf: (element: A) => number = noBytes): boolean => {
  if (elements.length > mostElements) return false
  let bytes = 0
  if (elements.length > 1) for (const element of elements) bytes += bytesOf(element)
  return bytes <= mostBytes
}

export const split = <A>(
  pool: Pool,
  elements: ReadonlyArray<A>,
  keyOf: (element: A) => string,
  bytesOf: (element: A) => number = noBytes
): ReadonlyArray<Part<A>> => {
  const full: Array<Part<A>> = []
  const open: Array<Part<A> & { bytes: number }> = []
  elements.forEach((element, position) => {
    const route = pool.route(keyOf(element))
    const at = open.findIndex((other) => isSameRoute(other.route, route))
    const part = open[at]
    if (part === undefined) {
      open.push({ route, elements: [element], positions: [position], bytes: bytesOf(element) })
      return
    }
    part.elements.push(element)
    part.positions.push(position)
    part.bytes += bytesOf(element)
    if (part.elements.length >= mostElements || part.bytes >= mostBytes) full.push(...open.splice(at, 1))
  })
  return [...full, ...open]
}
