/** Makes the layer of a process of the cluster from a description that can be sent to the process. */
import { PgClient } from "@effect/sql-pg"
import { Layer, Redacted } from "effect"
import { type CacheBackend, MemoryBackend } from "effect-cached"
import * as MemcachedBackend from "effect-cached/MemcachedBackend"
import * as SqlBackend from "effect-cached/SqlBackend"

export type StoreDescription =
  | { readonly _tag: "memory"; readonly maxEntries?: number }
  | { readonly _tag: "sql"; readonly url: string; readonly table: string; readonly timeout: number }
  | { readonly _tag: "memcached"; readonly servers: string; readonly timeout: number }

/** The name of the processes of the cluster in `pg_stat_activity`. */
export const applicationName = (table: string): string => `cluster-${table}`

const connections = 4

export const storeLayer = (store: StoreDescription): Layer.Layer<CacheBackend, unknown> => {
  switch (store._tag) {
    case "memory":
      return MemoryBackend.layer(store.maxEntries === undefined ? {} : { maxEntries: store.maxEntries })
    case "sql":
      return SqlBackend.layer({ table: store.table, timeout: store.timeout, purgeEvery: "1 second" }).pipe(
        Layer.provide(
          PgClient.layer({
            url: Redacted.make(store.url),
            maxConnections: connections,
            applicationName: applicationName(store.table)
          })
        )
      )
    case "memcached":
      return MemcachedBackend.layer({ servers: store.servers, timeout: store.timeout })
  }
}
