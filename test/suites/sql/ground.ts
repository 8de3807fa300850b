/** What the suites of the SQL store share: a database, tables in it, stores on them, and transactions that stay open. */
import { fileURLToPath } from "node:url"
import { SqlClient, TransactionConnection } from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import * as LibsqlClient from "@effect/sql-libsql/LibsqlClient"
import * as PgClient from "@effect/sql-pg/PgClient"
import * as SqliteClient from "@effect/sql-sqlite-node/SqliteClient"
import { Context, Deferred, Duration, Effect, Fiber, Layer, Redacted, type Scope } from "effect"
import type { ByteStore } from "../../../src/ByteStore.js"
import type { CacheError } from "../../../src/CacheError.js"
import { libsqlTransactionKey } from "../../../src/internal/runtime/fiber.js"
import { unfused } from "../../../src/internal/stores/fused.js"
import * as PostgresStore from "../../../src/internal/stores/postgres/PostgresStore.js"
import type { FusedByteStore } from "../../../src/internal/stores/Store.js"
import type { SqlStoreOptions } from "../../../src/internal/stores/sql/options.js"
import * as SqliteStore from "../../../src/internal/stores/sqlite/SqliteStore.js"

/** A key in the namespace of the store. */
export const key = (name: string | number) => `v1:app:${name}`

export const record = (text: string, lifetime = 60_000) => ({ bytes: new TextEncoder().encode(text), lifetime })

export const text = (stored: { readonly bytes: Uint8Array } | undefined) =>
  stored === undefined ? undefined : new TextDecoder().decode(stored.bytes)

export type Dialect = "pg" | "sqlite"

/** For SQLite there are two clients. */
export type Driver = "pg" | "libsql" | "sqlite-node"

/** The name of a table that no other test uses. */
export interface Place {
  readonly dialect: Dialect
  readonly driver: Driver
  readonly url: string
  readonly table: string
  /** Makes the database refuse each record whose value is this text. */
  readonly refuse: (sql: SqlClient, value: string) => Effect.Effect<unknown, SqlError>
}

export interface Database {
  readonly name: string
  readonly place: Effect.Effect<Place, never, Scope.Scope>
  /** Whether a client has one connection only: what is asked outside of its transaction waits for the transaction's end. */
  readonly hasOneConnection: boolean
  /** A schema for tables. */
  readonly schema: string
  /** Literals of values that no version of the library writes. */
  readonly poison: ReadonlyArray<string>
  /** How often, and how many fibers compete for one entry: as many as the database lets write at once. */
  readonly contest: { readonly rounds: number; readonly stores: number }
}

/** A client as another process would have it: it shares nothing with other clients but the database. */
export const clientOn = (
  { driver, url }: Pick<Place, "driver" | "url">,
  connections = 4
): Effect.Effect<SqlClient, never, Scope.Scope> => {
  const layers: Readonly<Record<Driver, () => Layer.Layer<SqlClient, unknown>>> = {
    pg: () => PgClient.layer({ url: Redacted.make(url), maxConnections: connections }),
    libsql: () => LibsqlClient.layer({ url }),
    // the journal mode is that of the file
    "sqlite-node": () => SqliteClient.layer({ filename: fileURLToPath(url), disableWAL: true })
  }
  const layer = layers[driver]()
  return Effect.map(Effect.orDie(Layer.build(layer)), (context) => Context.get(context, SqlClient))
}

/** The store with the plain reads and writes of a `ByteStore`. */
const byteStore = (store: FusedByteStore): ByteStore => ({
  ...store,
  read: unfused(store.read),
  write: unfused(store.write)
})

export const storeOn = (
  sql: SqlClient,
  table: string,
  options: Partial<SqlStoreOptions> = {}
): Effect.Effect<ByteStore, CacheError | SqlError, Scope.Scope> => {
  const complete: SqlStoreOptions = {
    table,
    namespace: "app",
    maxEntries: undefined,
    purgeEvery: Duration.minutes(10),
    unlogged: true,
    createTable: true,
    prepare: true,
    timeout: Duration.seconds(5),
    onStart: "fail",
    ...options
  }
  const store: Effect.Effect<FusedByteStore, CacheError | SqlError, SqlClient | Scope.Scope> = sql.onDialectOrElse({
    sqlite: () => SqliteStore.make(complete),
    orElse: () => PostgresStore.make(complete)
  })
  return Effect.map(Effect.provideService(store, SqlClient, sql), byteStore)
}

/** Two clients on one table, with a store each. */
export const twoStores = (database: Database, options: Partial<SqlStoreOptions> = {}) =>
  Effect.gen(function* () {
    const place = yield* database.place
    const [sql, otherSql] = [yield* clientOn(place), yield* clientOn(place)]
    return {
      place,
      table: place.table,
      sql,
      cache: yield* storeOn(sql, place.table, options),
      otherSql,
      other: yield* storeOn(otherSql, place.table, options)
    }
  })

export const countOf = (sql: SqlClient, table: string): Effect.Effect<number, SqlError> =>
  Effect.map(sql<{ readonly n: number | string }>`SELECT count(*) AS n FROM ${sql(table)}`, (rows) =>
    Number(rows[0]?.n ?? 0)
  )

/** A transaction that keeps its locks until `end`. */
export const heldTransaction = <A, E>(
  sql: SqlClient,
  work: Effect.Effect<A, E>,
  ending: Effect.Effect<void, string> = Effect.void
) =>
  Effect.gen(function* () {
    const worked = yield* Deferred.make<A, E>()
    const end = yield* Deferred.make<void>()
    const fiber = yield* Effect.intoDeferred(work, worked).pipe(
      Effect.zipRight(Deferred.await(end)),
      Effect.zipRight(ending),
      sql.withTransaction,
      Effect.forkScoped
    )
    const result = yield* Deferred.await(worked)
    return { fiber, result, end: Effect.zipRight(Deferred.succeed(end, undefined), Fiber.await(fiber)) }
  })

const transactionKeys = [TransactionConnection.key, libsqlTransactionKey]

/** Runs as a fiber outside of the transaction. */
export const outsideTransaction = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.mapInputContext(effect, (context: Context.Context<R>) => {
    const services = new Map(context.unsafeMap)
    for (const transactionKey of transactionKeys) services.delete(transactionKey)
    // the tag is in the context of a fiber in a transaction, but in no type of requirements
    return Context.unsafeMake(services) as Context.Context<R>
  })
