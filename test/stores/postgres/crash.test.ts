/** A database that dies and comes back: on a server of its own. */

import { SqlClient } from "@effect/sql/SqlClient"
import * as PgClient from "@effect/sql-pg/PgClient"
import { expect, it } from "@effect/vitest"
import { Effect, Layer, Option, Redacted, Schedule } from "effect"
import { CacheBackend, cached } from "effect-cached"
import * as SqlBackend from "effect-cached/SqlBackend"
import { postgres } from "../../servers/postgres.js"

it.scopedLive("after a crash an unlogged table is empty, so there are only misses; cached computes throughout", () =>
  Effect.gen(function* () {
    const server = yield* postgres
    if (server.embedded === undefined) return
    const pool = PgClient.layer({ url: Redacted.make(server.url), maxConnections: 3, connectTimeout: "2 seconds" })
    const both = Layer.merge(
      pool,
      Layer.provide(SqlBackend.layer({ timeout: "1 second", breaker: { retryAfter: "50 millis" } }), pool)
    )
    const context = yield* Layer.build(both)
    const program = Effect.gen(function* () {
      const cache = yield* CacheBackend
      const sql = yield* SqlClient
      let computed = 0
      const count = cached(
        Effect.sync(() => ++computed),
        { key: "count", ttl: "1 hour" }
      )
      yield* cache.set("kept", "x")
      expect(yield* count).toBe(1)
      expect(yield* count).toBe(1)
      // the test server commits without waiting for the disk; the definition of the table has to survive
      yield* sql`CHECKPOINT`
      yield* server.embedded?.crash ?? Effect.void
      expect(yield* count).toBe(2)
      expect(yield* Effect.flip(cache.get("kept"))).toMatchObject({ reason: "Unavailable" })
      yield* server.embedded?.start ?? Effect.void
      yield* Effect.retry(cache.get("kept"), { times: 100, schedule: Schedule.spaced("50 millis") })
      expect(yield* cache.get("kept")).toEqual(Option.none())
      const again = yield* count
      expect(again).toBeGreaterThan(1)
      expect(yield* count).toBe(again)
      const open = yield* sql<{ readonly n: number }>`
          SELECT count(*)::int AS n FROM pg_stat_activity WHERE application_name = '@effect/sql-pg'`
      expect(open[0]?.n).toBeLessThanOrEqual(3)
    })
    yield* Effect.provide(program, context)
  })
)
