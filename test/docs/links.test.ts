/** Links between the pages lead to pages, headings and files that are there, on the site as well as in the repository. */
import { existsSync } from "node:fs"
import { join, posix } from "node:path"
import { assert, it } from "@effect/vitest"
import site from "../../docs/.vitepress/config.js"
import { guides, pages, project, text } from "./pages.js"

const withoutCode = (page: string): string => text(page).replace(/^```[\s\S]*?^```/gm, "")

/** As GitHub makes anchors. */
const anchorOf = (title: string): string =>
  title
    .trim()
    .toLowerCase()
    .replace(/[^\w\- ]/g, "")
    .replaceAll(" ", "-")

/** As the site makes them: `@mdit-vue/shared`. */
const siteAnchorOf = (title: string): string =>
  title
    .trim()
    .normalize("NFKD")
    .replace(/[\u0300-\u036F]/g, "")
    .replace(/[\s~`!@#$%^&*()\-_+=[\]{}|\\;:"'“”‘’<>,.?/]+/g, "-")
    .replace(/-{2,}/g, "-")
    .replace(/^-+|-+$/g, "")
    .replace(/^(\d)/, "_$1")
    .toLowerCase()

/** The anchors that are the same in both. */
const anchorsIn = (page: string): ReadonlyArray<string> =>
  Array.from(withoutCode(page).matchAll(/^#+ (.*)$/gm), ([, title = ""]) => title)
    .filter((title) => anchorOf(title) === siteAnchorOf(title))
    .map(anchorOf)

interface Link {
  readonly page: string
  readonly path: string
  readonly anchor: string | undefined
}

const linksIn = (page: string): ReadonlyArray<Link> => [
  ...Array.from(
    withoutCode(page).matchAll(/\]\((?!https?:)([^)#]*)(?:#([^)]+))?\)/g),
    ([, path = "", anchor]): Link => ({ page, path, anchor })
  ),
  ...Array.from(
    withoutCode(page).matchAll(/<(?:img|source)[^>]* (?:src|srcset)="(?!https?:)([^"]*)"/g),
    ([, path = ""]): Link => ({ page, path, anchor: undefined })
  ),
  // of the front page of the site
  ...Array.from(
    text(page).matchAll(/^ +link: \/([\w-]+)(?:#([\w-]+))?$/gm),
    ([, path = "", anchor]): Link => ({ page, path: `${path}.md`, anchor })
  )
]

const targetOf = ({ page, path }: Link): string => (path === "" ? page : posix.join(posix.dirname(page), path))

const isDead = (link: Link): boolean => {
  const target = targetOf(link)
  if (!existsSync(join(project, target))) return true
  return link.anchor !== undefined && !anchorsIn(target).includes(link.anchor)
}

const links = pages.flatMap(linksIn)

it("links between the pages lead somewhere", () => {
  assert.isAtLeast(links.length, 100)
  assert.deepStrictEqual(links.filter(isDead), [])
})

it("the guides lead to nothing outside of the site", () => {
  const outside = links.filter((link) => guides.includes(link.page) && !targetOf(link).startsWith("docs/"))
  assert.deepStrictEqual(outside, [])
})

it("every guide is in the side bar, and what is there is a guide", () => {
  const found = JSON.stringify(site.themeConfig?.sidebar).match(/(?<="link":"\/)[\w-]+(?=")/g) ?? []
  const named = guides.map((page) => page.replace(/^docs\/|\.md$/g, ""))
  assert.sameMembers(
    [...new Set(found)],
    named.filter((name) => name !== "index")
  )
})
