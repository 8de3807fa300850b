/** A program that starts before its database: the recipe of docs/production.md, on a server of its own. */
import { readFileSync } from "node:fs"
import { SqlClient } from "@effect/sql/SqlClient"
import { describe, expect, it } from "@effect/vitest"
import { Context, Effect, Layer, Option, Redacted } from "effect"
import { CacheBackend, cached } from "effect-cached"
import * as SqlBackend from "effect-cached/SqlBackend"
import { clientOf } from "../../../examples/start-before-database.js"
import { postgres } from "../../servers/postgres.js"
import { until } from "../../support/until.js"
import { warned } from "../../support/warned.js"

const nowhere = clientOf(Redacted.make("postgres://postgres:postgres@127.0.0.1:1/postgres"))

const count = cached((n: number) => Effect.sync(() => n), { key: "count", ttl: "1 hour" })

describe("the database is not there when the program starts", () => {
  it.scopedLive("with onStart: retry, calls go on without the cache; it works once the database is there", () =>
    Effect.gen(function* () {
      const server = yield* postgres
      if (server.embedded === undefined) return
      yield* server.embedded.crash
      const { layer, lines } = warned()
      yield* Effect.gen(function* () {
        const context = yield* Layer.build(
          SqlBackend.layer({ onStart: "retry" }).pipe(Layer.provideMerge(clientOf(Redacted.make(server.url))))
        )
        const cache = Context.get(context, CacheBackend)
        const call = Effect.provideService(count(1), CacheBackend, cache)
        for (let round = 0; round < 50; round++) expect(yield* call).toBe(1)
        expect(yield* Effect.flip(cache.set("a", 1))).toMatchObject({ reason: "Unavailable" })
        expect(yield* Effect.flip(cache.invalidateGroup("all"))).toMatchObject({ reason: "Unavailable" })
        yield* Effect.sleep("3 seconds")
        expect(lines.length).toBeGreaterThan(0)
        expect(lines.length).toBeLessThan(5)
        yield* server.embedded?.start ?? Effect.void
        yield* until(Effect.option(cache.set("a", 1)), Option.isSome)
        expect(yield* cache.get("a")).toEqual(Option.some(1))
        const { hits } = yield* cache.stats
        yield* call
        yield* call
        expect((yield* cache.stats).hits).toBeGreaterThan(hits)
        const sql = Context.get(context, SqlClient)
        yield* Effect.exit(sql.withTransaction(Effect.zipRight(cache.delete("a"), Effect.fail("rollback"))))
        expect(yield* cache.get("a")).toEqual(Option.some(1))
        yield* sql.withTransaction(cache.delete("a"))
        expect(yield* cache.get("a")).toEqual(Option.none())
        // the cache is part of that transaction
        expect(lines.filter((line) => line.includes("transaction"))).toEqual([])
      }).pipe(Effect.provide(layer))
    })
  )

  it.effect("the recipe of docs/production.md is the example that the compiler has seen", () =>
    Effect.sync(() => {
      const text = (path: string) => readFileSync(new URL(`../../../${path}`, import.meta.url), "utf8")
      expect(text("docs/production.md")).toContain(text("examples/start-before-database.ts"))
    })
  )

  it.scopedLive("without it, the layer fails", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(Effect.scoped(Layer.build(Layer.provide(SqlBackend.layer(), nowhere))))
      expect(error).toMatchObject({ _tag: "SqlError" })
    })
  )

  it.scopedLive("an option that is wrong fails the layer all the same", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(
        Effect.scoped(Layer.build(Layer.provide(SqlBackend.layer({ table: "a-b", onStart: "retry" }), nowhere)))
      )
      expect(error).toMatchObject({ reason: "InvalidOption" })
    })
  )

  it.scopedLive("a layer that closes meanwhile closes at once", () =>
    Effect.scoped(Layer.build(Layer.provide(SqlBackend.layer({ onStart: "retry" }), nowhere)))
  )
})
