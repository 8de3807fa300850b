/**
 * Random reads and invalidations through tiers over one server, whose bus is alive, cut again and again, late, silent, or not
 * there; one writer has neither tier nor bus. Is anything read that is older than it may be?
 */
import { Context, Effect, Layer, type Scope } from "effect"
import { CacheBackend, type CacheBackendService } from "effect-cached"
import { Redis } from "ioredis"
import pg from "pg"
import {
  applicationName,
  type BusDescription,
  type ServerDescription,
  type StoreDescription,
  storeLayer
} from "../../cluster/stores.js"
import { redis } from "../../servers/redis.js"
import { type Relay, relayTo } from "../../servers/relay.js"
import { attack } from "../../stores/tiered/attack.js"
import { count, type Row, type Scenario, type StoreName, storeTitles } from "../scenario.js"

const maxStaleness = 500
const tiers = 3

interface Bus {
  readonly description: BusDescription
  readonly relay: Relay
  /** Ends the connections on which is listened, as the server's administrator can. */
  readonly cut: Effect.Effect<unknown, unknown>
}

/** Behind a relay of its own: the store below is not harmed. */
const busOf = (store: ServerDescription): Effect.Effect<Bus, unknown, Scope.Scope> =>
  Effect.gen(function* () {
    if (store._tag === "sql") {
      const url = new URL(store.url)
      const relay = yield* relayTo({ host: url.hostname, port: Number(url.port === "" ? "5432" : url.port) })
      const channel = `${store.table}_bus`
      const admin = yield* Effect.acquireRelease(
        Effect.promise(async () => {
          const client = new pg.Client(url.href)
          await client.connect()
          return client
        }),
        (client) => Effect.promise(() => client.end())
      )
      url.host = relay.address
      return {
        description: { _tag: "sql", url: url.href, channel },
        relay,
        cut: Effect.promise(() =>
          admin.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1", [
            applicationName(channel)
          ])
        )
      }
    }
    const server = store._tag === "redis" ? new URL(store.url) : new URL((yield* redis()).url)
    const relay = yield* relayTo({ host: server.hostname, port: Number(server.port) })
    const admin = yield* Effect.acquireRelease(
      Effect.sync(() => new Redis(server.href)),
      (client) => Effect.sync(() => client.disconnect())
    )
    return {
      description: { _tag: "redis", url: `redis://${relay.address}`, channel: "staleness" },
      relay,
      cut: Effect.promise(() => admin.call("CLIENT", "KILL", "TYPE", "pubsub"))
    }
  })

const serviceOf = (store: StoreDescription): Effect.Effect<CacheBackendService, unknown, Scope.Scope> =>
  Effect.map(Layer.build(Layer.fresh(storeLayer(store))), (context) => Context.get(context, CacheBackend))

interface Case {
  readonly what: string
  readonly hasBus: boolean
  readonly meanwhile: (bus: Bus) => Effect.Effect<void>
}

const set = (change: () => void, after: number) => Effect.delay(Effect.sync(change), after)

const cases: ReadonlyArray<Case> = [
  { what: "alive", hasBus: true, meanwhile: () => Effect.never },
  { what: "cut every second", hasBus: true, meanwhile: ({ cut }) => Effect.delay(Effect.ignore(cut), "1 second") },
  {
    what: "0 to 400 ms late",
    hasBus: true,
    meanwhile: ({ relay }) =>
      set(() => {
        relay.delay = Math.random() * 400
      }, 50)
  },
  {
    what: "silent for 3 of 5 s",
    hasBus: true,
    meanwhile: ({ relay }) =>
      Effect.zipRight(
        set(() => {
          relay.swallow = true
        }, 2_000),
        Effect.zipRight(
          set(() => {
            relay.swallow = false
          }, 3_000),
          relay.reset
        )
      )
  },
  { what: "none", hasBus: false, meanwhile: () => Effect.never }
]

const measure = (store: StoreName, below: ServerDescription, { hasBus, meanwhile, what }: Case, operations: number) =>
  Effect.gen(function* () {
    const bus = yield* busOf(below)
    const tier: StoreDescription = {
      _tag: "tiered",
      below,
      maxStaleness,
      bus: hasBus ? bus.description : undefined
    }
    const bare = yield* serviceOf(below)
    yield* bare.clear
    const caches = [...(yield* Effect.forEach(Array.from({ length: tiers }), () => serviceOf(tier))), bare]
    const { failed, hits, oldest, otherOld, ownOld, reads } = yield* attack(caches, {
      operations,
      maxStaleness,
      meanwhile: meanwhile(bus)
    })
    const untold = failed === 0 ? "" : `, ${count(failed)} invalidations failed`
    const row: Row = {
      what: `${tiers} tiers (maxStaleness ${maxStaleness} ms) and a writer without one, ${count(operations)} operations, bus ${what}: reads older than that; than an invalidation of their own process`,
      store: storeTitles[store],
      measured: `${otherOld}, ${ownOld} of ${count(reads)} (${count(hits)} hits; the oldest ${Math.max(0, oldest).toFixed(0)} ms${untold})`,
      kept: otherOld === 0 && ownOld === 0
    }
    return row
  }).pipe(Effect.scoped)

export const staleness =
  (operations: number): Scenario =>
  ({ server, store }) =>
    Effect.flatMap(server({ faulty: false }), ({ store: below }) =>
      Effect.forEach(cases, (one) => measure(store, below, one, operations))
    )
