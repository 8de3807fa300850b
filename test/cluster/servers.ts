/** The real servers of the cluster: their addresses, their faults, and what is left in them. */
import { PgClient } from "@effect/sql-pg"
import { Effect, Layer, Redacted, type Scope } from "effect"
import { CacheBackend } from "effect-cached"
import { memcached } from "../servers/memcached.js"
import { postgres } from "../servers/postgres.js"
import type { Process } from "../servers/program.js"
import { redis } from "../servers/redis.js"
import { type Relay, relayTo } from "../servers/relay.js"
import { deleteItem, items, statistic } from "./memcachedAdmin.js"
import type { StoreFault } from "./plan.js"
import {
  applicationName,
  type ServerDescription,
  type StoreDescription,
  storeLayer,
  type TierDescription,
  withTier
} from "./stores.js"

export interface Server<Store extends StoreDescription = StoreDescription> {
  readonly store: Store
  /** Injects the fault for so many milliseconds, and ends it. */
  readonly harm: (how: StoreFault, lasting: number) => Effect.Effect<void, unknown>
  /** The keys of the live records in the store. */
  readonly records: Effect.Effect<ReadonlyArray<string>, unknown>
  /** How many connections the processes of the cluster have. */
  readonly connections: Effect.Effect<number, unknown>
}

const slowBy = 150

const between = <E>(begin: Effect.Effect<void, E>, lasting: number, end: Effect.Effect<void, E>) =>
  Effect.zipRight(begin, Effect.ensuring(Effect.sleep(lasting), Effect.orDie(end)))

/** The faults of the network, the same for all servers. */
const harmNetwork = (relay: Relay, how: "partition" | "reset" | "slow", lasting: number): Effect.Effect<void> => {
  switch (how) {
    case "partition":
      return between(
        Effect.sync(() => {
          relay.swallow = true
        }),
        lasting,
        Effect.sync(() => {
          relay.swallow = false
        })
        // Lost bytes are never answered: as after a real partition, the old connections are useless.
      ).pipe(Effect.zipRight(relay.reset))
    case "slow":
      return between(
        Effect.sync(() => {
          relay.delay = slowBy
        }),
        lasting,
        Effect.sync(() => {
          relay.delay = 0
        })
      )
    case "reset":
      return relay.reset
  }
}

/** The faults of a server that keeps all in its memory. */
const harmProcess =
  (process: Process, relay: Relay | undefined, evict: Effect.Effect<unknown, unknown>): Server["harm"] =>
  (how, lasting) => {
    switch (how) {
      case "evict":
        return Effect.asVoid(evict)
      case "restart":
        return between(process.kill, lasting, process.start)
      // Afterwards it carries out what has come in meanwhile, also what nobody waits for any more.
      case "freeze":
        return between(process.freeze, lasting, process.thaw)
      default:
        return relay === undefined ? Effect.die("no relay") : harmNetwork(relay, how, lasting)
    }
  }

/** Nobody here needs the bytes that the relay remembers. */
const forgetful = (relay: Relay): Effect.Effect<void, never, Scope.Scope> =>
  Effect.forever(
    Effect.delay(
      Effect.sync(() => {
        relay.sent.length = 0
      }),
      "200 millis"
    )
  ).pipe(Effect.forkScoped, Effect.asVoid)

const relayed = (port: number) => Effect.tap(relayTo({ host: "127.0.0.1", port }), forgetful)

export interface ServerOptions {
  /** Whether to put a relay in front, for the faults of the network. */
  readonly faulty: boolean
  /** Milliseconds that a process waits for an answer; by default less where an answer may fail to come. */
  readonly patience?: number
}

const patienceOf = ({ faulty, patience = faulty ? 700 : 5_000 }: ServerOptions): number => patience

export const memcachedServer = (
  options: ServerOptions
): Effect.Effect<Server<ServerDescription>, unknown, Scope.Scope> =>
  Effect.gen(function* () {
    const server = yield* memcached({ args: ["-m", "64"] })
    const relay = options.faulty ? yield* relayed(server.port) : undefined
    const idle = yield* statistic(server.port, "curr_connections")
    const evict = Effect.flatMap(items(server.port), (all) =>
      Effect.forEach(all, ({ key }) => (Math.random() < 0.5 ? deleteItem(server.port, key) : Effect.void))
    )
    return {
      store: {
        _tag: "memcached",
        servers: relay?.address ?? server.address,
        timeout: patienceOf(options)
      },
      harm: harmProcess(server, relay, evict),
      records: Effect.map(items(server.port), (all) =>
        all.filter(({ expires }) => expires === -1 || expires * 1_000 > Date.now()).map(({ key }) => key)
      ),
      connections: Effect.map(statistic(server.port, "curr_connections"), (now) => Math.max(0, now - idle))
    }
  })

