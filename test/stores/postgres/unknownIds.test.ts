import { SqlClient } from "@effect/sql/SqlClient"
import { describe, expect, layer } from "@effect/vitest"
import { Effect } from "effect"
import { statements } from "../../../src/internal/stores/postgres/statements/statements.js"
import { parseTable } from "../../../src/internal/stores/sql/table.js"
import { unknownIdTests } from "../../suites/sql/unknownIds.js"
import { sized, whole } from "../../support/size.js"
import { client, freshTable, postgres, store } from "./support.js"

describe("unknown ids on PostgreSQL", () => unknownIdTests(postgres, sized(whole ? 3_000 : 1_000, 100_000)))

layer(client(), { excludeTestServices: true })("the purge of values and groups", (it) => {
  it.scoped("reads no whole table", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const table = freshTable()
      yield* store({ table })
      yield* sql`ALTER TABLE ${sql(table)} SET (autovacuum_enabled = false)`
      yield* sql`INSERT INTO ${sql(table)} (key, token, value, expires_at, purge_at)
        SELECT CASE i % 2 WHEN 0 THEN 'v1:app:' ELSE 'v1:app:%group:' END || i, gen_random_uuid(), 'x',
          now() + interval '1 hour', now() + interval '1 hour' FROM generate_series(1, 50000) i`
      const texts = statements(yield* parseTable(table), 5_000)
      const purging = [
        [texts.removeExpired, [1_000]],
        [texts.removeExpiredGroups, [1_000]],
        [texts.fillMissingPurgeTimes, [1_000]],
        [texts.fillMissingPurgeTimesOfGroups, [1_000]],
        [texts.evict, [1_000, 100, 60]],
        [texts.evictGroups, [1_000, 100]]
      ] as const
      for (const [{ name, text }, parameters] of purging) {
        const plan = yield* sql.unsafe<object>(`EXPLAIN ${text}`, parameters).withoutTransform
        const scans = plan.flatMap((row) => Object.values(row)).filter((line) => /Scan .*\bt_/.test(`${line}`))
        expect(scans.length, name).toBeGreaterThan(0)
        expect(
          scans.filter((line) => /Seq Scan/.test(`${line}`)),
          name
        ).toEqual([])
      }
    })
  )
})
