/** Makes the layer of a process of the cluster from a description that can be sent to the process. */
import { PgClient } from "@effect/sql-pg"
import { Layer, Redacted } from "effect"
import { type CacheBackend, type CacheBus, MemoryBackend, TieredBackend } from "effect-cached"
import * as MemcachedBackend from "effect-cached/MemcachedBackend"
import * as PgBus from "effect-cached/PgBus"
import * as RedisBackend from "effect-cached/RedisBackend"
import * as RedisBus from "effect-cached/RedisBus"
import * as SqlBackend from "effect-cached/SqlBackend"

/** A store that processes share. */
export type ServerDescription =
  | { readonly _tag: "sql"; readonly url: string; readonly table: string; readonly timeout: number }
  | { readonly _tag: "memcached"; readonly servers: string; readonly timeout: number }
  | { readonly _tag: "redis"; readonly url: string; readonly timeout: number }

/** By which the tiers are told; of PostgreSQL or Redis. */
export interface BusDescription {
  readonly _tag: "sql" | "redis"
  readonly url: string
  readonly channel: string
}

export interface TierDescription {
  readonly _tag: "tiered"
  readonly below: ServerDescription
  /** Milliseconds. */
  readonly maxStaleness: number
  readonly bus: BusDescription | undefined
}

export type StoreDescription =
  | { readonly _tag: "memory"; readonly maxEntries?: number }
  | ServerDescription
  | TierDescription

/** The name of the processes of the cluster in `pg_stat_activity`. */
export const applicationName = (table: string): string => `cluster-${table}`

const connections = 4

const pgClient = (url: string, name: string) =>
  PgClient.layer({ url: Redacted.make(url), maxConnections: connections, applicationName: applicationName(name) })

const serverLayer = (store: ServerDescription): Layer.Layer<CacheBackend, unknown> => {
  switch (store._tag) {
    case "sql":
      return SqlBackend.layer({ table: store.table, timeout: store.timeout, purgeEvery: "1 second" }).pipe(
        Layer.provide(pgClient(store.url, store.table))
      )
    case "memcached":
      return MemcachedBackend.layer({ servers: store.servers, timeout: store.timeout })
    case "redis":
      return RedisBackend.layer({ url: store.url, timeout: store.timeout })
  }
}

export const busLayer = ({ _tag, channel, url }: BusDescription): Layer.Layer<CacheBus, unknown> =>
  _tag === "sql"
    ? PgBus.layer({ channel }).pipe(Layer.provide(pgClient(url, channel)))
    : RedisBus.layer({ url, channel })

/** How long past an invalidation by another process the store may serve what it invalidated. */
export const maxStalenessOf = (store: StoreDescription): number => (store._tag === "tiered" ? store.maxStaleness : 0)

export const storeLayer = (store: StoreDescription): Layer.Layer<CacheBackend, unknown> => {
  switch (store._tag) {
    case "memory":
      return MemoryBackend.layer(store.maxEntries === undefined ? {} : { maxEntries: store.maxEntries })
    case "tiered": {
      const tier = TieredBackend.layer({ maxStaleness: store.maxStaleness }).pipe(
        Layer.provide(serverLayer(store.below))
      )
      return store.bus === undefined ? tier : Layer.provide(tier, busLayer(store.bus))
    }
    default:
      return serverLayer(store)
  }
}

/** A tier over the store in each process, with the bus of that store, if it has one. */
export const withTier = (below: ServerDescription, maxStaleness: number): TierDescription => ({
  _tag: "tiered",
  below,
  maxStaleness,
  // The name of the table, so that its connections are counted among those of the cluster.
  bus:
    below._tag === "memcached"
      ? undefined
      : { _tag: below._tag, url: below.url, channel: below._tag === "sql" ? below.table : "cluster" }
})
