/** Several pools and caches over one table, as several processes have them. They share nothing but the database. */
import { SqlClient } from "@effect/sql"
import { PgClient } from "@effect/sql-pg"
import { Context, Effect, Layer, Redacted, type Scope } from "effect"
import { CacheBackend } from "effect-cached"
import * as SqlBackend from "effect-cached/SqlBackend"
import type { StoreDescription } from "../cluster/stores.js"

export interface Pool {
  readonly sql: SqlClient.SqlClient
  readonly context: Context.Context<CacheBackend | SqlClient.SqlClient>
  readonly provided: <A, E>(effect: Effect.Effect<A, E, CacheBackend | SqlClient.SqlClient>) => Effect.Effect<A, E>
}

const connections = 10

/** @param settings of each session, by the names of PostgreSQL's configuration */
export const pools = (
  store: StoreDescription,
  count: number,
  settings: Readonly<Record<string, string>> = {}
): Effect.Effect<ReadonlyArray<Pool>, unknown, Scope.Scope> => {
  if (store._tag !== "sql") return Effect.die("pools are of PostgreSQL")
  const url = new URL(store.url)
  const flags = Object.entries(settings).map(([name, value]) => `-c ${name}=${value.replaceAll(" ", "\\ ")}`)
  if (flags.length > 0) url.searchParams.set("options", flags.join(" "))
  const layer = SqlBackend.layer({ table: store.table, purgeEvery: "1 second" }).pipe(
    Layer.provideMerge(PgClient.layer({ url: Redacted.make(url.href), maxConnections: connections }))
  )
  return Effect.forEach(
    Array.from({ length: count }),
    () =>
      Effect.map(Layer.build(Layer.fresh(layer)), (built) => {
        const sql = Context.get(built, SqlClient.SqlClient)
        const context = Context.make(CacheBackend, Context.get(built, CacheBackend)).pipe(
          Context.add(SqlClient.SqlClient, sql)
        )
        return { sql, context, provided: Effect.provide(context) } satisfies Pool
      }),
    { concurrency: "unbounded" }
  )
}

/**
 * A table beside that of the cache, for as long as the scope. Its pages are half empty: rows of two serializable transactions that
 * move to one new page would make one of them fail, with a cache or without.
 */
export const sourceTable = (pool: Pool, name: string, columns: string): Effect.Effect<string, unknown, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.as(pool.sql.unsafe(`CREATE TABLE ${name} (${columns}) WITH (fillfactor = 50)`), name),
    () => Effect.ignore(pool.sql.unsafe(`DROP TABLE ${name}`))
  )
