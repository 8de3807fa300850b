/**
 * Which server of a pool a key belongs to, by ketama's consistent hashing: a server that joins a pool of n takes over one
 * key in n + 1 and moves no other (memjs's own modulo moves nearly all). The same servers, in any order, give the same
 * places as libketama and every client compatible with it.
 *
 * @since 0.1.0
 */
import HashRing from "hashring"
import type { ServerAddress } from "./Servers.js"

/** What is used of hashring, which brings no types. */
interface Continuum {
  readonly get: (key: string) => string
  readonly range: (key: string, size: number) => ReadonlyArray<string>
}

export interface Ring {
  /** The index of the server that the key belongs to. */
  readonly home: (key: string) => number
  /** The indices of all servers, in the order in which they stand in for each other under this key. */
  readonly order: (key: string) => ReadonlyArray<number>
}

const hashesPerServer = 40

/**
 * libketama's own arithmetic, in its single precision: hashring computes the share in double precision, where a third of
 * three servers' hashes may come out as 39.
 */
const hashCount = (weight: number, total: number, servers: number): number =>
  Math.floor(Math.fround(Math.fround(weight / total) * hashesPerServer * servers))

export const makeRing = (servers: ReadonlyArray<ServerAddress>): Ring => {
  if (servers.length === 1) {
    const order = [0]
    return { home: () => 0, order: () => order }
  }
  const total = servers.reduce((sum, server) => sum + server.weight, 0)
  const hashes = Object.fromEntries(
    servers.map((server) => [server.label, { vnodes: hashCount(server.weight, total, servers.length) }])
  )
  // A count other than any server's makes hashring take the given ones as they are.
  const continuum: Continuum = new HashRing(hashes, "md5", { "vnode count": -1 })
  const indexOf = new Map(servers.map((server, index) => [server.label, index]))
  const index = (label: string): number => indexOf.get(label) ?? 0
  return {
    home: (key) => index(continuum.get(key)),
    order: (key) => continuum.range(key, servers.length).map(index)
  }
}
