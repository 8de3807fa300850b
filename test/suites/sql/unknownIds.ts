/** Look-ups of ids that don't exist, by a function whose groups depend on the id. */
import { SqlClient } from "@effect/sql/SqlClient"
import { expect, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { cached } from "effect-cached"
import * as SqlBackend from "effect-cached/SqlBackend"
import { until } from "../../support/until.js"
import { clientOn, countOf, type Database } from "./ground.js"

const realIds = 400

/** @param unknownIds how many are looked up */
export const unknownIdTests = (database: Database, unknownIds: number): void => {
  const ground = (maxEntries?: number) =>
    Effect.gen(function* () {
      const place = yield* database.place
      const sql = yield* clientOn(place)
      const options = { table: place.table, purgeEvery: "100 millis", timeout: "1 minute" } as const
      const layer = SqlBackend.layer(maxEntries === undefined ? options : { ...options, maxEntries })
      const context = yield* Layer.build(Layer.provide(layer, Layer.succeed(SqlClient, sql)))
      const state = { computed: 0 }
      const find = cached((id: number) => Effect.sync(() => (id < realIds ? ++state.computed : null)), {
        key: "find",
        groups: (id) => [`a:${id}`],
        ttl: "1 hour",
        lease: "3 seconds"
      })
      const look = (from: number, ids: number) =>
        Effect.forEach(
          Array.from({ length: ids }, (_, index) => from + index),
          (id) => find(id),
          { concurrency: 50, discard: true }
        ).pipe(Effect.provide(context))
      return { find, look, state, count: countOf(sql, place.table) }
    })

  it.scopedLive(`${unknownIds} of them leave nothing that outlives its lease`, () =>
    Effect.gen(function* () {
      const { count, look } = yield* ground()
      yield* look(0, 10)
      const before = yield* count
      expect(before).toBe(20)
      yield* look(realIds, unknownIds)
      expect(yield* until(count, (rows) => rows === before)).toBe(before)
    })
  )

  it.scopedLive(`${unknownIds} of them push out none of ${realIds} entries in a table of 500`, () =>
    Effect.gen(function* () {
      const { look, state } = yield* ground(500)
      yield* look(0, realIds)
      expect(state.computed).toBe(realIds)
      const rounds = 10
      for (let round = 0; round < rounds; round++) {
        yield* look(realIds + (round * unknownIds) / rounds, unknownIds / rounds)
        yield* look(0, realIds)
      }
      // and once more when the purge has had its time
      yield* Effect.sleep("500 millis")
      yield* look(0, realIds)
      expect(state.computed).toBe(realIds)
    })
  )

  it.scopedLive("as many groups as entries are kept within maxEntries", () =>
    Effect.gen(function* () {
      const { count, look, state } = yield* ground(100)
      yield* look(0, realIds)
      expect(yield* until(count, (rows) => rows <= 210)).toBeGreaterThan(150)
      expect(state.computed).toBe(realIds)
    })
  )
}
