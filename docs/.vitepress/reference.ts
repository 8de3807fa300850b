/** The side bar of the API reference, from the pages that TypeDoc has written. Empty before it has. */
import { existsSync, readdirSync } from "node:fs"
import { join } from "node:path"
import type { DefaultTheme } from "vitepress"

const withoutEnding = (file: string): string => file.replace(/\.md$/, "")

/** The namespaces that a module exports stand in a folder of their own, and the module then in a folder, too. */
const moduleItem = (folder: string, name: string): DefaultTheme.SidebarItem => {
  const text = name === "index" ? "effect-cached" : name
  if (!existsSync(join(folder, name))) return { text, link: `/api/${name}` }
  return {
    text,
    link: `/api/${name}/`,
    items: readdirSync(join(folder, name, "namespaces"))
      .map(withoutEnding)
      .map((namespace) => ({ text: namespace, link: `/api/${name}/namespaces/${namespace}` }))
  }
}

/** @param modules names of their files, in the order of the side bar */
export const referenceItems = (folder: string, modules: ReadonlyArray<string>): Array<DefaultTheme.SidebarItem> =>
  existsSync(folder) ? modules.map((name) => moduleItem(folder, name)) : []
