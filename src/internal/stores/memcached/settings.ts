/** The options of the connections to memcached. */
import { Duration, Either, type Redacted } from "effect"
import { CacheError } from "../../../CacheError.js"
import type { PoolSettings } from "./client/PoolSettings.js"
import { parseServers } from "./client/Servers.js"
import { type MemcachedTlsOptions, tlsSettings } from "./client/tls.js"

export type { MemcachedTlsOptions } from "./client/tls.js"

/**
 * @since 0.1.0
 * @category models
 */
export interface MemcachedOptions {
  /**
   * One server, or a pool: `host:port:weight`, separated by commas; the port is 11211 and the weight 1 unless given,
   * IPv6 addresses stand in brackets. All programs that share a cache must give the same servers by the same names, in
   * any order.
   */
  readonly servers: string
  /**
   * Whether connections are encrypted, and how the servers' certificates are verified. `true` verifies them by the authorities
   * that Node trusts, against the host's name in `servers`. Default false.
   */
  readonly tls?: boolean | MemcachedTlsOptions | undefined
  /**
   * For SASL (PLAIN); sent only when both are given. Without `tls` they are sent in clear: to any other host than this one
   * (`localhost`, `127.0.0.1`, `::1`) the layer then warns once.
   */
  readonly username?: string | undefined
  readonly password?: Redacted.Redacted | undefined
  /**
   * Until an operation without an answer fails with `Timeout`. Time in which this process is too busy to read answers does not
   * count. Default 500 milliseconds.
   */
  readonly timeout?: Duration.DurationInput | undefined
  /** Until an attempt to connect counts as failed. Default: as `timeout`. */
  readonly connectTimeout?: Duration.DurationInput | undefined
  /** Between two attempts to reach a server that is down. Default 1 second. */
  readonly retryDelay?: Duration.DurationInput | undefined
  /**
   * Whether the next server of the ring stands in for one that is down. Default false: operations on its keys fail with
   * `Unavailable`, without delay, and nothing that was invalidated can come back.
   *
   * With failover a process that can't reach a server uses another one, while a process that can reach it goes on using
   * it: for as long as the two disagree, neither sees what the other invalidates under that server's keys.
   */
  readonly failover?: boolean | undefined
}

const milliseconds = (
  name: string,
  given: Duration.DurationInput | undefined,
  otherwise: number
): Either.Either<number, CacheError> => {
  const value = given === undefined ? otherwise : Duration.toMillis(given)
  // Node's timers take no more.
  if (value > 0 && value < 2 ** 31) return Either.right(value)
  const description = `${name} must be more than 0 and less than 25 days`
  return Either.left(new CacheError({ reason: "InvalidOption", operation: "connect", description }))
}

export const poolSettings = (options: MemcachedOptions, namespace: string): Either.Either<PoolSettings, CacheError> =>
  Either.gen(function* () {
    const servers = yield* parseServers(options.servers)
    const timeout = yield* milliseconds("timeout", options.timeout, 500)
    const { password, username } = options
    return {
      servers,
      namespace,
      timeout,
      connectTimeout: yield* milliseconds("connectTimeout", options.connectTimeout, timeout),
      retryDelay: yield* milliseconds("retryDelay", options.retryDelay, 1000),
      failover: options.failover ?? false,
      tls: tlsSettings(options.tls),
      credentials: username === undefined || password === undefined ? undefined : { username, password }
    }
  })
