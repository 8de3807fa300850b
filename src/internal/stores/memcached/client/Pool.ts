/** The servers of a store, and which of them is asked for a key. */
import { generationKey } from "../generation/Generation.js"
import { Generations } from "../generation/Generations.js"
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

export const isSameRoute = (one: Route, other: Route): boolean =>
  one.primary === other.primary && one.server === other.server

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

  /** The route that all elements share, if they do; `undefined` for no elements. Most calls have one element. */
  sharedRoute<A>(elements: ReadonlyArray<A>, keyOf: (element: A) => string): Route | undefined {
    let shared: Route | undefined
    for (const element of elements) {
      const route = this.route(keyOf(element))
      if (this.connections.length === 1) return route
      if (shared !== undefined && !isSameRoute(shared, route)) return undefined
      shared = route
    }
    return shared
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
