/** What the README says of the code is so. */
import { assert, it } from "@effect/vitest"
import * as root from "effect-cached"
import { text } from "./docs/pages.js"

const readme = text("README.md")
const manifest: {
  readonly exports: Readonly<Record<string, unknown>>
  readonly engines: { readonly node: string }
  readonly scripts: Readonly<Record<string, string>>
} = JSON.parse(text("package.json"))

it("the README's quick start is the example that the compiler has seen", () => {
  assert.include(readme, `\`\`\`ts\n${text("examples/readme.ts")}\`\`\``)
})

it("the README says of each module where it is imported from, and names what the root has", () => {
  const rows = new Map(
    Array.from(readme.matchAll(/^\| `(effect-cached[^`]*)` \| (.*) \|$/gm), ([, module = "", content = ""]) => [
      module,
      content
    ])
  )
  const modules = Object.keys(manifest.exports).filter((path) => path !== "./package.json")
  assert.sameMembers(
    [...rows.keys()],
    modules.map((path) => path.replace(".", "effect-cached"))
  )
  const named = Array.from((rows.get("effect-cached") ?? "").matchAll(/`(\w+)`/g), ([, name = ""]) => name)
  assert.includeMembers(named, ["cached", "MemoryBackend"])
  assert.includeMembers(Object.keys(root), named)
})

it("the README names the versions of Node that are promised and tested", () => {
  const [, lowest, tested] = /for Node only: ([\d.]+) and later, tested on ([\d, and\n]+)\./.exec(readme) ?? []
  assert.strictEqual(manifest.engines.node, `>=${lowest}.0`)
  const others = (manifest.scripts["test:nodes"] ?? "").match(/(?<=node@)\d+/g) ?? []
  assert.deepStrictEqual(tested?.match(/\d+/g), ["20", ...others])
})
