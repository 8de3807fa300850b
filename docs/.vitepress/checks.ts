/**
 * What is wrong with a built site, and VitePress does not notice. The site is read where there is no internet: nothing in it may be
 * loaded from another host.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"

const host = "(?:https?:)?//"

/** What a browser loads by itself; a link that a reader follows is none. */
const loaded: Readonly<Record<string, RegExp>> = {
  ".html": new RegExp(
    `<(?:script|link|img|source|iframe|video|audio|object|embed)\\b[^>]*\\b(?:src|srcset|href|data)="${host}[^"]*`,
    "g"
  ),
  ".css": new RegExp(`(?:url\\(["']?|@import ["'])${host}[^"')]*`, "g"),
  ".js": new RegExp(`(?:\\bfetch|\\bimport|\\bWebSocket|\\bEventSource)\\(["'\`]${host}[^"'\`]*`, "g")
}

/** Throws an error that names what the files of the built site would load from other hosts. */
export const refuseForeign = (folder: string): void => {
  const found = readdirSync(folder, { recursive: true, encoding: "utf8" }).flatMap((file) => {
    const pattern = Object.entries(loaded).find(([ending]) => file.endsWith(ending))?.[1]
    return pattern === undefined
      ? []
      : (readFileSync(join(folder, file), "utf8").match(pattern) ?? []).map((part) => `${file}: ${part}`)
  })
  if (found.length > 0) throw new Error(`the site would load from other hosts:\n${found.join("\n")}`)
}

/** Throws an error that names the links of the navigation and the side bar that lead to no page of the built site. */
export const refuseDead = (folder: string, theme: unknown): void => {
  const links = Array.from(JSON.stringify(theme).matchAll(/"link":"\/([^"#]*)"/g), ([, path = ""]) => path)
  const dead = links.filter(
    (path) => !existsSync(join(folder, path === "" || path.endsWith("/") ? `${path}index.html` : `${path}.html`))
  )
  if (dead.length > 0) throw new Error(`the navigation leads to pages that are not there: ${dead.join(", ")}`)
}
