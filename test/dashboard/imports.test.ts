/** Who does not want the view loads nothing of it. */
import { fileURLToPath } from "node:url"
import { assert, it } from "@effect/vitest"
import { build } from "esbuild"

const root = fileURLToPath(new URL("../..", import.meta.url))

const loadedBy = async (entry: string): Promise<ReadonlyArray<string>> => {
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: [entry],
    bundle: true,
    write: false,
    metafile: true,
    treeShaking: false,
    packages: "external",
    platform: "node",
    format: "esm"
  })
  const imported = Object.values(metafile.inputs).flatMap(({ imports }) => imports.map(({ path }) => path))
  return [...Object.keys(metafile.inputs), ...imported]
}

const isOfView = (file: string) => /dashboard|uplot|@effect\/platform/i.test(file)

it("importing the root loads nothing of the view", async () => {
  assert.deepStrictEqual((await loadedBy("src/index.ts")).filter(isOfView), [])
  assert.isAbove((await loadedBy("src/Dashboard.ts")).filter(isOfView).length, 5)
})
