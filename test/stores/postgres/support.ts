/** What the tests of the SQL store share: stores on tables of their own, and a look at the server from outside. */

import { type SqlClient, TransactionConnection } from "@effect/sql/SqlClient"
import * as PgClient from "@effect/sql-pg/PgClient"
import { Context, Duration, Effect, Redacted } from "effect"
import { inject } from "vitest"
import * as SqlStore from "../../../src/internal/stores/sql/SqlStore.js"

export { key, record, text } from "../../suites/sql/records.js"

export const url = () => inject("postgresUrl")

export const client = (options: { readonly connections?: number; readonly name?: string } = {}) =>
  PgClient.layer({
    url: Redacted.make(url()),
    maxConnections: options.connections ?? 10,
    ...(options.name === undefined ? {} : { applicationName: options.name })
  })

let tables = 0

export const freshTable = () => `t_${process.pid}_${Date.now().toString(36)}_${tables++}`

export const store = (options: Partial<SqlStore.SqlStoreOptions> = {}) =>
  SqlStore.make({
    table: freshTable(),
    namespace: "app",
    maxEntries: undefined,
    purgeEvery: Duration.minutes(10),
    unlogged: true,
    createTable: true,
    prepare: true,
    timeout: Duration.seconds(5),
    ...options
  })

/** As another fiber that is not part of the transaction. */
export const outsideTransaction = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.mapInputContext(
    effect,
    (context: Context.Context<R>) =>
      // the tag is in the context of whoever runs in a transaction, but in no one's requirements
      Context.omit(TransactionConnection)(context as Context.Context<R | never>) as Context.Context<R>
  )

/** Connections of one application: how many there are, and how many sit in an open transaction. */
export const connectionsOf = (sql: SqlClient, name: string) =>
  Effect.map(
    sql<{ readonly all: number; readonly open: number }>`
      SELECT count(*)::int AS "all", count(*) FILTER (WHERE state LIKE 'idle in transaction%')::int AS open
      FROM pg_stat_activity WHERE application_name = ${name}`,
    (rows) => rows[0] ?? { all: 0, open: 0 }
  )
