/** What the tests of the store on PostgreSQL share: stores on tables of their own, and a look at the server from outside. */

import { SqlClient } from "@effect/sql/SqlClient"
import * as PgClient from "@effect/sql-pg/PgClient"
import { Effect, Redacted } from "effect"
import { inject } from "vitest"
import type { SqlStoreOptions } from "../../../src/internal/stores/sql/options.js"
import { type Database, storeOn } from "../../suites/sql/ground.js"
import { sized } from "../../support/size.js"

export { heldTransaction, key, outsideTransaction, record, text } from "../../suites/sql/ground.js"

export const url = () => inject("postgresUrl")

/** What the administrator has set for a role or a database, here for the sessions of one client. */
export type SessionSettings = Readonly<Record<string, string>>

export const urlWith = (settings: SessionSettings) => {
  const flags = Object.entries(settings).map(([name, value]) => `-c ${name}=${value.replaceAll(" ", "\\ ")}`)
  return flags.length === 0 ? url() : `${url()}?options=${encodeURIComponent(flags.join(" "))}`
}

export const client = (
  options: { readonly connections?: number; readonly name?: string; readonly settings?: SessionSettings } = {}
) =>
  PgClient.layer({
    url: Redacted.make(urlWith(options.settings ?? {})),
    maxConnections: options.connections ?? 10,
    ...(options.name === undefined ? {} : { applicationName: options.name })
  })

let tables = 0

export const freshTable = () => `t_${process.pid}_${Date.now().toString(36)}_${tables++}`

export const store = ({ table = freshTable(), ...options }: Partial<SqlStoreOptions> = {}) =>
  Effect.flatMap(SqlClient, (sql) => storeOn(sql, table, options))

export const postgres: Database = {
  name: "PostgreSQL",
  place: Effect.sync(() => {
    const table = freshTable()
    return {
      dialect: "pg",
      driver: "pg",
      url: url(),
      table,
      refuse: (sql, value) => sql.unsafe(`ALTER TABLE ${table} ADD CHECK (value <> '${value}')`)
    }
  }),
  hasOneConnection: false,
  schema: "Other",
  poison: ["00", "ff00ff", "", "7b226122", "00".repeat(300)].map((hex) => `decode('${hex}', 'hex')`),
  contest: { rounds: sized(60, 1_000), stores: 40 }
}

/** Connections of one application: how many there are, and how many sit in an open transaction. */
export const connectionsOf = (sql: SqlClient, name: string) =>
  Effect.map(
    sql<{ readonly all: number; readonly open: number }>`
      SELECT count(*)::int AS "all", count(*) FILTER (WHERE state LIKE 'idle in transaction%')::int AS open
      FROM pg_stat_activity WHERE application_name = ${name}`,
    (rows) => rows[0] ?? { all: 0, open: 0 }
  )
