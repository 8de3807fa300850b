/** The rooms of `src`: what only one of them may touch, and whether the pages about them are true. */
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { dirname, join, sep } from "node:path"
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

const internal = join(source, "internal")

/** The files that a page names in code: `flights/Flights.ts`. */
const filesNamedIn = (page: string): ReadonlyArray<string> =>
  Array.from(readFileSync(page, "utf8").matchAll(/`([\w./-]+\.ts)`/g), ([, file = ""]) => file)

it("the files that ARCHITECTURE.md and the rooms' own pages name are there", () => {
  const files = readdirSync(internal, { recursive: true, encoding: "utf8" })
  const rooms = files.filter((file) => file.endsWith("README.md"))
  expect(rooms.length).toBeGreaterThan(5)
  /** From the room itself, at any depth, from `src/internal` or from the top. */
  const isThere = (room: string, file: string) =>
    files.some((one) => one === file || (one.startsWith(room) && one.endsWith(`${sep}${file}`))) ||
    existsSync(join(source, "..", file))
  const dead = [join(source, "..", "ARCHITECTURE.md"), ...rooms.map((room) => join(internal, room))].flatMap((page) => {
    const room = page.startsWith(internal) ? dirname(page).slice(internal.length + 1) : ""
    return filesNamedIn(page)
      .filter((file) => !isThere(room, file))
      .map((file) => `${page}: ${file}`)
  })
  expect(dead).toEqual([])
})
