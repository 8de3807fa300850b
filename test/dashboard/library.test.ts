/** A program in one file, as a bundler makes it: the view is there, with its charts where uPlot is found beside it. */
import { execFile } from "node:child_process"
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { promisify } from "node:util"
import { assert, it } from "@effect/vitest"
import { build } from "esbuild"
import { projectRoot } from "../support/bundle.js"

const program = `
import { HttpApp } from "@effect/platform"
import { Effect } from "effect"
import { CacheBackend, MemoryBackend } from "effect-cached"
import { httpApp } from "effect-cached/Dashboard"

const page = Effect.flatMap(CacheBackend, (cache) =>
  Effect.promise(async () => (await HttpApp.toWebHandler(Effect.provideService(httpApp(), CacheBackend, cache))(new Request("http://localhost/"))).text())
)
Effect.runPromise(Effect.provide(page, MemoryBackend.layer())).then((html) => process.stdout.write(html))
`

const bundle = (format: "esm" | "cjs", outfile: string) =>
  build({
    stdin: { contents: program, resolveDir: projectRoot, loader: "ts" },
    outfile,
    bundle: true,
    platform: "node",
    format,
    logLevel: "error",
    tsconfig: join(projectRoot, "tsconfig.json"),
    // Some of what is bundled is CommonJS and asks for modules of Node.
    ...(format === "esm"
      ? {
          banner: {
            js: 'import { createRequire as makeRequire } from "node:module"; const require = makeRequire(import.meta.url)'
          }
        }
      : {})
  })

it.each(["esm", "cjs"] as const)("a bundle (%s) has its charts where uPlot is beside it", async (format) => {
  const folder = mkdtempSync(join(tmpdir(), "effect-cached-bundle-"))
  try {
    writeFileSync(join(folder, "package.json"), "{}")
    const file = join(folder, format === "esm" ? "program.mjs" : "program.cjs")
    await bundle(format, file)
    const run = async () => (await promisify(execFile)(process.execPath, [file], { cwd: tmpdir() })).stdout
    const without = await run()
    assert.include(without, "The charts need the package uplot")
    assert.notInclude(without, `class="plot"`)
    assert.include(without, `id="functions"`)

    const beside = join(folder, "node_modules/uplot")
    mkdirSync(dirname(beside))
    cpSync(join(projectRoot, "node_modules/uplot"), beside, { recursive: true })
    const whole = await run()
    assert.include(whole, `class="plot"`)
    assert.include(whole, "var uPlot=")
  } finally {
    rmSync(folder, { recursive: true })
  }
})
