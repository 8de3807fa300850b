/** docs/observability.md names every span that the source opens, and no other. */
import { readdirSync } from "node:fs"
import { assert, it } from "@effect/vitest"
import ts from "typescript"
import { project, text } from "./pages.js"

/** Functions that open a span: which argument names it, and how. */
const opening: Readonly<Record<string, { readonly argument: number; readonly prefix: string }>> = {
  withSpan: { argument: 0, prefix: "" },
  inSpan: { argument: 1, prefix: "" },
  storeSpan: { argument: 0, prefix: "cache." },
  storeSpanOn: { argument: 1, prefix: "cache." },
  traced: { argument: 1, prefix: "cache." }
}

const openedIn = (path: string): ReadonlyArray<string> => {
  const found: Array<string> = []
  const visit = (node: ts.Node): void => {
    if (ts.isCallExpression(node)) {
      const { expression } = node
      const how = opening[ts.isPropertyAccessExpression(expression) ? expression.name.text : expression.getText()]
      const name = how === undefined ? undefined : node.arguments[how.argument]
      if (how !== undefined && name !== undefined && ts.isStringLiteral(name)) found.push(`${how.prefix}${name.text}`)
    }
    ts.forEachChild(node, visit)
  }
  visit(ts.createSourceFile(path, text(path), ts.ScriptTarget.Latest, true))
  return found
}

it("docs/observability.md has every span that the source opens, and no other", () => {
  const opened = new Set(
    readdirSync(`${project}src`, { recursive: true, encoding: "utf8" })
      .filter((path) => path.endsWith(".ts"))
      .flatMap((path) => openedIn(`src/${path}`))
  )
  assert.isAtLeast(opened.size, 5)
  const documented = Array.from(text("docs/observability.md").matchAll(/^\| `([\w.-]+)` \|/gm), ([, name = ""]) => name)
  assert.sameMembers(documented, [...opened])
})
