/** What docs/production.md says of log lines and errors is what the source logs, and all of it. */
import { readdirSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { assert, it } from "@effect/vitest"
import ts from "typescript"

const project = fileURLToPath(new URL("..", import.meta.url))
const text = (path: string) => readFileSync(`${project}${path}`, "utf8")
const sources = readdirSync(`${project}src`, { recursive: true, encoding: "utf8" })
  .filter((path) => path.endsWith(".ts"))
  .map((path) => `src/${path}`)
const production = text("docs/production.md")

/** Text without what may stand between its words: line breaks, quotes, the ends and beginnings of joined literals. */
const words = (from: string): string => from.replace(/[`"'+\s]+/g, " ")

/** The beginning of every text that is logged: the literals among the arguments of the functions that log. */
const loggedIn = (path: string): ReadonlyArray<string> => {
  const found: Array<string> = []
  const logs = /^(warn|tryWarn|logWarning|logInfo|logError|logFailure|storeFailed|failed)$/
  const called = (node: ts.CallExpression): string => {
    const { expression } = node
    return ts.isPropertyAccessExpression(expression) ? expression.name.text : expression.getText()
  }
  const beginnings = (node: ts.Node): void => {
    if (ts.isStringLiteralLike(node) || ts.isTemplateHead(node)) found.push(node.text)
    // a joined text begins with its first literal; the arguments of other calls are none
    else if (ts.isBinaryExpression(node)) beginnings(node.left)
    else if (!ts.isCallExpression(node)) ts.forEachChild(node, beginnings)
  }
  const visit = (node: ts.Node): void => {
    if (ts.isCallExpression(node) && logs.test(called(node))) node.arguments.forEach(beginnings)
    ts.forEachChild(node, visit)
  }
  visit(ts.createSourceFile(path, text(path), ts.ScriptTarget.Latest, true))
  return found
}

it("docs/production.md has every text that is logged", () => {
  const logged = sources
    .flatMap(loggedIn)
    .filter((line) => /^(The c|Cache |Recomputing|This c|memcached: )/.test(line))
    // The page quotes the first sentence or less.
    .map((line) => words(line.split(/ \(|[.:](?= )/, line.startsWith("memcached: ") ? 2 : 1).join(":")).trim())
  assert.isAtLeast(logged.length, 15)
  const documented = words(production.replaceAll("<store>", ""))
  assert.deepStrictEqual(
    logged.filter((line) => !documented.includes(line)),
    []
  )
})

it("the texts that docs/production.md quotes are in the source", () => {
  const source = words(sources.map(text).join("\n"))
  const section = /^## Log lines\n[\s\S]*?(?=^## Errors)/m.exec(production)?.[0] ?? ""
  const quoted = Array.from(section.matchAll(/^\| `([^`]+)`/gm), ([, line = ""]) => line)
  assert.isAtLeast(quoted.length, 40)
  // Between these parts the source has an expression.
  const parts = quoted
    .flatMap((line) =>
      line.split(/^Cache (?:failed |purge |maintenance )?|…|<\w+>|[(:]|ttl(?= returned)|5 times|connect ECONN\w+/)
    )
    .map((part) => words(part).trim())
  // What the database says is not ours.
  const foreign =
    /^(relation|does not exist|column|permission denied|cannot execute|in a read-only|canceling statement)/
  assert.deepStrictEqual(
    parts.filter((part) => !foreign.test(part) && !source.includes(part)),
    []
  )
})

it("the reasons of `CacheError` are explained in their order", () => {
  const reasons = Array.from(text("src/CacheError.ts").matchAll(/^ {2}\| "(\w+)"$/gm), ([, reason = ""]) => reason)
  assert.isAtLeast(reasons.length, 8)
  const rows = Array.from(
    (/^## Errors\n[\s\S]*/m.exec(production)?.[0] ?? "").matchAll(/^\| `(\w+)` \|/gm),
    ([, reason = ""]) => reason
  )
  assert.deepStrictEqual(rows, reasons)
})
