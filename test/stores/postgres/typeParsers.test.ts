/** The cache reads its own rows, whatever parsers the program has for the types of PostgreSQL. */
import { SqlClient } from "@effect/sql/SqlClient"
import * as PgClient from "@effect/sql-pg/PgClient"
import { describe, expect, it } from "@effect/vitest"
import { Duration, Effect, Layer, Option, Redacted } from "effect"
import { cached } from "effect-cached"
import * as SqlBackend from "effect-cached/SqlBackend"
import pg from "pg"
import type { CacheError } from "../../../src/CacheError.js"
import { reading } from "../../../src/internal/stores/postgres/rows.js"
import { until } from "../../support/until.js"
import { freshTable, key, record, store, text, url } from "./support.js"

/** Of every type but `text`, to which the program itself compares. */
const strange = { getTypeParser: (oid: number) => (value: string) => (oid === 25 ? value : { oid, value }) }

const strangers = (options: Partial<PgClient.PgClientConfig> = {}) =>
  PgClient.layer({ url: Redacted.make(url()), maxConnections: 4, ...options })

const clients: ReadonlyArray<readonly [name: string, client: Layer.Layer<SqlClient, unknown>]> = [
  // what `pg` takes is more than its type says
  [
    "a client with parsers of its own",
    strangers({ types: strange as unknown as NonNullable<PgClient.PgClientConfig["types"]> })
  ],
  [
    "a client that renames columns",
    strangers({ transformResultNames: (name) => name.toUpperCase(), transformJson: true })
  ]
]

const program = (prepare: boolean) =>
  Effect.gen(function* () {
    const sql = yield* SqlClient
    const table = freshTable()
    // made by hand: this is about the statements of the store
    yield* sql.unsafe(yield* SqlBackend.printDefinition({ table }))
    const cache = yield* store({
      table,
      createTable: false,
      prepare,
      purgeEvery: Duration.millis(50),
      maxEntries: 1_000
    })
    const keys = [1, 2, 3, 4, 5].map(key)
    yield* cache.write(keys.map((each) => ({ key: each, record: record(`of ${each}`) })))
    for (const asked of [keys, keys.slice(0, 1)]) {
      expect((yield* cache.read(asked)).map(text)).toEqual(asked.map((each) => `of ${each}`))
    }
    const token = Option.getOrThrow(yield* cache.add(key("added"), record("a")))
    expect(Option.isSome(yield* cache.replace(key("added"), token, record("b")))).toBe(true)
    expect(yield* cache.remove([key("added"), key("absent")])).toBe(1)
    yield* sql.withTransaction(
      Effect.gen(function* () {
        yield* cache.remove([key(1)])
        expect(Option.isSome(yield* cache.add(key(1), record("inside")))).toBe(true)
        expect((yield* cache.read(keys)).map(text)).toEqual(["inside", ...keys.slice(1).map((each) => `of ${each}`)])
      })
    )
    expect((yield* cache.read(keys)).map(text)).toEqual(["inside", ...keys.slice(1).map((each) => `of ${each}`)])
    yield* cache.write([{ key: key("short"), record: record("x", 1) }])
    // the purge folds the changes, and removes what has expired
    const rows = Effect.map(
      sql<{ readonly n: string }>`SELECT count(*)::text || '' AS n FROM ${sql(table)}`.withoutTransform,
      ([row]) => Number(row?.n)
    )
    expect(yield* until(rows, (count) => count === keys.length)).toBe(keys.length)
    const size = yield* cache.size ?? Effect.die("no size")
    expect(Option.getOrThrow(size.bytes)).toBeGreaterThan(0)
    yield* cache.clear
    expect((yield* cache.read(keys)).filter(Boolean)).toEqual([])
  }).pipe(Effect.scoped)

describe("with a program's own type parsers", () => {
  for (const [name, client] of clients) {
    for (const prepare of [true, false]) {
      it.live(`all primitives work on ${name}, prepared: ${prepare}`, () => Effect.provide(program(prepare), client))
    }
  }

  it.scopedLive("a program-wide parser of bytea that gives a text harms nobody", () =>
    Effect.gen(function* () {
      const bytea = 17
      yield* Effect.acquireRelease(
        Effect.sync(() => {
          const before = pg.types.getTypeParser(bytea)
          pg.types.setTypeParser(bytea, (value: string) => value)
          return before
        }),
        (before) => Effect.sync(() => pg.types.setTypeParser(bytea, before))
      )
      const context = yield* Layer.build(
        SqlBackend.layer({ table: freshTable() }).pipe(Layer.provideMerge(strangers()))
      )
      let computed = 0
      const city = cached((id: number) => Effect.sync(() => `${id} of ${++computed}`), {
        key: "city",
        ttl: "1 hour",
        groups: ["a", "b", "c"]
      })
      const four = Effect.all(
        [1, 2, 3, 4].map((id) => city(id)),
        { concurrency: "unbounded" }
      )
      const first = yield* Effect.provide(four, context)
      expect(computed).toBe(4)
      expect(yield* Effect.provide(four, context)).toEqual(first)
    })
  )

  it.effect("rows that can't be read are a failure of the store, not a defect", () =>
    Effect.gen(function* () {
      const broken = reading(
        Effect.succeed([{ record: undefined }]),
        ([row]) => (row as unknown as { record: string }).record.length
      )
      const error: CacheError = yield* Effect.flip(broken)
      expect(error).toMatchObject({ _tag: "CacheError", reason: "StoreFailed" })
    })
  )
})
