/**
 * The cache in the program's own database: one cache for all processes, without a further server. PostgreSQL from 13 on, with the
 * `SqlClient` of `@effect/sql-pg`, or a SQLite file, with that of `@effect/sql-sqlite-node` or `@effect/sql-libsql`.
 *
 * Inside `sql.withTransaction`, a set, delete or invalidation takes effect with the commit, and is undone by the rollback. On
 * PostgreSQL these wait for no lock, so they can't dead-lock, in any order, and they make no `SERIALIZABLE` transaction fail. One
 * that also reads the cache can fail with SQLSTATE `40001`, which is the `code` of the error's `cause`. On SQLite the transaction
 * has the file's one lock for writing: other writers try again until it ends, for up to `timeout`.
 *
 * When the layer closes, running statements of PostgreSQL have half a second to end. Then they are cancelled, which delays the
 * close by at most 6 seconds.
 *
 * @since 0.1.0
 */
import type { ResolvedMigration } from "@effect/sql/Migrator"
import { SqlClient } from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import { Config, type ConfigError, Duration, Effect, Layer } from "effect"
import type { CacheBackend } from "./CacheBackend.js"
import { CacheError } from "./CacheError.js"
import { namespaceOf } from "./internal/backend/cacheName.js"
import { backendLayer } from "./internal/backend/layer.js"
import { durationMillis, positiveInteger } from "./internal/options.js"
import { fromBytes } from "./internal/stores/fromBytes.js"
import { migrateTable } from "./internal/stores/postgres/createTable.js"
import * as PostgresStore from "./internal/stores/postgres/PostgresStore.js"
import * as Postgres from "./internal/stores/postgres/table.js"
import type { SqlStoreOptions } from "./internal/stores/sql/options.js"
import { parseTable } from "./internal/stores/sql/table.js"
import * as SqliteStore from "./internal/stores/sqlite/SqliteStore.js"
import * as Sqlite from "./internal/stores/sqlite/table.js"
import type * as StoreBackend from "./StoreBackend.js"

/**
 * The options of `layer`.
 *
 * @since 0.1.0
 * @category models
 */
export interface SqlBackendOptions extends StoreBackend.BackendOptions, StoreBackend.OutageOptions {
  /** `name` or `schema.name`, where on SQLite the only schema is `main`. Default `effect_cache`. */
  readonly table?: string
  /**
   * How many values the table keeps, of all its namespaces together, within 10 %. Roughly, those that expire first are removed
   * first. As many versions of groups may be there beside them, and leases and versions that end within a minute. Default: no
   * bound.
   */
  readonly maxEntries?: number
  /**
   * The time between two removals of expired entries, plus or minus a quarter. Default 1 minute. On PostgreSQL an expired row may
   * stay for another eighth of its time to live, so that most writes touch no index; it is not read any more. The table keeps the
   * space of removed rows for new ones, and returns none to the disk.
   */
  readonly purgeEvery?: Duration.DurationInput
  /**
   * Whether the table has no write-ahead log: it is faster, and empty after a crash of PostgreSQL. With `false` and
   * `wal_level = logical`, each write also logs the row that it overwrites, because the table has no primary key. Ignored on
   * SQLite. Default true.
   */
  readonly unlogged?: boolean
  /**
   * Whether to create the table if it is missing, and to upgrade it if an older version of this library made it. Default true. With
   * `false` use `migration` or `printDefinition`; a layer on an older table then fails, and says which statements to run.
   */
  readonly createTable?: boolean
  /**
   * Whether to prepare the statements, which makes them several times cheaper. A pooler in transaction mode may not allow that: the
   * cache notices it when a statement fails, and goes on without. Ignored on SQLite. Default true.
   */
  readonly prepare?: boolean
  /**
   * How long a statement may take before it fails with `Timeout`, unless it is part of the caller's transaction. It counts from
   * when the statement has a connection; to wait for one in the pool it may take as long again. A statement that another one was
   * in the way of (SQLSTATE 40001, 40P01, 55P03) is sent again until then. Default 5 seconds.
   */
  readonly timeout?: Duration.DurationInput
  /**
   * What happens if the database can't be reached, or the table can't be created, while the layer is built. `"fail"`: the layer
   * fails. `"retry"`: after one attempt the layer is there; calls go on without the cache, and once a second it is tried again.
   * `PgClient.layer` itself fails without a database: docs/production.md has a client that does not. Default `"fail"`.
   */
  readonly onStart?: "fail" | "retry"
}

const defaultTable = "effect_cache"

const storeOf = (options: SqlStoreOptions) =>
  Effect.flatMap(SqlClient, (sql) =>
    sql.onDialectOrElse({
      pg: () => PostgresStore.make(options),
      sqlite: () => SqliteStore.make(options),
      orElse: () =>
        Effect.fail(
          new CacheError({
            reason: "InvalidOption",
            operation: "layer",
            description:
              "the SQL backend needs the SqlClient of @effect/sql-pg, @effect/sql-sqlite-node or @effect/sql-libsql"
          })
        )
    })
  )

