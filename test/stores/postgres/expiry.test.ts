import { SqlClient } from "@effect/sql/SqlClient"
import { expect, layer } from "@effect/vitest"
import { Duration, Effect } from "effect"
import { until } from "../../support/until.js"
import { client, freshTable, key, record, store } from "./support.js"

layer(client({ connections: 4 }), { excludeTestServices: true })("when a record is purged", (it) => {
  it.scoped("is when it expires, or later by an eighth of its time to live at most", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const table = freshTable()
      const cache = yield* store({ table })
      const lifetimes = [0.5, 1, 7, 1_000, 59_999, 3_600_000, 86_400_000 * 365, 9.9e13, Number.POSITIVE_INFINITY]
      yield* cache.write(lifetimes.map((lifetime, index) => ({ key: key(index), record: record("x", lifetime) })))
      const added = yield* cache.add(key("added"), record("x", 3_600_000))
      const proof = added._tag === "Some" ? added.value : undefined
      const replaced = yield* cache.replace(key("added"), proof, record("x", 7_200_000))
      expect(replaced._tag).toBe("Some")
      const rows = yield* sql<{ readonly key: string; readonly isLate: boolean; readonly excess: number | null }>`
        SELECT key, purge_at >= expires_at AS "isLate",
          CASE WHEN purge_at = expires_at THEN 0 ELSE date_part('epoch', purge_at) - date_part('epoch', expires_at) END AS excess
        FROM ${sql(table)}`
      expect(rows.length).toBe(lifetimes.length + 1)
      for (const row of rows) {
        const index = lifetimes.findIndex((_, index) => key(index) === row.key)
        const seconds = Math.max(1, lifetimes[index] ?? 7_200_000) / 1_000
        expect(row).toEqual({ ...row, isLate: true })
        // how exactly a float tells the time so far away
        expect(row.excess).toBeLessThanOrEqual(Math.min(seconds / 8, 1e12) + 1e-3)
      }
    })
  )

  it.scoped("mostly stays when it is written again, so that no index has to know", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const table = freshTable()
      const cache = yield* store({ table })
      for (let round = 0; round < 40; round++) {
        yield* cache.write([{ key: key(1), record: record(`${round}`, 3_600_000) }])
      }
      const updates = Effect.map(
        sql<{ readonly all: number; readonly hot: number }>`
          SELECT n_tup_upd::int AS all, n_tup_hot_upd::int AS hot FROM pg_stat_user_tables WHERE relname = ${table}`,
        ([row]) => row ?? { all: 0, hot: 0 }
      )
      // the server counts a little later
      expect(
        yield* until(
          Effect.map(updates, ({ all }) => all),
          (all) => all === 39
        )
      ).toBe(39)
      // a boundary may lie in between
      expect((yield* updates).hot).toBeGreaterThanOrEqual(38)
    })
  )

  it.scoped("is known of what another program inserted, too", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const table = freshTable()
      const cache = yield* store({ table, purgeEvery: Duration.millis(20) })
      yield* cache.write([{ key: key("own"), record: record("x", 3_600_000) }])
      yield* sql`INSERT INTO ${sql(table)} (key, token, value, expires_at)
        SELECT 'v1:app:' || i, gen_random_uuid(), 'x', now() + CASE WHEN i % 2 = 0 THEN interval '1 hour' ELSE interval '50 milliseconds' END
        FROM generate_series(1, 3000) i`
      const count = Effect.map(
        sql<{ readonly n: number }>`SELECT count(*)::int AS n FROM ${sql(table)} WHERE purge_at >= expires_at`,
        ([row]) => row?.n ?? 0
      )
      expect(yield* until(count, (rows) => rows === 1_501)).toBe(1_501)
      const all = yield* sql`SELECT count(*)::int AS n FROM ${sql(table)}`
      expect(all).toEqual([{ n: 1_501 }])
    })
  )

  it.scoped("of what has expired, it goes before what lives when there is no room", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const table = freshTable()
      const cache = yield* store({ table, maxEntries: 1_000, purgeEvery: Duration.millis(50) })
      const write = (name: string) =>
        cache.write(
          Array.from({ length: 800 }, (_, index) => ({ key: key(`${name}${index}`), record: record("x", 3_600_000) }))
        )
      yield* write("old")
      // as it will be in an hour, before the time to purge them
      yield* sql`UPDATE ${sql(table)} SET expires_at = now() - interval '1 second', purge_at = now() + interval '100 seconds'`
      yield* write("new")
      const left = Effect.map(
        sql<{ readonly n: number }>`SELECT count(*)::int AS n FROM ${sql(table)}`,
        ([row]) => row?.n ?? 0
      )
      expect(yield* until(left, (rows) => rows <= 1_010)).toBeGreaterThanOrEqual(900)
      const alive = yield* sql`SELECT count(*)::int AS n FROM ${sql(table)} WHERE expires_at > now()`
      expect(alive).toEqual([{ n: 800 }])
    })
  )
})
