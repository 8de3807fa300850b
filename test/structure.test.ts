/** The insides of Effect's runtime are touched in one folder, so that another version of Effect concerns no other. */
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import ts from "typescript"
import { expect, it } from "vitest"

const source = fileURLToPath(new URL("../src", import.meta.url))
const runtime = join("internal", "runtime")

const insides = new Set(["withFiberRuntime", "FiberRef", "Runtime", "unsafeMap"])

/** All identifiers of a file; what stands in comments and texts is none. */
const namesIn = (file: string): ReadonlySet<string> => {
  const names = new Set<string>()
  const visit = (node: ts.Node): void => {
    if (ts.isIdentifier(node)) names.add(node.text)
    ts.forEachChild(node, visit)
  }
  visit(ts.createSourceFile(file, readFileSync(join(source, file), "utf8"), ts.ScriptTarget.Latest))
  return names
}

it("nothing outside of internal/runtime names what belongs to Effect's runtime", () => {
  const files = readdirSync(source, { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".ts"))
  expect(files.filter((file) => file.startsWith(runtime)).length).toBeGreaterThan(0)
  const outside = files.filter((file) => !file.startsWith(runtime))
  const named = outside.flatMap((file) =>
    [...namesIn(file)].filter((name) => insides.has(name)).map((name) => `${file}: ${name}`)
  )
  expect(named).toEqual([])
})
