/** Several processes compete for one table. */
import { fileURLToPath } from "node:url"
import { expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { bundled, contestant } from "../../support/program.js"
import type { Contest } from "./contestant.js"
import { clientOn, type Database, key, record, storeOn, text } from "./ground.js"

const processes = 4
const fibers = 4
const rounds = 12

interface Result {
  readonly adds: number
  readonly conflicts: number
  readonly stolen: number
}

const script = fileURLToPath(new URL("contestant.ts", import.meta.url))

export const processTests = (database: Database): void => {
  const file = bundled(script)

  it.scopedLive(`of ${processes} processes of ${fibers} fibers, one wins each add, and no increment is lost`, () =>
    Effect.gen(function* () {
      const { driver, table, url } = yield* database.place
      const cache = yield* Effect.flatMap(clientOn({ driver, url }), (sql) => storeOn(sql, table))
      yield* cache.write([{ key: key("counter"), record: record("0") }])
      const contest: Contest = { driver, url, table, fibers, rounds }
      const contestants = yield* Effect.all(
        Array.from({ length: processes }, () => contestant<Result>(file(), [JSON.stringify(contest)]))
      )
      yield* Effect.all(
        contestants.map(({ ready }) => ready),
        { concurrency: "unbounded" }
      )
      yield* cache.write([{ key: key("start"), record: record("now") }])
      const results = yield* Effect.all(
        contestants.map(({ result }) => result),
        { concurrency: "unbounded" }
      )
      const sum = (of: (result: Result) => number) => results.reduce((total, result) => total + of(result), 0)
      expect((yield* cache.read([key("counter")])).map(text)).toEqual([`${processes * fibers * rounds}`])
      expect(sum(({ adds }) => adds)).toBe(rounds)
      expect(sum(({ stolen }) => stolen)).toBe(0)
      // Otherwise the processes did not compete.
      expect(sum(({ conflicts }) => conflicts)).toBeGreaterThan(0)
    })
  )
}
