/** One file of a worker and all that it imports: started eight times, it saves eight times the loading of a library. */
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { Effect } from "effect"
import { build } from "esbuild"

const here = fileURLToPath(new URL(".", import.meta.url))
export const projectRoot = fileURLToPath(new URL("../..", import.meta.url))

/**
 * @param entry a TypeScript file of the tests
 * @param source the library's sources: those of this repository, or a copy of them
 * @param external modules that are loaded at run time, from beside `outfile`
 */
export const bundle = (
  entry: string,
  outfile: string,
  source: string = join(projectRoot, "src"),
  external: ReadonlyArray<string> = []
): Effect.Effect<string, unknown> =>
  Effect.as(
    Effect.tryPromise(() =>
      build({
        entryPoints: [entry],
        outfile,
        bundle: true,
        platform: "node",
        target: "node20",
        format: "cjs",
        absWorkingDir: projectRoot,
        nodePaths: [join(projectRoot, "node_modules")],
        external: ["pg-native", ...external],
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
    ),
    outfile
  )

export const workerEntry = join(here, "worker.ts")
