/** Eight processes on a real server: what is not kept holds up nobody twice, and a computation that never ends wedges no key. */
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Option, type Scope } from "effect"
import { CacheBackend } from "effect-cached"
import { inject } from "vitest"
import { memcachedServers } from "../servers/memcached.js"
import { freshNamespace } from "../stores/memcached/support.js"
import { freshTable } from "../stores/postgres/support.js"
import { bundled, contestant } from "../support/program.js"
import { backendAt, type Place, type Report, type Task } from "./caller.js"

const processes = 8
const computing = 1_000
const file = bundled(fileURLToPath(new URL("caller.ts", import.meta.url)))

const places: Record<string, Effect.Effect<Place, Error, Scope.Scope>> = {
  PostgreSQL: Effect.sync(() => ({ kind: "PostgreSQL", url: inject("postgresUrl"), table: freshTable() })),
  memcached: Effect.map(memcachedServers(1), (servers) => ({
    kind: "memcached",
    servers,
    namespace: freshNamespace()
  }))
}

/** How many computed at the same time. */
const mostAtOnce = (found: ReadonlyArray<Report>): number =>
  Math.max(
    ...found.map(
      ({ computing: [began] }) => found.filter(({ computing: [from, to] }) => from <= began && began < to).length
    )
  )

const reports = (task: Task) =>
  Effect.gen(function* () {
    const cache = yield* CacheBackend
    for (const counter of ["calls", "computations"]) yield* cache.set(counter, 0, { ttl: "1 hour" })
    const callers = yield* Effect.all(
      Array.from({ length: processes }, () => contestant<Report>(file(), [JSON.stringify(task)]))
    )
    yield* Effect.all(
      callers.map(({ ready }) => ready),
      { concurrency: "unbounded" }
    )
    yield* cache.set("start", true, { ttl: "1 hour" })
    const found = yield* Effect.all(
      callers.map(({ result }) => result),
      { concurrency: "unbounded" }
    )
    return { found, hung: Option.getOrUndefined(yield* cache.get("hung")) }
  }).pipe(Effect.provide(backendAt(task.place)))

for (const [name, where] of Object.entries(places)) {
  describe(`${processes} processes on ${name}`, () => {
    const endings = name === "memcached" ? (["None", "too large"] as const) : (["None", "error"] as const)
    for (const ending of endings) {
      it.scopedLive(`${ending}: each waits for one computation at most, and computes once`, () =>
        Effect.gen(function* () {
          const { found } = yield* reports({
            place: yield* where,
            ending,
            callers: processes,
            computing,
            maxLease: 600_000
          })
          assert.deepStrictEqual(
            found.map(({ computed }) => computed),
            found.map(() => 1)
          )
          // One waits for the first and computes together with the others who have waited, not one after the other.
          assert.isAtLeast(mostAtOnce(found), 3)
        })
      )
    }

    it.scopedLive("a refresh in the background that never ends is replaced after maxLease", () =>
      Effect.gen(function* () {
        const maxLease = 3_000
        const task = {
          place: yield* where,
          ending: "hangs in the background",
          callers: processes,
          computing: 50,
          maxLease
        } as const
        const { found, hung } = yield* reports(task)
        assert.isAbove(Number(hung), 1)
        for (const { told, took } of found) {
          assert.isAbove(Number(told), Number(hung))
          assert.isBelow(took, 30_000)
        }
      })
    )
  })
}
