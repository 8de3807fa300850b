/**
 * The API reference: pages of Markdown in docs/api, made from the doc comments of the modules that the package exports.
 * TypeDoc reads no TypeScript here.
 */
import { readFileSync } from "node:fs"

const manifest = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"))

/** The source of each module that can be imported. */
const entryPoints = Object.keys(manifest.exports)
  .filter((path) => path !== "./package.json")
  .map((path) => `../src/${path === "." ? "index" : path.slice(2)}.ts`)

const importName = (name) => (name === "index" ? "effect-cached" : `effect-cached/${name}`)

export default {
  entryPoints,
  tsconfig: "../src/tsconfig.json",
  plugin: ["typedoc-plugin-markdown"],
  out: "api",
  outputFileStrategy: "modules",
  entryFileName: "index.md",
  readme: "none",
  githubPages: false,
  disableSources: true,
  excludeExternals: true,
  excludeInternal: true,
  excludePrivate: true,
  excludeTags: ["@since"],
  hidePageHeader: true,
  hideBreadcrumbs: true,
  useCodeBlocks: true,
  expandObjects: false,
  parametersFormat: "table",
  classPropertiesFormat: "table",
  typeAliasPropertiesFormat: "table",
  pageTitleTemplates: {
    index: "API reference",
    module: ({ name, kind }) => (kind === "Module" ? importName(name) : name)
  },
  // types that only serve the inference of others are not exported
  validation: { notExported: false },
  treatWarningsAsErrors: true
}
