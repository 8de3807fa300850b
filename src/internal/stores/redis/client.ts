/** What the store needs of a client of Redis. `nodeRedis.ts` makes it of node-redis. */

/**
 * A client of Redis or Valkey. It is connected when the layer gets it, and connects again by itself; while it has no connection, a
 * command fails at once instead of waiting.
 *
 * @example
 * import type { RedisClient } from "effect-cached/RedisBackend"
 *
 * interface Ioredis {
 *   callBuffer(command: string, ...args: ReadonlyArray<string | Uint8Array>): Promise<unknown>
 *   disconnect(reconnect: boolean): void
 * }
 *
 * const fromIoredis = (client: Ioredis): RedisClient => ({
 *   isCluster: false,
 *   send: (_key, [command = "", ...args]) => client.callBuffer(String(command), ...args),
 *   reconnect: () => client.disconnect(true)
 * })
 *
 * @since 0.1.0
 * @category models
 */
export interface RedisClient {
  /** Whether the keys are spread over several servers by their hash slots. */
  readonly isCluster: boolean
  /**
   * Sends one command to the server that has the key, never to a replica. Bulk strings in the answer are Buffers. It is rejected
   * with an error whose message is the server's, such as `OOM command not allowed`, or with one of the connection.
   */
  readonly send: (key: string, command: ReadonlyArray<string | Uint8Array>) => Promise<unknown>
  /** Ends a connection on which nothing is answered any more, and makes a new one. Optional. */
  readonly reconnect?: () => unknown
}

/** A client that may be of this library. */
export interface OwnClient extends RedisClient {
  /**
   * Returns `true` while the first attempt runs to make a lost connection anew, and calls back when that has ended. While a server
   * is away, later attempts are not waited for.
   */
  readonly waits?: (then: () => void) => boolean
}
