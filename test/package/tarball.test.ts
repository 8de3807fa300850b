import { execFile } from "node:child_process"
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"

const run = promisify(execFile)
const root = fileURLToPath(new URL("../..", import.meta.url))

const promised = <A>(evaluate: () => Promise<A>) => Effect.promise(evaluate)

/** A project that has installed the packed library with its plain dependencies and `effect`, and nothing else. */
const project = Effect.acquireRelease(
  promised(async () => {
    const folder = await mkdtemp(join(tmpdir(), "effect-cached-package-"))
    await run("npm", ["pack", "--pack-destination", folder], { cwd: root })
    const tarball = (await readdir(folder)).find((name) => name.endsWith(".tgz")) ?? ""
    const modules = join(folder, "node_modules")
    await mkdir(join(modules, "effect-cached"), { recursive: true })
    await run("tar", ["-xzf", tarball, "-C", join(modules, "effect-cached"), "--strip-components=1"], { cwd: folder })
    const manifest: { dependencies: Record<string, string> } = JSON.parse(
      await readFile(join(modules, "effect-cached", "package.json"), "utf8")
    )
    for (const name of ["effect", ...Object.keys(manifest.dependencies)]) {
      await symlink(join(root, "node_modules", name), join(modules, name))
    }
    await writeFile(join(folder, "package.json"), JSON.stringify({ type: "module" }))
    return folder
  }),
  (folder) => promised(() => rm(folder, { recursive: true, force: true }))
)

const script = (folder: string, source: string) =>
  promised(async () => {
    const file = join(folder, "main.js")
    await writeFile(file, source)
    return run(process.execPath, [file], { cwd: folder }).then(
      ({ stdout }) => ({ code: 0, output: stdout.trim() }),
      (error: { code: number; stderr: string }) => ({ code: error.code, output: error.stderr })
    )
  })

describe("the packed library", () => {
  it.scopedLive(
    "works with effect alone, and loads neither memjs nor pg with its root",
    () =>
      Effect.gen(function* () {
        const folder = yield* project
        const used = yield* script(
          folder,
          `import { Effect } from "effect"
           import { cached, MemoryBackend } from "effect-cached"
           const double = cached((n) => Effect.succeed(n * 2), { key: "double" })
           const program = Effect.zipRight(double(21), double.requireCache(21))
           const found = await Effect.runPromise(program.pipe(Effect.provide(MemoryBackend.layer({ maxEntries: 10 }))))
           process.stdout.write(String(found))`
        )
        assert.deepStrictEqual(used, { code: 0, output: "42" })

        for (const [entry, missing] of [
          ["SqlBackend", "@effect/sql"],
          ["MemcachedBackend", "memjs"]
        ] as const) {
          const failed = yield* script(folder, `import "effect-cached/${entry}"`)
          assert.strictEqual(failed.code, 1)
          assert.include(failed.output, `Cannot find package '${missing}'`)
        }
      }),
    120_000
  )
})
