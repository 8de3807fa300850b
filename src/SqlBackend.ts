/**
 * The cache in the database that the program already has: for whoever wants one cache for all processes and no further
 * server. PostgreSQL, through the `SqlClient` of `@effect/sql-pg`, or a SQLite file, through that of `@effect/sql-libsql`.
 *
 * Inside `sql.withTransaction`, what is set, deleted or invalidated takes effect with the commit and vanishes with the
 * rollback. On PostgreSQL such changes wait for no lock, so they can't dead-lock, in whatever order they are made. On
 * SQLite the transaction holds the file's one lock for writing: other writers try again until it ends, for up to `timeout`.
 *
 * When the layer closes, statements of PostgreSQL that are under way have half a second to end. Then they are cancelled, which
 * delays the close by at most 6 seconds.
 *
 * @since 0.1.0
 */
import type { ResolvedMigration } from "@effect/sql/Migrator"
import { SqlClient } from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import { Config, type ConfigError, Duration, Effect, Layer } from "effect"
import type { CacheBackend } from "./CacheBackend.js"
import { CacheError } from "./CacheError.js"
import { backendLayer } from "./internal/backend/layer.js"
import { defaultNamespace } from "./internal/backend/options.js"
import { durationMillis, positiveInteger } from "./internal/options.js"
import { fromBytes } from "./internal/stores/fromBytes.js"
import * as PostgresStore from "./internal/stores/postgres/PostgresStore.js"
import * as Postgres from "./internal/stores/postgres/table.js"
import type { SqlStoreOptions } from "./internal/stores/sql/options.js"
import { parseTable } from "./internal/stores/sql/table.js"
import * as SqliteStore from "./internal/stores/sqlite/SqliteStore.js"
import * as Sqlite from "./internal/stores/sqlite/table.js"
import type * as StoreBackend from "./StoreBackend.js"

/**
 * @since 0.1.0
 * @category models
 */
export interface SqlBackendOptions extends StoreBackend.BackendOptions, StoreBackend.OutageOptions {
  /** `name` or `schema.name`, where on SQLite the only schema is `main`. Default `effect_cache`. */
  readonly table?: string
  /**
   * How many entries the table keeps, those of all its namespaces together, within 10 %; those that expire first go
   * first, roughly. Default: no bound but their time to live.
   */
  readonly maxEntries?: number
  /**
   * The time between two removals of expired entries, give or take a quarter. Default 1 minute. On PostgreSQL their rows may
   * stay an eighth of their time to live longer, so that most writes need not touch an index; nobody reads them any more. The
   * table keeps the space of what was removed for what is written next, and gives none back to the disk.
   */
  readonly purgeEvery?: Duration.DurationInput
  /**
   * A table without a write-ahead log: faster, and empty after a crash of PostgreSQL. With one, and `wal_level = logical`, each
   * write logs what it overwrites too, because the table has no primary key. Nothing on SQLite. Default true.
   */
  readonly unlogged?: boolean
  /** Creates the table where it is missing. Default true; otherwise see `migration` and `printDefinition`. */
  readonly createTable?: boolean
  /**
   * Prepares its statements, which makes them several times cheaper. A pooler in transaction mode may not allow it: that is
   * noticed by itself, at the price of one failed statement. Nothing on SQLite. Default true.
   */
  readonly prepare?: boolean
  /** After which a statement is given up with `Timeout`, unless it is part of the caller's transaction. Default 5 seconds. */
  readonly timeout?: Duration.DurationInput
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
            description: "the SQL backend needs the SqlClient of @effect/sql-pg or of @effect/sql-libsql"
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
 * Fails with `InvalidOption` for a table name that would need more than quotes, a bound that is not positive, or a client
 * that is neither PostgreSQL's nor that of a SQLite file; with `SqlError` (on SQLite another `CacheError`) where the table
 * can't be created.
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
        namespace: options.namespace ?? defaultNamespace,
        maxEntries:
          options.maxEntries === undefined
            ? undefined
            : yield* positiveInteger("layer", "maxEntries", options.maxEntries),
        purgeEvery: Duration.millis(yield* positive("purgeEvery", options.purgeEvery ?? "1 minute")),
        unlogged: options.unlogged ?? true,
        createTable: options.createTable ?? true,
        prepare: options.prepare ?? true,
        timeout: Duration.millis(yield* positive("timeout", options.timeout ?? "5 seconds"))
      })
      return fromBytes(store)
    }),
    options
  )

/**
 * The same with its options out of a `Config`.
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
 * The definition of the table as one migration for the `Migrator` of `@effect/sql`, for the database that it runs on.
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
        orElse: () => Postgres.createTable(table, options.unlogged ?? true)
      })
    )
  })
]
