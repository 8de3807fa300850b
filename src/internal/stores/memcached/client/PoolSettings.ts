/** What the connections to memcached need to know. */
import type { Redacted } from "effect"
import type { ServerAddress } from "./Servers.js"
import type { TlsSettings } from "./tls.js"

export interface Credentials {
  readonly username: string
  readonly password: Redacted.Redacted
}

export interface ConnectionSettings {
  /** Milliseconds until a command without an answer has failed. */
  readonly timeout: number
  /** Milliseconds until an attempt to connect has failed. */
  readonly connectTimeout: number
  /** Milliseconds between two attempts to reach a server that is down. */
  readonly retryDelay: number
  readonly credentials: Credentials | undefined
  /** Of connections by TLS. */
  readonly tls: TlsSettings | undefined
}

export interface PoolSettings extends ConnectionSettings {
  readonly servers: ReadonlyArray<ServerAddress>
  readonly namespace: string
  /** Whether another server stands in for one that is down. */
  readonly failover: boolean
}
