/**
 * `npm run bench` runs every benchmark there is, `npm run bench -- memory` those that are named: each is a file beside
 * this one that runs by itself. `--seconds N` is how long each subject of a comparison with a server plays (8). What is measured
 * is written to `measured/bench.<name>.json`, too. A benchmark runs as plain JavaScript in a process of its own, for what tsx makes
 * of a function names it at every call, which costs more than a hit.
 */
import { spawnSync } from "node:child_process"
import { readdirSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import { build } from "esbuild"

const root = fileURLToPath(new URL("..", import.meta.url))
const directory = join(root, "benchmarks")

const names = readdirSync(directory)
  .filter((file) => file.endsWith(".ts") && file !== "main.ts")
  .map((file) => file.slice(0, -".ts".length))

const { positionals: asked, values } = parseArgs({ options: { seconds: { type: "string" } }, allowPositionals: true })
const seconds = values.seconds === undefined ? "" : ` --seconds ${values.seconds}`

const run = async (name: string): Promise<number> => {
  const outfile = join(root, "node_modules", ".cache", "effect-cached", `benchmark-${name}.mjs`)
  await build({
    entryPoints: [join(directory, `${name}.ts`)],
    outfile,
    absWorkingDir: root,
    bundle: true,
    platform: "node",
    target: "node20",
    format: "esm",
    alias: { "effect-cached": join(root, "src/index.ts") },
    plugins: [
      {
        // `alias` would send effect-cached/SqlBackend to a path under index.ts.
        name: "subpaths",
        setup: ({ onResolve }) =>
          onResolve({ filter: /^effect-cached\// }, ({ path }) => ({
            path: join(root, "src", `${path.slice("effect-cached/".length)}.ts`)
          }))
      }
    ],
    packages: "external",
    logLevel: "warning"
  })
  const { status } = spawnSync(process.execPath, ["--expose-gc", outfile], {
    stdio: "inherit",
    env: {
      ...process.env,
      BENCHMARK_IS_PLAIN: "yes",
      BENCHMARK_NAME: name,
      BENCHMARK_ROOT: root,
      BENCHMARK_COMMAND: `npm run bench -- ${name}${seconds}`,
      BENCHMARK_SECONDS: values.seconds ?? "8"
    }
  })
  return status ?? 1
}

const unknown = asked.filter((name) => !names.includes(name))

if (unknown.length > 0) {
  process.stderr.write(`unknown benchmark ${unknown.join(", ")}; there is ${names.join(", ")}\n`)
  process.exitCode = 2
} else {
  for (const name of asked.length === 0 ? names : asked) {
    process.stdout.write(`\n# ${name}\n`)
    const status = await run(name)
    if (status !== 0) process.exitCode = status
  }
}