const positive = (name: string, input: Duration.DurationInput) =>
  Effect.filterOrFail(
    durationMillis("layer", name, input),
    (millis) => millis > 0,
    () => new CacheError({ reason: "InvalidOption", operation: "layer", description: `${name} must be more than 0` })
  )

/**
 * Fails with `InvalidOption` for a table name that would need more than quotes, for a bound that is not positive, and for a client
 * that is neither PostgreSQL's nor one of the two of SQLite. Fails with `SqlError` (on SQLite with another `CacheError`) if the
 * table can't be created, and with `Timeout` if other processes lock it for longer than `timeout`.
 *
 * @example
 * import { PgClient } from "@effect/sql-pg"
 * import { Config, Effect, Layer } from "effect"
 * import { getOrSet } from "effect-cached"
 * import * as SqlBackend from "effect-cached/SqlBackend"
 *
 * const Cache = SqlBackend.layer({ table: "effect_cache" }).pipe(
 *   Layer.provide(PgClient.layerConfig({ url: Config.redacted("DATABASE_URL") }))
 * )
 *
 * const program = getOrSet("answer", Effect.succeed(42), { ttl: "1 hour" })
 *
 * Effect.runPromise(program.pipe(Effect.provide(Cache)))
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (options: SqlBackendOptions = {}): Layer.Layer<CacheBackend, CacheError | SqlError, SqlClient> =>
  backendLayer(
    Effect.gen(function* () {
      const store = yield* storeOf({
        table: options.table ?? defaultTable,
        namespace: yield* namespaceOf(options),
        maxEntries:
          options.maxEntries === undefined
            ? undefined
            : yield* positiveInteger("layer", "maxEntries", options.maxEntries),
        purgeEvery: Duration.millis(yield* positive("purgeEvery", options.purgeEvery ?? "1 minute")),
        unlogged: options.unlogged ?? true,
        createTable: options.createTable ?? true,
        prepare: options.prepare ?? true,
        timeout: Duration.millis(yield* positive("timeout", options.timeout ?? "5 seconds")),
        onStart: options.onStart ?? "fail"
      })
      return fromBytes(store)
    }),
    options
  )

/**
 * The same layer, its options from `Config`. Fails with `ConfigError` as well.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerConfig = (
  options: Config.Config.Wrap<SqlBackendOptions>
): Layer.Layer<CacheBackend, CacheError | ConfigError.ConfigError | SqlError, SqlClient> =>
  Layer.unwrapEffect(Effect.map(Config.unwrap(options), layer))

interface DefinitionOptions {
  /** Default `effect_cache`. */
  readonly table?: string
  /** Nothing on SQLite: see `SqlBackendOptions`. Default true. */
  readonly unlogged?: boolean
}

/**
 * The definition of the table as SQL text, for those who run their migrations by hand: for PostgreSQL, unless `dialect` is
 * `sqlite`. Fails with `InvalidOption` for a table name that would need more than quotes.
 *
 * @example
 * import { Console, Effect } from "effect"
 * import { printDefinition } from "effect-cached/SqlBackend"
 *
 * Effect.runPromise(Effect.flatMap(printDefinition({ table: "shop.cache" }), Console.log))
 *
 * @since 0.1.0
 * @category migrations
 */
export const printDefinition = (
  options: DefinitionOptions & { readonly dialect?: "pg" | "sqlite" } = {}
): Effect.Effect<string, CacheError> =>
  Effect.map(parseTable(options.table ?? defaultTable), (table) =>
    (options.dialect === "sqlite" ? Sqlite.definition(table) : Postgres.definition(table, options.unlogged ?? true))
      .map((statement) => `${statement};\n`)
      .join("\n")
  )

/**
 * The definition of the table as one migration for the `Migrator` of `@effect/sql`, for the database that it runs on. It creates
 * the table where it is missing, and upgrades one that an older version of this library made. After an update of this library that
 * needs an upgrade, add it a second time, under a new id.
 *
 * @example
 * import * as Migrator from "@effect/sql/Migrator"
 * import { Effect } from "effect"
 * import { migration } from "effect-cached/SqlBackend"
 *
 * // creates the table as migration number 7
 * const migrate = Migrator.make({})({ loader: Effect.succeed([migration(7)]) })
 *
 * @since 0.1.0
 * @category migrations
 */
export const migration = (
  id: number,
  options: DefinitionOptions & { readonly name?: string } = {}
): ResolvedMigration => [
  id,
  options.name ?? "create_effect_cache",
  Effect.succeed({
    default: Effect.flatMap(Effect.all([SqlClient, parseTable(options.table ?? defaultTable)]), ([sql, table]) =>
      sql.onDialectOrElse({
        sqlite: () => Sqlite.migrateTable(table),
        orElse: () => migrateTable(table, options.unlogged ?? true)
      })
    )
  })
]
