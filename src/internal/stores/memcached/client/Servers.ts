/** The `servers` option: `host:port:weight`, separated by commas. */
import { Either } from "effect"
import { CacheError } from "../../../../CacheError.js"

export interface ServerAddress {
  readonly host: string
  readonly port: number
  /** The server's share of the keys, relative to the others'. */
  readonly weight: number
  /** What the ring hashes: `host:port`, the same text in every client of the pool. */
  readonly label: string
}

const defaultPort = 11211
const pattern = /^(?:\[(?<bracketed>[0-9a-fA-F:.%\w]+)\]|(?<plain>[^\s:[\]@/]+))(?::(?<port>\d+)(?::(?<weight>\d+))?)?$/

const refused = (description: string): Either.Either<never, CacheError> =>
  Either.left(new CacheError({ reason: "InvalidOption", operation: "connect", description }))

const parseServer = (text: string): Either.Either<ServerAddress, CacheError> => {
  const groups = pattern.exec(text)?.groups
  const host = groups?.["bracketed"] ?? groups?.["plain"]
  const port = Number(groups?.["port"] ?? defaultPort)
  const weight = Number(groups?.["weight"] ?? 1)
  if (host === undefined || port < 1 || port > 65_535 || weight < 1) {
    return refused(`"${text}" is not a memcached server; write host, host:port, host:port:weight or [::1]:port`)
  }
  const label = groups?.["bracketed"] === undefined ? `${host}:${port}` : `[${host}]:${port}`
  return Either.right({ host, port, weight, label })
}

/**
 * Reads a list such as `10.0.0.1:11211,10.0.0.2:11211:2,[::1]:11211,cache.internal`. The port is 11211 and the weight 1
 * unless given.
 */
export const parseServers = (text: string): Either.Either<ReadonlyArray<ServerAddress>, CacheError> => {
  const parts = text
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "")
  if (parts.length === 0) return refused("no memcached server is given")
  return Either.flatMap(Either.all(parts.map(parseServer)), (servers) => {
    const twice = servers.find((server, index) => servers.findIndex((other) => other.label === server.label) < index)
    return twice === undefined ? Either.right(servers) : refused(`the memcached server ${twice.label} is given twice`)
  })
}
