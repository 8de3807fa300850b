/** A set-up that fails, in each way in which vitest by itself says nothing, tells so. */
import { execFile } from "node:child_process"
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url))

/** What vitest prints, and its exit code, for a run of one test after a set-up that does `work`. */
const runWith = (work: string) =>
  Effect.gen(function* () {
    const folder = yield* Effect.acquireRelease(
      Effect.promise(() => mkdtemp(join(tmpdir(), "effect-cached-set-up-"))),
      (path) => Effect.promise(() => rm(path, { recursive: true, force: true }))
    )
    const files = {
      "vitest.config.ts": `export default { test: { globals: true, globalSetup: ["./setup.ts"] } }`,
      "one.test.ts": `it("runs", () => {})`,
      "setup.ts": `
        import { spawn } from "node:child_process"
        import { setUp } from ${JSON.stringify(path("setUp.ts"))}
        export default () => setUp("to make ready", async () => { ${work} })`
    }
    for (const [name, text] of Object.entries(files)) yield* Effect.promise(() => writeFile(join(folder, name), text))
    const vitest = path("../../node_modules/vitest/vitest.mjs")
    return yield* Effect.async<{ readonly code: number; readonly output: string }>((resume) => {
      const child = execFile(process.execPath, [vitest, "run", "--root", folder], (_, stdout, stderr) =>
        resume(Effect.succeed({ code: child.exitCode ?? -1, output: stdout + stderr }))
      )
    })
  })

describe.concurrent("a set-up that", () => {
  for (const [title, work, told] of [
    ["throws", `throw new Error("no room")`, "Error: no room"],
    ["starts a program that can't be started", `spawn("/nobody/here"); await new Promise(() => {})`, "ENOENT"],
    ["ends the process", "process.exit(0)", "ended with code 0"],
    ["waits for what never comes", "await new Promise(() => {})", "ended with code 0"]
  ] as const) {
    it.scopedLive(`${title}, is told of`, () =>
      Effect.gen(function* () {
        const { code, output } = yield* runWith(work)
        assert.include(output, "The set-up of the tests has failed: to make ready.")
        assert.include(output, told)
        assert.notInclude(output, "1 passed")
        assert.strictEqual(code, 1)
      })
    )
  }

  it.scopedLive("does its work, says nothing", () =>
    Effect.gen(function* () {
      const { code, output } = yield* runWith("await undefined")
      assert.include(output, "1 passed")
      assert.notInclude(output, "has failed")
      assert.strictEqual(code, 0)
    })
  )
})
