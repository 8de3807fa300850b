/**
 * The servers of a store, which of them is asked for a key, and how the elements of a call are sorted by that. Many elements for
 * one server become several commands, so that the time-out measures the server and not how much it was asked at once.
 */
import { Generations, generationKey } from "../generation.js"
import { Connection, type Surroundings } from "./Connection.js"
import type { PoolSettings } from "./PoolSettings.js"
import { makeRing, type Ring } from "./Ring.js"

/** The server that a key belongs to, and the one that is asked. They differ while, with failover, another one stands in. */
export interface Route {
  /** The index of the server that the key belongs to. */
  readonly primary: number
  /** The server that is asked: the primary one, or the one that stands in for it. */
  readonly server: Connection
}

const isSameRoute = (one: Route, other: Route): boolean => one.primary === other.primary && one.server === other.server

/** The elements that one command is for. */
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

export class Pool {
  readonly connections: ReadonlyArray<Connection>
  private readonly ring: Ring
  /** The routes to the primary servers. */
  private readonly direct: ReadonlyArray<Route>

  constructor(
    readonly settings: PoolSettings,
    log: Surroundings["log"]
  ) {
    const connections: Array<Connection> = []
    this.connections = connections
    this.ring = makeRing(settings.servers)
    const surroundings: Surroundings = {
      log,
      wentDown: (server) => this.wentDown(server),
      othersAnswer: (server) => connections.some((other) => other !== server && other.isReady)
    }
    settings.servers.forEach((address, index) => {
      const keys = settings.servers.map((primary, at) =>
        generationKey(settings.namespace, at === index ? undefined : primary.label)
      )
      connections.push(new Connection(index, address, new Generations(index, keys), settings, surroundings))
    })
    this.direct = connections.map((server) => ({ primary: server.index, server }))
  }

  route(key: string): Route {
    const primary = this.connections.length === 1 ? 0 : this.ring.primary(key)
    const direct = this.direct[primary]
    if (direct === undefined) throw new Error(`the pool has no server ${primary}`)
    if (!this.settings.failover || direct.server.refusal === undefined) return direct
    const standIn = this.ring.order(key).find((index) => this.connections[index]?.refusal === undefined)
    return { primary, server: this.connections[standIn ?? primary] ?? direct.server }
  }

  /** The route of all elements, if one command can be for all of them. Most calls have one element. */
  sharedRoute<A>(
    elements: ReadonlyArray<A>,
    keyOf: (element: A) => string,
    bytesOf: (element: A) => number = noBytes
  ): Route | undefined {
    if (elements.length > mostElements) return undefined
    let shared: Route | undefined
    let bytes = 0
    for (const element of elements) {
      const route = this.route(keyOf(element))
      bytes += bytesOf(element)
      if (shared === undefined) shared = route
      else if (bytes > mostBytes || !isSameRoute(shared, route)) return undefined
    }
    return shared
  }

  split<A>(
    elements: ReadonlyArray<A>,
    keyOf: (element: A) => string,
    bytesOf: (element: A) => number = noBytes
  ): ReadonlyArray<Part<A>> {
    const full: Array<Part<A>> = []
    const open: Array<Part<A> & { bytes: number }> = []
    elements.forEach((element, position) => {
      const route = this.route(keyOf(element))
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

  close(): void {
    for (const connection of this.connections) connection.close()
  }

  /**
   * From here on others stand in for the server. What they have kept for it in an earlier outage, and what it has itself when it
   * returns, may have been invalidated in between: both get a new generation before they are read.
   */
  private wentDown(server: Connection): void {
    if (!this.settings.failover) return
    server.mustRenew = true
    for (const other of this.connections) if (other !== server) other.generations.learn(server.index, undefined)
  }
}
