/** What the tests on SQLite share: files in a temporary directory, clients on them, stores in tables of their own. */
import { randomUUID } from "node:crypto"
import { mkdirSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { SqlClient } from "@effect/sql/SqlClient"
import * as LibsqlClient from "@effect/sql-libsql/LibsqlClient"
import { Context, Deferred, Duration, Effect, Fiber, Layer, type Scope } from "effect"
import { libsqlTransactionKey } from "../../../src/internal/runtime/transaction.js"
import * as SqlStore from "../../../src/internal/stores/sql/SqlStore.js"

export type JournalMode = "WAL" | "DELETE"

/** A database in a directory of its own, which is there between `create` and `remove`. */
export const newFile = (mode: JournalMode) => {
  const directory = join(tmpdir(), `effect-cached-sqlite-${randomUUID()}`)
  const url = `file:${join(directory, "cache.db")}`
  const create = Effect.zipRight(
    Effect.sync(() => mkdirSync(directory)),
    Effect.scoped(Effect.flatMap(clientOn(url), (sql) => sql.unsafe(`PRAGMA journal_mode = ${mode}`)))
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

/** As another process would have it: a client shares nothing with the others on its file. */
export const clientOn = (url: string): Effect.Effect<SqlClient, never, Scope.Scope> =>
  Effect.map(Layer.build(LibsqlClient.layer({ url })), (context) => Context.get(context, SqlClient))

/** A client on a file of its own. */
export const ownFile = Layer.unwrapScoped(Effect.map(freshFile(), (url) => LibsqlClient.layer({ url })))

let tables = 0

export const freshTable = () => `t_${tables++}`

export const store = (sql: SqlClient, options: Partial<SqlStore.SqlStoreOptions> = {}) =>
  Effect.provideService(
    SqlStore.make({
      table: "cache",
      namespace: "app",
      maxEntries: undefined,
      purgeEvery: Duration.minutes(10),
      unlogged: true,
      createTable: true,
      prepare: true,
      timeout: Duration.seconds(5),
      ...options
    }),
    SqlClient,
    sql
  )

/** Two clients on one file, with a store each. */
export const twoStores = (options: { readonly mode?: JournalMode } & Partial<SqlStore.SqlStoreOptions> = {}) =>
  Effect.gen(function* () {
    const url = yield* freshFile(options.mode)
    const [mine, theirs] = [yield* clientOn(url), yield* clientOn(url)]
    return {
      url,
      sql: mine,
      cache: yield* store(mine, options),
      other: yield* store(theirs, options),
      otherSql: theirs
    }
  })

/** A transaction that holds its lock until told to end. */
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

/** As another fiber that is not part of the transaction. */
export const outsideTransaction = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.mapInputContext(effect, (context: Context.Context<R>) => {
    const services = new Map(context.unsafeMap)
    services.delete(libsqlTransactionKey)
    // the tag is in the context of whoever runs in a transaction, but in no one's requirements
    return Context.unsafeMake(services) as Context.Context<R>
  })
