import { readFileSync } from "node:fs"
import { assert, it } from "@effect/vitest"

const text = (path: string) => readFileSync(new URL(`../${path}`, import.meta.url), "utf8")

it("the README's quick start is the example that the compiler has seen", () => {
  const example = text("examples/readme.ts")
  assert.include(text("README.md"), `\`\`\`ts\n${example}\`\`\``)
})
