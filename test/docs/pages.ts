/** The pages that people read: README and the like, and the guides in docs/. */
import { readdirSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"

export const project = fileURLToPath(new URL("../..", import.meta.url))

export const text = (path: string): string => readFileSync(`${project}${path}`, "utf8")

const markdown = (folder: string) =>
  readdirSync(`${project}${folder}`)
    .filter((name) => name.endsWith(".md"))
    .map((name) => `${folder}${name}`)

export const guides: ReadonlyArray<string> = markdown("docs/")

export const pages: ReadonlyArray<string> = [...markdown(""), ...guides]

/** A fenced block. Its `info` is what stands behind the language: `run` or `test` have it run by the tests. */
export interface Block {
  /** The page, and which of its blocks of TypeScript this is. */
  readonly name: string
  readonly info: string
  readonly code: string
  /** The block of text that follows, which is what a block that runs prints. */
  readonly output: string | undefined
}

export const blocksOf = (page: string): ReadonlyArray<Block> =>
  Array.from(
    text(page).matchAll(/^```ts *(.*)\n([\s\S]*?)^```(?:\n+```text\n([\s\S]*?)^```)?/gm),
    ([, info = "", code = "", output], index) => ({ name: `${page}.${index + 1}`, info, code, output })
  )

export const blocks: ReadonlyArray<Block> = pages.flatMap(blocksOf)
