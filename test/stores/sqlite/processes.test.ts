import { spawn } from "node:child_process"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { key, record, text } from "../../suites/sql/records.js"
import { clientOn, freshFile, store } from "./support.js"

const processes = 4
const fibers = 4
const rounds = 12

const script = fileURLToPath(new URL("contestant.ts", import.meta.url))

interface Result {
  readonly adds: number
  readonly conflicts: number
  readonly stolen: number
}

const contestant = (url: string) =>
  Effect.map(
    Effect.acquireRelease(
      Effect.sync(() =>
        spawn(process.execPath, ["--import", "tsx", script, url, `${fibers}`, `${rounds}`], {
          stdio: ["ignore", "pipe", "inherit"]
        })
      ),
      (child) => Effect.sync(() => child.kill("SIGKILL"))
    ),
    (child) => {
      const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
      // also what the store has to say for itself while it is built
      const after = async (start: string): Promise<string> => {
        const { done, value } = await lines.next()
        if (done) throw new Error(`a process ended before it said ${start}: why, is among its errors above`)
        return value.startsWith(start) ? value : after(start)
      }
      const ready = after("ready")
      return { ready, result: ready.then(() => after("{")).then((text): Result => JSON.parse(text)) }
    }
  )

describe(`${processes} processes of ${fibers} fibers on one file`, () => {
  for (const mode of ["WAL", "DELETE"] as const) {
    it.scopedLive(
      `have one winner of each add, and lose no increment, ${mode}`,
      () =>
        Effect.gen(function* () {
          const url = yield* freshFile(mode)
          const cache = yield* Effect.flatMap(clientOn(url), (sql) => store(sql))
          yield* cache.write([{ key: key("counter"), record: record("0") }])
          const contestants = yield* Effect.all(Array.from({ length: processes }, () => contestant(url)))
          yield* Effect.promise(() => Promise.all(contestants.map(({ ready }) => ready)))
          yield* cache.write([{ key: key("start"), record: record("now") }])
          const results = yield* Effect.promise(() => Promise.all(contestants.map(({ result }) => result)))
          const sum = (of: (result: Result) => number) => results.reduce((total, result) => total + of(result), 0)
          expect((yield* cache.read([key("counter")])).map(text)).toEqual([`${processes * fibers * rounds}`])
          expect(sum(({ adds }) => adds)).toBe(rounds)
          expect(sum(({ stolen }) => stolen)).toBe(0)
          // Otherwise nothing was contended for.
          expect(sum(({ conflicts }) => conflicts)).toBeGreaterThan(0)
        }),
      60_000
    )
  }
})
