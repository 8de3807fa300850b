/** Real memcached processes for tests, demo and benchmarks. */
import { Effect, type Scope } from "effect"
import { type Process, type Program, prepare as prepareProgram, server } from "./program.js"

export { freePort } from "./program.js"

const program: Program = {
  name: "memcached",
  debianPackage: "memcached",
  otherwise:
    "name running ones in MEMCACHED_SERVERS=host:port,… (tests that end their servers need the program all the same)"
}

export const prepare = prepareProgram(program)

export type MemcachedServer = Process

export interface MemcachedServerOptions {
  /** Further arguments of memcached, such as `-m 1`. */
  readonly args?: ReadonlyArray<string>
  readonly env?: Readonly<Record<string, string>>
  /** Default: a free one. */
  readonly port?: number
}

/** A memcached of one's own. */
export const memcached = (options: MemcachedServerOptions = {}): Effect.Effect<MemcachedServer, Error, Scope.Scope> => {
  const asRoot = process.getuid?.() === 0 ? ["-u", "root"] : []
  return server(
    program,
    (port) => [...asRoot, "-l", "127.0.0.1", "-p", `${port}`, "-U", "0", ...(options.args ?? [])],
    { env: options.env, port: options.port }
  )
}

/** Several of them. */
export const memcachedPool = (
  count: number,
  options: MemcachedServerOptions = {}
): Effect.Effect<ReadonlyArray<MemcachedServer>, Error, Scope.Scope> =>
  Effect.all(
    Array.from({ length: count }, () => memcached(options)),
    { concurrency: "unbounded" }
  )

/** The `servers` option for servers started here. */
export const addresses = (servers: ReadonlyArray<MemcachedServer>): string =>
  servers.map(({ address }) => address).join(",")

/**
 * The `servers` option for tests that need no control over the processes: what `MEMCACHED_SERVERS` names, else `count`
 * servers of one's own.
 */
export const memcachedServers = (count: number): Effect.Effect<string, Error, Scope.Scope> => {
  const given = (process.env["MEMCACHED_SERVERS"] ?? "").split(",").filter((part) => part !== "")
  return given.length >= count
    ? Effect.succeed(given.slice(0, count).join(","))
    : Effect.map(memcachedPool(count), addresses)
}
