/** The code in the pages and in the doc comments: all of it compiles, and what is marked runs and prints what stands below it. */
import { execFile } from "node:child_process"
import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { afterAll, describe } from "vitest"
import { bundles, projectRoot } from "../support/bundle.js"
import { complaintsAbout } from "../support/compile.js"
import { blocks, text } from "./pages.js"
import { moduleOf } from "./surroundings.js"

const examples = readdirSync(join(projectRoot, "src"))
  .filter((name) => name.endsWith(".ts"))
  .flatMap((name) =>
    Array.from(
      text(`src/${name}`).matchAll(/^ *\* @example\n((?: *\*(?! @|\/).*\n)+)/gm),
      ([, lines = ""], index) =>
        [`src/${name}.${index + 1}`, lines.replace(/^ *\* ?/gm, "").replaceAll("\\@", "@")] as const
    )
  )

it("every block of TypeScript in the README and in docs/ compiles, and every example in a doc comment", () => {
  assert.isAtLeast(blocks.length, 65)
  assert.isAtLeast(examples.length, 20)
  const modules = blocks.map(({ code, name }) => [name, moduleOf(code)] as const)
  assert.deepStrictEqual(complaintsAbout(new Map([...modules, ...examples])), [])
})

/** Below the project's modules, where the blocks' own imports are found. */
const folder = join(projectRoot, "node_modules/.cache/effect-cached", `blocks-${process.pid}`)
mkdirSync(folder, { recursive: true })
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const fileOf = (name: string, ending: string) => join(folder, `${name.replaceAll(/[/.]/g, "-")}${ending}`)

const written = (mark: string, ending: string) =>
  blocks
    .filter(({ info }) => info === mark)
    .map((block) => {
      const file = fileOf(block.name, ending)
      writeFileSync(file, block.code)
      return { ...block, file }
    })

const runnable = written("run", ".ts")

const outputOf = (program: string): Promise<string> =>
  new Promise((resolve) =>
    execFile(process.execPath, ["--disable-warning=ExperimentalWarning", program], (_, stdout, stderr) =>
      resolve(`${stdout}${stderr}`)
    )
  )

it.scoped("what is marked to run prints what the page says", () =>
  Effect.gen(function* () {
    assert.isAtLeast(runnable.length, 12)
    const programOf = yield* bundles(runnable.map(({ file }) => file))
    const outputs = yield* Effect.forEach(runnable, ({ file }) => Effect.promise(() => outputOf(programOf(file))), {
      concurrency: 4
    })
    assert.deepStrictEqual(
      runnable.map(({ name }, index) => `${name}\n${outputs[index]}`),
      runnable.map(({ name, output = "no output on the page" }) => `${name}\n${output}`)
    )
  })
)

// Its own tests become part of these.
describe("the tests in the pages", async () => {
  for (const { file, name } of written("test", ".ts")) {
    const { default: own }: { readonly default?: unknown } = await import(/* @vite-ignore */ file)
    assert.isUndefined(own, name)
  }
})
