import { spawn } from "node:child_process"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { memcachedServers } from "../../servers/memcached.js"
import { freshNamespace, item, readText, storeOn } from "./support.js"

const processes = 4
const fibers = 16
const rounds = 2

const script = fileURLToPath(new URL("incrementer.ts", import.meta.url))

interface Contestant {
  readonly ready: Promise<void>
  readonly result: Promise<{ readonly adds: number; readonly conflicts: number }>
}

const contestant = (servers: string, namespace: string) =>
  Effect.map(
    Effect.acquireRelease(
      Effect.sync(() =>
        spawn(process.execPath, ["--import", "tsx", script, servers, namespace, `${rounds}`], {
          stdio: ["ignore", "pipe", "inherit"]
        })
      ),
      (child) => Effect.sync(() => child.kill("SIGKILL"))
    ),
    (child): Contestant => {
      const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
      const ready = lines.next().then(() => {})
      return { ready, result: ready.then(() => lines.next()).then(({ value }) => JSON.parse(`${value}`)) }
    }
  )

describe(`${processes} processes of ${fibers} fibers on one record`, () => {
  for (const servers of [1, 3]) {
    it.scopedLive(`have one winner of each add, and lose no increment, on ${servers} memcached`, () =>
      Effect.gen(function* () {
        const given = yield* memcachedServers(servers)
        const namespace = freshNamespace()
        const store = yield* storeOn(given, {}, namespace)
        yield* store.write([item("counter", "0")])
        const contestants = yield* Effect.all(Array.from({ length: processes }, () => contestant(given, namespace)))
        yield* Effect.promise(() => Promise.all(contestants.map(({ ready }) => ready)))
        yield* store.write([item("start", "now")])
        const results = yield* Effect.promise(() => Promise.all(contestants.map(({ result }) => result)))
        const sum = (of: (result: (typeof results)[number]) => number) =>
          results.reduce((total, result) => total + of(result), 0)
        expect(yield* readText(store, "counter")).toBe(`${processes * fibers * rounds}`)
        expect(sum(({ adds }) => adds)).toBe(rounds)
        // Otherwise nothing was contended for.
        expect(sum(({ conflicts }) => conflicts)).toBeGreaterThan(0)
      })
    )
  }
})
