/** 1,000 calls a second in 4 processes, of which 1 % invalidate: how many reads does the store see with a tier, and without? */
import { Effect, type Scope } from "effect"
import { Redis } from "ioredis"
import pg from "pg"
import { statistic } from "../../cluster/memcachedAdmin.js"
import { type Server, sqlServer } from "../../cluster/servers.js"
import type { ServerDescription, StoreDescription } from "../../cluster/stores.js"
import { postgresWith } from "../../servers/postgres.js"
import { redis } from "../../servers/redis.js"
import { ask, fleet } from "../fleet.js"
import { count, type Scenario, type Surroundings, storeTitles } from "../scenario.js"

const processes = 4
const perSecond = 1_000
const invalidating = 0.01
const keys = 100
const seconds = 10
/** A bus tells everybody, so copies may be old. */
const maxStaleness = 3_600_000
const promised = 20

const redisClient = (url: string) =>
  Effect.acquireRelease(
    Effect.sync(() => new Redis(url)),
    (client) => Effect.sync(() => client.disconnect())
  )

/** Each write is followed by a read of the generation, which no caller has asked for. */
const memcachedReads = (port: number) =>
  Effect.map(
    Effect.forEach(["cmd_get", "cmd_set", "delete_hits", "delete_misses"], (name) => statistic(port, name)),
    ([gets = 0, sets = 0, removed = 0, missed = 0]) => gets - sets - removed - missed
  )

/** How many reads the server has answered, as it counts them itself. */
const readsOf = (store: ServerDescription): Effect.Effect<Effect.Effect<number, unknown>, unknown, Scope.Scope> => {
  switch (store._tag) {
    case "redis":
      return Effect.map(redisClient(store.url), (client) =>
        Effect.map(
          Effect.promise(() => client.info("commandstats")),
          (said) => Number(/cmdstat_mget:calls=(\d+)/.exec(said)?.[1] ?? 0)
        )
      )
    case "memcached":
      return Effect.succeed(memcachedReads(Number(store.servers.split(":")[1])))
    case "sql":
      return Effect.map(
        Effect.acquireRelease(
          Effect.promise(async () => {
            const client = new pg.Client(store.url)
            await client.connect()
            await client.query("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
            return client
          }),
          (client) => Effect.promise(() => client.end())
        ),
        (client) =>
          Effect.map(
            Effect.promise(() =>
              client.query<{ readonly calls: string }>(
                `SELECT coalesce(sum(calls), 0) AS calls FROM pg_stat_statements
                 WHERE query LIKE '%' || $1 || '%' AND query ~ 'isMixed|AS record' AND query NOT LIKE '%pg_stat_statements%'`,
                [store.table]
              )
            ),
            ({ rows: [row] }) => Number(row?.calls)
          )
      )
  }
}

/** What a read of one key adds to the server's count. Without a tier the reads of one moment go together, so there may be fewer. */
const countedOf: Readonly<Record<ServerDescription["_tag"], number>> = {
  sql: 1,
  // And that of the generation.
  memcached: 2,
  redis: 1
}

/** PostgreSQL counts statements where it was started so. */
const countingServer = ({
  server,
  store
}: Surroundings): Effect.Effect<Server<ServerDescription>, unknown, Scope.Scope> =>
  store !== "sql"
    ? server({ faulty: false })
    : Effect.flatMap(postgresWith({ shared_preload_libraries: "pg_stat_statements" }), ({ url }) =>
        sqlServer({ faulty: false }, url)
      )

const busOf = (store: ServerDescription) =>
  store._tag === "memcached"
    ? Effect.map(redis(), ({ url }) => ({ _tag: "redis", url, channel: "savings" }) as const)
    : Effect.succeed({ _tag: store._tag, url: store.url, channel: "savings" } as const)

export const savings: Scenario = (surroundings) =>
  Effect.gen(function* () {
    const { proofWorker, store, watching } = surroundings
    const { store: below } = yield* countingServer(surroundings)
    const reads = yield* readsOf(below)
    const measure = (description: StoreDescription) =>
      Effect.gen(function* () {
        const members = yield* fleet(proofWorker, watching, {
          subject: "effect-cached",
          store: description,
          lease: 10_000,
          processes
        })
        const load = { _tag: "Load", perSecond: perSecond / processes, keys, ttl: 600_000, invalidating } as const
        const under = (lasting: number) =>
          Effect.forEach(members, (one) => ask(one, { ...load, lasting }, "Load"), { concurrency: "unbounded" })
        // All keys are in the store, and in the tiers.
        yield* under(2_000)
        const before = yield* reads
        const loads = yield* under(seconds * 1_000)
        return {
          reads: ((yield* reads) - before) / countedOf[below._tag],
          calls: loads.reduce((sum, { calls }) => sum + calls.length, 0)
        }
      }).pipe(Effect.scoped)
    const without = yield* measure(below)
    const withTier = yield* measure({ _tag: "tiered", below, maxStaleness, bus: yield* busOf(below) })
    const ratio = withTier.calls / withTier.reads
    return [
      {
        what: `${count(perSecond)} calls a second in ${processes} processes over ${keys} keys, 1 % of them invalidations, ${seconds} s: reads that the store sees with a tier`,
        store: storeTitles[store],
        measured: `${count(withTier.reads)} for ${count(withTier.calls)} calls, ${ratio.toFixed(1)} times fewer (without a tier ${count(without.reads)} for ${count(without.calls)})`,
        kept: ratio >= promised
      }
    ]
  })
