import { fileURLToPath } from "node:url"
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { memcachedServers } from "../../servers/memcached.js"
import { bundled, contestant } from "../../support/program.js"
import { freshNamespace, item, readText, storeOn } from "./support.js"

const processes = 4
const fibers = 16
const rounds = 2

interface Result {
  readonly adds: number
  readonly conflicts: number
}

const script = bundled(fileURLToPath(new URL("contestant.ts", import.meta.url)))

describe(`${processes} processes of ${fibers} fibers on one record`, () => {
  for (const servers of [1, 3]) {
    it.scopedLive(`have one winner of each add, and lose no increment, on ${servers} memcached`, () =>
      Effect.gen(function* () {
        const given = yield* memcachedServers(servers)
        const namespace = freshNamespace()
        const store = yield* storeOn(given, {}, namespace)
        yield* store.write([item("counter", "0")])
        const contestants = yield* Effect.all(
          Array.from({ length: processes }, () => contestant<Result>(script(), [given, namespace, `${rounds}`]))
        )
        yield* Effect.all(
          contestants.map(({ ready }) => ready),
          { concurrency: "unbounded" }
        )
        yield* store.write([item("start", "now")])
        const results = yield* Effect.all(
          contestants.map(({ result }) => result),
          { concurrency: "unbounded" }
        )
        const sum = (of: (result: Result) => number) => results.reduce((total, result) => total + of(result), 0)
        expect(yield* readText(store, "counter")).toBe(`${processes * fibers * rounds}`)
        expect(sum(({ adds }) => adds)).toBe(rounds)
        // Otherwise nothing was contended for.
        expect(sum(({ conflicts }) => conflicts)).toBeGreaterThan(0)
      })
    )
  }
})
