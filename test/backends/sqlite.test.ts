import { randomUUID } from "node:crypto"
import { SqlClient } from "@effect/sql/SqlClient"
import * as LibsqlClient from "@effect/sql-libsql/LibsqlClient"
import { describe, expect, it } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import * as SqlBackend from "effect-cached/SqlBackend"
import { cacheBackendSuite } from "effect-cached/testing"
import { afterAll, beforeAll } from "vitest"
import { freshFile, newFile, ownFile, sqlite } from "../stores/sqlite/support.js"
import { cachedSuite } from "../suites/cachedSuite.js"
import { manySuite } from "../suites/manySuite.js"
import { smokeSuite } from "../suites/smokeSuite.js"
import { backendTests } from "../suites/sql/backend.js"

const files = { WAL: newFile("WAL"), DELETE: newFile("DELETE") }
beforeAll(() => Effect.runPromise(Effect.all([files.WAL.create, files.DELETE.create])))
afterAll(() => Effect.runPromise(Effect.all([files.WAL.remove, files.DELETE.remove])))

/** Each layer has a client of its own, as another process would. */
const backend = (mode: keyof typeof files) =>
  Layer.provide(
    SqlBackend.layer({ namespace: randomUUID(), timeout: "1 minute" }),
    LibsqlClient.layer({ url: files[mode].url })
  )

cacheBackendSuite("SqlBackend on SQLite", backend("WAL"), { shared: true, neighbour: backend("WAL") })
cachedSuite("cached on SQLite", backend("WAL"), { shared: true })
manySuite("cachedMany on SQLite", backend("WAL"), { shared: true })
smokeSuite("SqlBackend on SQLite, DELETE", backend("DELETE"), backend("DELETE"))

describe("SqlBackend on SQLite", () => {
  backendTests(sqlite())

  it.scopedLive("refuses what is no file that all connections share, and tables in other schemas", () =>
    Effect.gen(function* () {
      const refusal = (url: string, table = "cache") =>
        Effect.scoped(Layer.build(Layer.provide(SqlBackend.layer({ table }), LibsqlClient.layer({ url })))).pipe(
          Effect.flip
        )
      const file = yield* freshFile()
      for (const [url, table] of [
        [":memory:"],
        ["file::memory:?cache=shared"],
        ["http://127.0.0.1:1"],
        [file, "temp.cache"],
        [file, `"; DROP TABLE x`],
        [file, "a-b"]
      ] as const) {
        expect([url, table, yield* refusal(url, table)]).toMatchObject([url, table, { reason: "InvalidOption" }])
      }
    })
  )

  for (const [what, properties] of [
    ["whose driver it does not know", { sdk: undefined }],
    ["that works on a replica", { config: { syncUrl: "http://127.0.0.1:1" } }]
  ] as const) {
    it.scopedLive(`refuses a client of SQLite ${what}`, () =>
      Effect.gen(function* () {
        const sql = Object.assign(Context.get(yield* Layer.build(ownFile), SqlClient), properties)
        const error = yield* SqlBackend.layer().pipe(
          Layer.provide(Layer.succeed(SqlClient, sql)),
          Layer.build,
          Effect.scoped,
          Effect.flip
        )
        expect(error).toMatchObject({ reason: "InvalidOption" })
      })
    )
  }
})
