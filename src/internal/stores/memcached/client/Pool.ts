/**
 * memjs's `Client` over connections of this library's own, with ketama's choice of the server.
 *
 * @since 0.1.0
 */
import { Client } from "memjs"
import { generationKey } from "../generation/Generation.js"
import { Generations } from "../generation/Generations.js"
import { Connection, type ConnectionSettings, type Surroundings } from "./Connection.js"
import { makeRing, type Ring } from "./Ring.js"
import type { ServerAddress } from "./Servers.js"

export interface PoolSettings extends ConnectionSettings {
  readonly servers: ReadonlyArray<ServerAddress>
  readonly namespace: string
  /** Whether the next server of the ring stands in for one that is down. */
  readonly failover: boolean
}

/** Which server is asked for a key, and which one it belongs to: two only during an outage, with failover. */
export interface Route {
  readonly home: number
  readonly holder: Connection
}

export class Pool extends Client {
  readonly connections: ReadonlyArray<Connection>
  private readonly ring: Ring
  /** Each server as the holder of its own keys. */
  private readonly directs: ReadonlyArray<Route>
  private readonly byLabel: ReadonlyMap<string, Connection>

  constructor(
    readonly settings: PoolSettings,
    log: Surroundings["log"]
  ) {
    const connections: Array<Connection> = []
    // One attempt: memjs repeats by timers that nobody could stop, and repeats what may have happened already.
    super(connections, { failover: false, retries: 1, logger: { log: (...said) => log("Debug", said.join(" ")) } })
    this.connections = connections
    this.ring = makeRing(settings.servers)
    const surroundings: Surroundings = {
      log,
      perform: (label, request, opaque, done) => this.perform(label, request, opaque, done),
      wentDown: (server) => this.wentDown(server),
      othersAnswer: (server) => connections.some((other) => other !== server && other.isReady)
    }
    settings.servers.forEach((address, index) => {
      const keys = settings.servers.map((home, at) =>
        generationKey(settings.namespace, at === index ? undefined : home.label)
      )
      connections.push(new Connection(index, address, new Generations(index, keys), settings, surroundings))
    })
    this.directs = connections.map((holder) => ({ home: holder.index, holder }))
    this.byLabel = new Map(connections.map((connection) => [connection.address.label, connection]))
  }

  /** The index of the server that the key belongs to, as memjs documents it. */
  override getServer(key: string): string {
    return `${this.ring.home(key)}`
  }

  /** Where memjs sends a batch, which names its server by the label. */
  override server(label: string): Connection | undefined {
    return this.byLabel.get(label)
  }

  route(key: string): Route {
    const home = this.ring.home(key)
    const direct = this.directs[home]
    if (direct === undefined) throw new Error(`the pool has no server ${home}`)
    if (!this.settings.failover || direct.holder.refusal === undefined) return direct
    const standIn = this.ring.order(key).find((index) => this.connections[index]?.refusal === undefined)
    return { home, holder: this.connections[standIn ?? home] ?? direct.holder }
  }

  /**
   * From here on others stand in for the server. What they kept for it in an earlier outage, and what it holds itself
   * when it returns, may have been invalidated in between: both get a new generation before they are read.
   */
  private wentDown(server: Connection): void {
    if (!this.settings.failover) return
    server.owesGeneration = true
    for (const other of this.connections) if (other !== server) other.generations.saw(server.index, undefined)
  }
}
