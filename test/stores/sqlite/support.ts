/** What the tests of the store on SQLite share: files in a temporary directory, and clients on them. */

import { randomUUID } from "node:crypto"
import { existsSync, mkdirSync, rmSync, statfsSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { SqlClient } from "@effect/sql/SqlClient"
import * as LibsqlClient from "@effect/sql-libsql/LibsqlClient"
import { Effect, Layer, type Scope } from "effect"
import type { SqlStoreOptions } from "../../../src/internal/stores/sql/options.js"
import * as Ground from "../../suites/sql/ground.js"
import { sized } from "../../support/size.js"

export { heldTransaction, key, outsideTransaction, record, storeOn, text } from "../../suites/sql/ground.js"

export type JournalMode = "WAL" | "DELETE"

export const clientOn = (url: string): Effect.Effect<SqlClient, never, Scope.Scope> =>
  Ground.clientOn({ driver: "libsql", url })

const memory = "/dev/shm"
const isLarge = (folder: string): boolean => {
  const { bavail, bsize } = statfsSync(folder)
  return bavail * bsize > 2 ** 30
}

/**
 * Where there is memory for files: each write is a commit, and on a busy disk that takes milliseconds, in which the process stands
 * still.
 */
const folder = existsSync(memory) && isLarge(memory) ? memory : tmpdir()

/** A database in a directory of its own, which is there between `create` and `remove`. */
export const newFile = (mode: JournalMode) => {
  const directory = join(folder, `effect-cached-sqlite-${randomUUID()}`)
  const url = `file:${join(directory, "cache.db")}`
  const create = Effect.zipRight(
    Effect.sync(() => mkdirSync(directory)),
    Effect.orDie(Effect.scoped(Effect.flatMap(clientOn(url), (sql) => sql.unsafe(`PRAGMA journal_mode = ${mode}`))))
  )
  const remove = Effect.sync(() => rmSync(directory, { recursive: true, force: true }))
  return { url, create, remove }
}

/** The URL of a database that is gone with the scope. */
export const freshFile = (mode: JournalMode = "WAL") =>
  Effect.suspend(() => {
    const { create, remove, url } = newFile(mode)
    return Effect.as(
      Effect.acquireRelease(create, () => remove),
      url
    )
  })

/** A client on a file of its own. */
export const ownFile = Layer.unwrapScoped(Effect.map(freshFile(), (url) => LibsqlClient.layer({ url })))

export const sqlite = (mode: JournalMode = "WAL", driver: Ground.Driver = "libsql"): Ground.Database => ({
  name: mode === "WAL" ? "SQLite" : `SQLite, ${mode}`,
  place: Effect.map(freshFile(mode), (url) => ({
    dialect: "sqlite",
    driver,
    url,
    table: "cache",
    refuse: (sql, value) =>
      sql.unsafe(`CREATE TRIGGER refusal BEFORE INSERT ON cache WHEN CAST(NEW.value AS TEXT) = '${value}'
        BEGIN SELECT RAISE(ABORT, 'no'); END`)
  })),
  hasOneConnection: driver === "sqlite-node",
  schema: "main",
  poison: ["x'00'", "x'ff00ff'", "x''", "x'7b226122'", "zeroblob(300)", "'text'", "1e300", "9007199254740993"],
  contest: { rounds: sized(60, 600), stores: 10 }
})

/** Two clients on one file, with a store each. */
export const twoStores = ({ mode, ...options }: { readonly mode?: JournalMode } & Partial<SqlStoreOptions> = {}) =>
  Ground.twoStores(sqlite(mode), options)