/** Keys that have not expired. Redis counts no others. */
const redisKeys = (ask: (...command: ReadonlyArray<string>) => Effect.Effect<string, Error>) =>
  Effect.map(ask("KEYS", "*"), (answer) =>
    answer.split("\r\n").filter((line) => line !== "" && !/^[*$]\d+$/.test(line))
  )

const evictHalf = `for _, key in ipairs(redis.call('KEYS', '*')) do
  if math.random() < 0.5 then redis.call('UNLINK', key) end
end`

export const redisServer = (options: ServerOptions): Effect.Effect<Server<ServerDescription>, unknown, Scope.Scope> =>
  Effect.gen(function* () {
    const server = yield* redis()
    const relay = options.faulty ? yield* relayed(server.port) : undefined
    const clients = Effect.map(server.ask("INFO", "clients"), (said) =>
      Number(/connected_clients:(\d+)/.exec(said)?.[1])
    )
    const idle = yield* clients
    return {
      store: { _tag: "redis", url: `redis://${relay?.address ?? server.address}`, timeout: patienceOf(options) },
      harm: harmProcess(server, relay, server.ask("EVAL", evictHalf, "0")),
      records: redisKeys(server.ask),
      connections: Effect.map(clients, (now) => Math.max(0, now - idle))
    }
  })

let tables = 0

/** @param url of a server that runs already and must not be restarted; without it a server is started */
export const sqlServer = (
  options: ServerOptions,
  url?: string
): Effect.Effect<Server<ServerDescription>, unknown, Scope.Scope> =>
  Effect.gen(function* () {
    const server = url === undefined ? yield* postgres : { url, embedded: undefined }
    const address = new URL(server.url)
    const relay = options.faulty ? yield* relayed(Number(address.port === "" ? "5432" : address.port)) : undefined
    const viaRelay = new URL(server.url)
    if (relay !== undefined) {
      viaRelay.hostname = "127.0.0.1"
      viaRelay.port = `${relay.port}`
    }
    const table = `cluster_${process.pid}_${++tables}`
    const query = <A extends object>(text: string, parameters: ReadonlyArray<unknown> = []) =>
      Effect.flatMap(PgClient.PgClient, (sql) => sql.unsafe<A>(text, [...parameters])).pipe(
        Effect.provide(PgClient.layer({ url: Redacted.make(server.url), maxConnections: 1 })),
        Effect.scoped
      )
    yield* Effect.addFinalizer(() => Effect.ignore(query(`DROP TABLE IF EXISTS ${table}`)))
    const store: ServerDescription = {
      _tag: "sql",
      url: viaRelay.href,
      table,
      timeout: patienceOf(options)
    }
    // The table is created here, so that it is there before anybody reads it.
    yield* Effect.scoped(Layer.build(storeLayer({ ...store, url: server.url })))
    /** The layers of the cluster purge expired records; this is one more layer that does. */
    const purge = Effect.zipRight(CacheBackend, Effect.sleep("1600 millis")).pipe(
      Effect.provide(storeLayer({ ...store, url: server.url }))
    )
    return {
      store,
      harm: (how, lasting) => {
        if (how === "evict") return query(`DELETE FROM ${table} WHERE random() < 0.5`)
        if (how === "restart") {
          const { embedded } = server
          if (embedded !== undefined) return between(embedded.crash, lasting, embedded.start)
          return relay === undefined ? Effect.die("no relay") : relay.reset
        }
        if (relay === undefined) return Effect.die("no relay")
        // Its processes are many. Whoever waits sees the same of a network that loses everything.
        return harmNetwork(relay, how === "freeze" ? "partition" : how, lasting)
      },
      records: Effect.zipRight(
        purge,
        Effect.map(query<{ readonly key: string }>(`SELECT key FROM ${table}`), (rows) => rows.map(({ key }) => key))
      ),
      connections: Effect.map(
        query<{ readonly n: string }>("SELECT count(*) AS n FROM pg_stat_activity WHERE application_name = $1", [
          applicationName(table)
        ]),
        ([row]) => Number(row?.n)
      )
    }
  })

/** The server, with a tier in front of it in each process. */
export const tiered = (server: Server<ServerDescription>, maxStaleness: number): Server<TierDescription> => ({
  ...server,
  store: withTier(server.store, maxStaleness)
})

/** No server at all: the cache in the one process. */
export const memoryServer = (maxEntries?: number): Server => ({
  store: { _tag: "memory", ...(maxEntries === undefined ? {} : { maxEntries }) },
  harm: () => Effect.void,
  records: Effect.succeed([]),
  connections: Effect.succeed(0)
})
