/**
 * Which server of a pool a key belongs to, by ketama's consistent hashing: a server that joins a pool of n takes over one key in
 * n + 1 and moves no other. The same servers, in any order, give the same places as libketama and every client compatible with
 * it.
 *
 * Each server has many points on a circle of 2^32, by its weight. A key belongs to the server of the first point that is not
 * before the key's own place.
 */
import { hash } from "node:crypto"
import type { ServerAddress } from "./Servers.js"

export interface Ring {
  /** The index of the server that the key belongs to. */
  readonly primary: (key: string) => number
  /** The indices of all servers: the primary one, then the others in the order in which they stand in for it. */
  readonly order: (key: string) => ReadonlyArray<number>
}

interface Point {
  readonly place: number
  readonly server: number
}

const hashesPerServer = 40
const pointsPerHash = 4

/** As text of one character a byte, which costs half of what a Buffer does. */
const md5 = (text: string): string => hash("md5", text, "binary")

/** One of the four little-endian numbers in a hash. */
const placeIn = (hashed: string, index: number): number => {
  const at = index * 4
  const high = (hashed.charCodeAt(at + 3) << 8) | hashed.charCodeAt(at + 2)
  const low = (hashed.charCodeAt(at + 1) << 8) | hashed.charCodeAt(at)
  return high * 65_536 + low
}

/** libketama's own arithmetic, in single precision. In double precision a third of three servers' hashes may come out as 39. */
const hashCount = (weight: number, total: number, servers: number): number =>
  Math.floor(Math.fround(Math.fround(weight / total) * hashesPerServer * servers))

const pointsOf = (servers: ReadonlyArray<ServerAddress>): ReadonlyArray<Point> => {
  const total = servers.reduce((sum, { weight }) => sum + weight, 0)
  const points: Array<Point> = []
  servers.forEach(({ label, weight }, server) => {
    for (let count = hashCount(weight, total, servers.length), each = 0; each < count; each++) {
      const hashed = md5(`${label}-${each}`)
      for (let index = 0; index < pointsPerHash; index++) points.push({ place: placeIn(hashed, index), server })
    }
  })
  return points.sort((one, other) => one.place - other.place)
}

export const makeRing = (servers: ReadonlyArray<ServerAddress>): Ring => {
  if (servers.length === 1) {
    const order = [0]
    return { primary: () => 0, order: () => order }
  }
  const points = pointsOf(servers)

  /** The index of the first point that is not before the key; after the last point comes the first. */
  const find = (key: string): number => {
    const place = placeIn(md5(key), 0)
    let low = 0
    let high = points.length
    while (low < high) {
      const middle = (low + high) >> 1
      if ((points[middle]?.place ?? 0) < place) low = middle + 1
      else high = middle
    }
    return low === points.length ? 0 : low
  }

  return {
    primary: (key) => points[find(key)]?.server ?? 0,
    order: (key) => {
      const start = find(key)
      const order = new Set<number>()
      for (let step = 0; step < points.length && order.size < servers.length; step++) {
        order.add(points[(start + step) % points.length]?.server ?? 0)
      }
      return [...order]
    }
  }
}
