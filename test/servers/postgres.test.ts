/** Root's PostgreSQL, where the folder of the project is closed to all others, as `/root` is. */
import { cp, mkdtemp, rm, stat } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { postgresWith } from "./postgres.js"
import { installed } from "./postgresPrograms.js"

const closedFolder = Effect.acquireRelease(
  // mkdtemp gives it mode 700
  Effect.promise(() => mkdtemp(join(tmpdir(), "effect-cached-closed-"))),
  (folder) => Effect.promise(() => rm(folder, { recursive: true, force: true }))
)

const embeddedForRoot = process.getuid?.() === 0 && (process.env["DATABASE_URL"] ?? "") === ""

describe.skipIf(!embeddedForRoot)("PostgreSQL started by root", () => {
  it.scopedLive("runs out of a folder that only root may enter", () =>
    Effect.gen(function* () {
      const closed = yield* closedFolder
      assert.strictEqual((yield* Effect.promise(() => stat(closed))).mode & 0o777, 0o700)
      const from = yield* installed
      yield* Effect.promise(() => cp(from, join(closed, "native"), { recursive: true, verbatimSymlinks: true }))
      const server = yield* postgresWith({}, join(closed, "native"))
      assert.isDefined(server.embedded)
      yield* server.embedded?.crash ?? Effect.void
      yield* server.embedded?.start ?? Effect.void
    })
  )

  it.scopedLive("says what to do where it can't be started", () =>
    Effect.gen(function* () {
      const closed = yield* closedFolder
      const error = yield* Effect.flip(postgresWith({}, join(closed, "nothing")))
      assert.include(error.message, "PostgreSQL refuses to run as root")
      assert.include(error.message, "TMPDIR")
      assert.include(error.message, "DATABASE_URL")
    })
  )
})
