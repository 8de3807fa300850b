/** The site of the documentation: `npm run docs` builds it. It loads nothing from other hosts, and its search works offline. */
import { cpSync, readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { type DefaultTheme, defineConfig } from "vitepress"
import { refuseDead, refuseForeign } from "./checks.js"
import { referenceItems } from "./reference.js"

const docs = fileURLToPath(new URL("..", import.meta.url))

const manifest: { readonly version: string; readonly exports: Readonly<Record<string, unknown>> } = JSON.parse(
  readFileSync(join(docs, "../package.json"), "utf8")
)

const modules = Object.keys(manifest.exports)
  .filter((path) => path !== "./package.json")
  .map((path) => (path === "." ? "index" : path.slice(2)))

const reference = referenceItems(join(docs, "api"), modules)

const guides: Array<DefaultTheme.SidebarItem> = [
  {
    text: "Begin",
    items: [
      { text: "Getting started", link: "/getting-started" },
      { text: "Step by step", link: "/step-by-step" },
      { text: "How it works", link: "/how-it-works" },
      { text: "Choosing a backend", link: "/backends" },
      { text: "When not to use it", link: "/when-not" }
    ]
  },
  {
    text: "Use",
    items: [
      { text: "Options", link: "/options" },
      { text: "Operations", link: "/operations" },
      { text: "Groups", link: "/groups" },
      { text: "Transactions", link: "/transactions" },
      { text: "Tiers and buses", link: "/tiers" },
      { text: "Many keys", link: "/many-keys" },
      { text: "Keys and methods", link: "/keys" },
      { text: "Computations", link: "/computations" },
      { text: "Services and several caches", link: "/services" },
      { text: "Compression and encryption", link: "/compression-and-encryption" },
      { text: "Adapters", link: "/adapters" },
      { text: "Testing your program", link: "/testing" }
    ]
  },
  {
    text: "Run",
    items: [
      { text: "In production", link: "/production" },
      { text: "Observability", link: "/observability" },
      { text: "Live view", link: "/dashboard" },
      { text: "What is promised", link: "/promises" },
      { text: "Proof", link: "/proof" },
      { text: "Speed", link: "/speed" }
    ]
  },
  {
    text: "Look up",
    items: [
      { text: "Recipes", link: "/recipes" },
      { text: "Pitfalls", link: "/pitfalls" },
      { text: "Questions and answers", link: "/faq" },
      { text: "Coming from another cache", link: "/coming-from" },
      { text: "Architecture", link: "/architecture" },
      { text: "Changelog", link: "/changelog" }
    ]
  }
]

/** A drawing as part of the page, so that it follows the page's light and dark; the page's own style sheet has its colours. */
const drawing = (file: string, alternative: string): string =>
  readFileSync(file, "utf8")
    .replace(/<style>[\s\S]*?<\/style>/, "")
    .replace("<svg ", `<svg role="img" aria-label="${alternative.replaceAll('"', "&quot;")}" `)
    .trim()

/** Characters. */
const longestName = 24

/**
 * What a word of a question counts: little where each question has it. VitePress copies it into the page, so it uses nothing from around
 * it.
 */
const weight = (term: string): number =>
  /^(a|an|and|any|are|be|by|can|could|do|does|for|from|get|have|how|i|in|is|it|its|me|my|need|of|on|or|should|so|that|the|their|there|this|to|up|use|want|what|when|where|which|why|will|with|you|your|cache|caching|effect)$/i.test(
    term
  )
    ? 0.02
    : 1

export default defineConfig({
  title: "effect-cached",
  description:
    "Memoize any Effect in a shared cache: no stampede, no stale write, no dead cache server reaches the user.",
  lang: "en",
  cleanUrls: false,
  lastUpdated: false,
  // the site may stand in a folder: npm run docs -- --base /effect-cached/
  head: [["link", { rel: "icon", href: "data:," }]],
  buildEnd: ({ outDir, site }) => {
    // what the page on observability links to
    cpSync(join(docs, "observability"), join(outDir, "observability"), { recursive: true })
    refuseForeign(outDir)
    refuseDead(outDir, site.themeConfig)
  },
  markdown: {
    // the usual themes have comments and parameters with too little contrast
    theme: { light: "github-light-high-contrast", dark: "github-dark-high-contrast" },
    config: (md) => {
      const otherwise = md.renderer.rules["image"]
      md.renderer.rules["image"] = (tokens, index, options, env, self) => {
        const source = tokens[index]?.attrGet("src") ?? ""
        const page: unknown = env.path
        if (/pictures\/.*\.svg$/.test(source) && typeof page === "string")
          return drawing(join(dirname(page), source), tokens[index]?.content ?? "")
        return otherwise?.(tokens, index, options, env, self) ?? ""
      }

      // A name stays on one line; what is longer than a name may be broken.
      md.renderer.rules["code_inline"] = (tokens, index) => {
        const content = tokens[index]?.content ?? ""
        const name = content.length <= longestName ? ' class="name"' : ""
        return `<code${name} v-pre>${md.utils.escapeHtml(content)}</code>`
      }

      // GitHub shows `- [ ]` as a box, Markdown alone does not.
      md.core.ruler.after("inline", "boxes", ({ tokens }) => {
        for (const [index, { children, content, type }] of tokens.entries()) {
          const first = children?.[0]
          if (type !== "inline" || first === undefined || !content.startsWith("[ ] ")) continue
          first.content = first.content.replace("[ ] ", "☐ ")
          tokens[index - 2]?.attrJoin("class", "box")
        }
      })
    }
  },
  themeConfig: {
    nav: [
      { text: "Guide", link: "/getting-started" },
      { text: "Options", link: "/options" },
      { text: "Production", link: "/production" },
      { text: "API", link: "/api/index/" },
      { text: manifest.version, link: "/changelog" }
    ],
    sidebar: {
      "/api/": [
        { text: "API reference", items: reference },
        { text: "Guides", link: "/getting-started" }
      ],
      "/": [...guides, { text: "API reference", link: "/api/index/" }]
    },
    outline: [2, 3],
    search: {
      provider: "local",
      options: {
        miniSearch: {
          searchOptions: {
            boostTerm: weight,
            // of two that fit, a guide explains more than the reference, and an answer was written for a question
            boostDocument: (page: string) =>
              /^\/(api\/|changelog|architecture)/.test(page) ? 0.3 : page.startsWith("/faq") ? 1.5 : 1
          }
        }
      }
    },
    docFooter: { prev: "Before", next: "Next" }
  }
})
